// SPDX-License-Identifier: Apache-2.0
// Holds the committed dashboards against their source and the rules.
// Usage: check DASHBOARDS GOLDEN-PAGES | check --self-test GOLDEN-PAGES
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { render } from './render';
import { type Families, faults, panelsOf } from './rules';

function check(committedText: (file: string) => string, families: Families): string[] {
  return [...render()].flatMap(([file, text]) => {
    const committed = committedText(file);
    return [
      ...committed === text ? [] : ['is not what its source says: dashboards/run generate'],
      ...faults(JSON.parse(committed) as Dashboard, families),
    ].map((fault) => `${file}: ${fault}`);
  });
}

// --- the exporter's pages ---

function familiesOn(directory: string): Families {
  const families = new Map<string, Set<string>>();
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.prom'))) {
    for (const line of readFileSync(join(directory, file), 'utf8').split('\n')) {
      const sample = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line);
      if (sample) {
        const labels = families.get(sample[1] ?? '') ?? new Set();
        [...(sample[2] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].forEach((label) => labels.add(label[1] ?? ''));
        families.set(sample[1] ?? '', labels);
      }
    }
  }
  return families;
}

// --- whether the rules notice anything ---

type Plant = (dashboard: Dashboard) => void;

// What is done to the expression of the panel's first question.
function ask(change: (expr: string) => string): Plant {
  return (dashboard) => {
    const panel = panelsOf(dashboard).find(({ type }) => type === 'timeseries');
    const target = panel?.targets?.[0] as unknown as { expr: string };
    target.expr = change(target.expr);
  };
}

function first(type: string, change: (panel: ReturnType<typeof panelsOf>[number]) => void): Plant {
  return (dashboard) => {
    const panel = panelsOf(dashboard).find((one) => one.type === type);
    if (panel) {
      change(panel);
    }
  };
}

function variable(name: string, change: (one: NonNullable<Dashboard['templating']['list']>[number]) => void): Plant {
  return (dashboard) => { dashboard.templating.list?.filter((one) => one.name === name).forEach(change); };
}

