// SPDX-License-Identifier: Apache-2.0
// What every dashboard has around its panels: settings, variables, marks of what happened.
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { type Questions, clusterNames, targetsOf } from './promql';
import { colours } from './words';

export const CLUSTER_UID = 'corosync-cluster';
export const FLEET_UID = 'corosync-fleet';

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

export interface Frame {
  uid: string;
  title: string;
  description: string;
  variables: Builder<dashboard.VariableModel>[];
  marksMembership: boolean; // from the start; it can be turned on and off
}

export function frame({ uid, title, description, variables, marksMembership }: Frame, ask: Questions): dashboard.DashboardBuilder {
  return new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags(['corosync', 'high-availability'])
    .readonly()
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .variables([datasource(), ...variables])
    .annotations([
      mark('Membership changed', colours.notice, `${moment('membership', ask)} * 1000`, marksMembership),
      mark('Quorum lost', colours.bad, `${moment('quorum', ask, 0)} * 1000`),
      mark('Quorum gained', colours.good, `${moment('quorum', ask, 1)} * 1000`),
      mark('Corosync was not scheduled', colours.silent,
        `${ask.max(ask.series('corosync_scheduling_pause_last_timestamp_seconds'))} * 1000`),
    ]);
}

// --- variables ---

function datasource(): Builder<dashboard.VariableModel> {
  return new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus');
}

export const job = query('job', 'label_values(corosync_up, job)');
export const cluster = query('cluster', ...labelOf('cluster', clusterNames('$__range')));
export const instance = query('instance', ...labelOf('instance', targetsOf('$__range')));

// The values of a label of a vector, and the regular expression that finds them in the answer.
function labelOf(label: string, vector: string): [string, string] {
  return [`query_result(group by (${label}) (${vector}))`, `/${label}="([^"]+)"/`];
}

function query(name: 'job' | 'cluster' | 'instance', question: string, regex = ''): Builder<dashboard.VariableModel> {
  return new dashboard.QueryVariableBuilder(name)
    .label(name.charAt(0).toUpperCase() + name.slice(1))
    .datasource(DATASOURCE)
    .query(question)
    .regex(regex)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue(name === 'cluster' ? '.*' : '.+'); // a cluster may have no name
}

// --- marks ---

// When the last change was; of the quorum, of nodes that have since been with it or without it.
function moment(what: 'membership' | 'quorum', ask: Questions, quorate?: 0 | 1): string {
  const changed = ask.series(`corosync_${what}_last_change_timestamp_seconds`);
  return ask.max(quorate === undefined ? changed
    : `(${changed} and on (job, instance) ${ask.series('corosync_quorate')} == ${quorate})`);
}

// Where the value is a time, in milliseconds since the epoch.
function mark(name: string, colour: string, expr: string, enable = true): Builder<dashboard.AnnotationQuery> {
  const annotation: dashboard.AnnotationQuery & Record<string, unknown> = {
    name,
    datasource: DATASOURCE,
    enable,
    hide: false,
    iconColor: colour,
    expr,
    step: '15s',
    titleFormat: name,
    textFormat: '{{cluster}}',
    tagKeys: 'cluster',
    useValueForTime: true,
  };
  return { build: () => annotation };
}
