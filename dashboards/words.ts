// SPDX-License-Identifier: Apache-2.0
// Words and colours that mean the same on every panel. Colours are Okabe and Ito's, which the
// colour-blind can tell apart, and never stand alone: a word or a number says the same.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { NodeState, Trouble, Verdict } from './promql';

export const colours = {
  good: '#0072B2',
  notice: '#56B4E9',
  warning: '#E69F00',
  bad: '#D55E00',
  silent: '#CC79A7',
  none: '#808080',
} as const;

type Word = readonly [number, string, string];

export const words = {
  nodeState: [
    [NodeState.Quorate, 'Quorate', colours.good],
    [NodeState.NoQuorum, 'NO QUORUM', colours.bad],
    [NodeState.WaitsForAll, 'NO QUORUM, waits for all', colours.bad],
    [NodeState.CorosyncSilent, 'Corosync silent', colours.silent],
    [NodeState.ExporterDown, 'Exporter down', colours.silent],
    [NodeState.NoProvider, 'No provider', colours.none],
  ],
  verdict: [
    [Verdict.Quorate, 'Yes', colours.good],
    [Verdict.NoQuorum, 'NO', colours.bad],
    [Verdict.NobodyAnswers, 'Unknown: no node answers', colours.silent],
    [Verdict.NoProvider, 'Nobody decides: no provider', colours.none],
  ],
  member: [
    [1, 'Member', colours.good],
    [0, 'MISSING', colours.bad],
  ],
  link: [
    [1, 'Connected', colours.good],
    [0, 'DOWN', colours.bad],
  ],
  fault: [
    [0, 'None', colours.good],
    [1, 'FAULT', colours.bad],
  ],
  reading: [
    [1, 'Read', colours.good],
    [0, 'FAILS', colours.bad],
  ],
  device: [
    [0, 'No device', colours.none],
    [1, 'Registered, NOT ALIVE', colours.bad],
    [2, 'Alive, not voting', colours.warning],
    [3, 'Votes', colours.good],
  ],
  on: [[1, 'On', colours.notice]],
  trouble: [
    [Trouble.NoQuorum, 'No quorum', colours.bad],
    [Trouble.Unknown, 'Unknown', colours.silent],
    [Trouble.AtRisk, 'At risk', colours.warning],
    [Trouble.Look, 'Look', colours.notice],
    [Trouble.Fine, 'Fine', colours.good],
  ],
  silence: [
    [NodeState.CorosyncSilent, 'Corosync silent', colours.silent],
    [NodeState.ExporterDown, 'Exporter down', colours.silent],
  ],
} satisfies Record<string, readonly Word[]>;

export function mapping(list: readonly Word[]): dashboard.ValueMapping[] {
  const options = Object.fromEntries(
    list.map(([value, text, color], index) => [String(value), { text, color, index }]));
  return [{ type: dashboard.MappingType.ValueToText, options }];
}

// Between the verdicts: some nodes are quorate, and some not.
export const verdictMapping: dashboard.ValueMapping[] = [
  ...mapping(words.verdict),
  {
    type: dashboard.MappingType.RangeToText,
    options: {
      from: 0.0001,
      to: 0.9999,
      result: { text: 'On some nodes only', color: colours.warning, index: words.verdict.length },
    },
  },
];

// The first colour is that of everything below the first step.
export function thresholds(first: string, ...steps: [number, string][]): Builder<dashboard.ThresholdsConfig> {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([{ value: null, color: first }, ...steps.map(([value, color]) => ({ value, color }))]);
}