const PLANTED: [string, Plant][] = [
  ['no stable uid', (dashboard) => { delete dashboard.uid; }],
  ['no title or description', (dashboard) => { dashboard.description = ''; }],
  ['no tag corosync', (dashboard) => { dashboard.tags = []; }],
  ['is editable', (dashboard) => { dashboard.editable = true; }],
  ['the crosshair is not shared', (dashboard) => { dashboard.graphTooltip = 0; }],
  ['is newer than Grafana 10', (dashboard) => { dashboard.schemaVersion = 42; }],
  ['has __inputs', (dashboard) => { Object.assign(dashboard, { __inputs: [] }); }],
  ['has an id', (dashboard) => { dashboard.id = 7; }],
  ['the first variable is not the datasource', (dashboard) => { dashboard.templating.list?.shift(); }],
  ['no variable cluster', variable('cluster', (one) => { one.name = 'other'; })],
  ['variable job: is no query', variable('job', (one) => { one.type = 'custom' as never; })],
  ['variable job: asks another data source', variable('job', (one) => { one.datasource = { uid: 'abc' }; })],
  ['variable job: does not take several', variable('job', (one) => { one.multi = false; })],
  ['variable job: All is .*', variable('job', (one) => { one.allValue = '.*'; })],
  ['variable cluster: All is .+', variable('cluster', (one) => { one.allValue = '.+'; })],
  ['variable job: is not refreshed', variable('job', (one) => { one.refresh = 1; })],
  ['variable job: has another label', variable('job', (one) => { one.label = 'Work'; })],
  ['variable job: does not ask for a label of ours', variable('job', (one) => { one.query = 'label_values(corosync_upp, job)'; })],
  ['variable job: is neither', variable('job', (one) => { one.query = 'metrics(corosync.*)'; })],
  ['variable cluster: no PromQL', variable('cluster', (one) => { one.query = 'query_result(a b)'; })],
  ['variable cluster: corosync_up is asked of every job', variable('cluster', (one) => { one.query = 'query_result(corosync_up)'; })],
  ['membership changes are not marked', (dashboard) => { dashboard.annotations.list?.shift(); }],
  ['mark "Quorum lost": no PromQL', (dashboard) => { (dashboard.annotations.list?.[1] ?? {} as { expr?: string }).expr = 'max('; }],
  ['is not on the grid', first('stat', ({ gridPos }) => { if (gridPos) gridPos.x = 23; })],
  ['lies on another', first('timeseries', ({ gridPos }) => { if (gridPos) gridPos.y -= 1; })],
  ['is empty', (dashboard) => { dashboard.panels?.push({ type: 'row', title: 'Nothing', id: 999, collapsed: false, panels: [], gridPos: { x: 0, y: 900, w: 24, h: 1 } }); }],
  ['two panels have the same id', first('timeseries', (panel) => { panel.id = 1; })],
  ['two panels have the same title', (dashboard) => { panelsOf(dashboard).filter(({ type }) => type === 'stat').forEach((panel) => { panel.title = 'Votes'; }); }],
  ['Grafana 10 has no graph', first('timeseries', (panel) => { panel.type = 'graph'; })],
  [': no title or description', first('stat', (panel) => { delete panel.description; })],
  [': asks another data source', first('stat', (panel) => { panel.datasource = { type: 'prometheus', uid: 'abc' }; })],
  ['A: asks another data source', first('stat', (panel) => { Object.assign(panel.targets?.[0] ?? {}, { datasource: { uid: 'abc' } }); })],
  [': asks nothing', first('stat', (panel) => { panel.targets = []; })],
  [': no unit', first('stat', ({ fieldConfig }) => { delete fieldConfig.defaults.unit; })],
  ['unknown unit votes', first('stat', ({ fieldConfig }) => { fieldConfig.defaults.unit = 'votes'; })],
  ['unknown unit parsecs', first('table', ({ fieldConfig }) => { fieldConfig.overrides[0]?.properties.push({ id: 'unit', value: 'parsecs' }); })],
  ['two questions have the same letter', first('timeseries', (panel) => { panel.targets?.push(...panel.targets); })],
  ['no PromQL', ask((expr) => `${expr})`)],
  ['no PromQL', ask(() => '')],
  ['unknown variable $node', ask((expr) => expr.replace('$job', '$node'))],
  ['is asked of every job', ask((expr) => expr.replace('{job=~"$job"', '{job="corosync"'))],
  ['the exporter has no corosync_quorum', ask(() => 'corosync_quorum{job=~"$job"}')],
  ['corosync_up has no label node', ask(() => 'corosync_up{job=~"$job", node="node1"}')],
  ['nothing has a label nodename', ask((expr) => `max by (nodename) (${expr})`)],
  ['not over $__rate_interval', ask(() => 'rate(process_cpu_seconds_total{job=~"$job"}[5s])')],
  ['asked for its value', ask(() => 'corosync_quorum_losses_total{job=~"$job"}')],
  ['asked for its value', ask(() => 'max_over_time(corosync_quorum_losses_total{job=~"$job"}[5m])')],
];

function selfTest(families: Families): string[] {
  const outdated = check((file) => `${render().get(file)} `, families);
  return [
    ...outdated.length === render().size ? [] : ['not noticed: is not what its source says'],
    ...unnoticed(families),
  ];
}

function unnoticed(families: Families): string[] {
  return [...render()].flatMap(([file, text]) => {
    const unharmed = faults(JSON.parse(text) as Dashboard, families).map((fault) => `unharmed: ${fault}`);
    const missed = PLANTED.filter(([words, plant]) => {
      const dashboard = JSON.parse(text) as Dashboard;
      plant(dashboard);
      return !faults(dashboard, families).some((fault) => fault.includes(words));
    }).map(([words]) => `not noticed: ${words}`);
    return [...unharmed, ...missed].map((fault) => `${file}: ${fault}`);
  });
}

// --- the command line ---

const [what, pages] = process.argv.slice(2);
if (!what || !pages) {
  throw new Error('usage: check DASHBOARDS|--self-test GOLDEN-PAGES');
}
const families = familiesOn(pages);
if (families.size === 0) {
  throw new Error(`no page in ${pages}`);
}
const found = what === '--self-test' ? selfTest(families)
  : check((file) => readFileSync(join(what, file), 'utf8'), families);
found.forEach((fault) => console.error(fault));
if (what === '--self-test') {
  console.log(`${PLANTED.length} faults planted in each of ${render().size} dashboards`);
} else {
  console.log(`${render().size} dashboards, ${families.size} families`);
}
process.exitCode = found.length ? 1 : 0;
