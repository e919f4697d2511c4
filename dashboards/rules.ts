// SPDX-License-Identifier: Apache-2.0
// What must hold of a dashboard: that Grafana loads it, that it works with any data source, job and
// cluster, that it tells a reader what is normal, and that it asks for metrics that there are. Much
// of it is what Grafana's dashboard-linter asks for. Pure: a dashboard in, its faults out.
import type * as model from '@grafana/grafana-foundation-sdk/dashboard';
import { parser } from '@prometheus-io/lezer-promql';

// The labels of each family that the exporter has.
export type Families = ReadonlyMap<string, ReadonlySet<string>>;

interface Target {
  refId: string;
  expr: string;
  datasource?: model.DataSourceRef;
}

// Labels that Prometheus adds.
const OF_TARGETS = ['job', 'instance', 'cluster'];

// Panels and the newest schema that Grafana 10 knows.
const PANELS = ['row', 'stat', 'state-timeline', 'table', 'timeseries'];
const NEWEST_SCHEMA = 39;

// Of Grafana's units those that are used here: it shows an unknown one as a suffix.
const UNITS = ['none', 'short', 's', 'bytes', 'Bps', 'pps', 'cps', 'reqps', 'percentunit', 'dateTimeFromNow'];

// Each with a value to parse it with.
const BUILT_IN: Record<string, string> = { __rate_interval: '5m', __range: '3h', __url_time_range: '' };

export function faults(dashboard: model.Dashboard, families: Families): string[] {
  return [
    ...frameFaults(dashboard),
    ...variableFaults(dashboard, families),
    ...markFaults(dashboard, families),
    ...layoutFaults(panelsOf(dashboard)),
    ...panelsOf(dashboard).flatMap((panel) => panelFaults(panel, dashboard, families)
      .map((fault) => `panel "${panel.title}": ${fault}`)),
  ];
}

export function panelsOf(dashboard: model.Dashboard): model.Panel[] {
  return (dashboard.panels ?? []) as model.Panel[];
}

function unless(holds: boolean, fault: string): string[] {
  return holds ? [] : [fault];
}

// --- around the panels ---

function frameFaults(dashboard: model.Dashboard): string[] {
  return [
    ...unless(/^[a-z-]+$/.test(dashboard.uid ?? ''), 'no stable uid'),
    ...unless(!!dashboard.title && !!dashboard.description, 'no title or description'),
    ...unless((dashboard.tags ?? []).includes('corosync'), 'no tag corosync'),
    ...unless(dashboard.editable === false, 'is editable'),
    ...unless(dashboard.graphTooltip === 1, 'the crosshair is not shared'),
    ...unless(dashboard.schemaVersion <= NEWEST_SCHEMA, `schema ${dashboard.schemaVersion} is newer than Grafana 10's`),
    ...unless(!('__inputs' in dashboard) && !('__requires' in dashboard), 'has __inputs, which provisioning does not fill in'),
    ...unless(dashboard.id === undefined || dashboard.id === null, 'has an id, which is some server\'s own'),
  ];
}

function variablesOf(dashboard: model.Dashboard): model.VariableModel[] {
  return dashboard.templating.list ?? [];
}

function variableFaults(dashboard: model.Dashboard, families: Families): string[] {
  const variables = variablesOf(dashboard);
  const names = variables.map(({ name }) => name);
  const source = variables[0];
  return [
    ...unless(source?.name === 'datasource' && source.type === 'datasource' && source.query === 'prometheus',
      'the first variable is not the datasource'),
    ...['job', 'cluster'].flatMap((name) => unless(names.includes(name), `no variable ${name}`)),
    ...variables.slice(1).flatMap((variable) => [
      ...unless(variable.type === 'query', 'is no query'),
      ...unless(variable.datasource?.uid === '${datasource}', 'asks another data source'),
      ...unless(variable.multi === true && variable.includeAll === true, 'does not take several'),
      ...unless(variable.allValue === (variable.name === 'cluster' ? '.*' : '.+'), `All is ${variable.allValue}`),
      ...unless(variable.refresh === 2, 'is not refreshed with the time range'),
      ...unless(variable.label?.toLowerCase() === variable.name, 'has another label'),
      ...variableQueryFaults(variable, dashboard, families),
    ].map((fault) => `variable ${variable.name}: ${fault}`)),
  ];
}

function variableQueryFaults(variable: model.VariableModel, dashboard: model.Dashboard, families: Families): string[] {
  const query = String(variable.query);
  const values = /^label_values\((\w+), (\w+)\)$/.exec(query);
  if (values) {
    return unless(families.has(values[1] ?? '') && OF_TARGETS.includes(values[2] ?? ''), `does not ask for a label of ours: ${query}`);
  }
  const result = /^query_result\((.*)\)$/.exec(query);
  // The selectors of a variable can use those before it only.
  return result ? expressionFaults(result[1] ?? '', ['job'], dashboard, families) : [`is neither label_values nor query_result: ${query}`];
}

function markFaults(dashboard: model.Dashboard, families: Families): string[] {
  const marks = dashboard.annotations.list ?? [];
  return [
    ...unless(marks.some(({ expr }) => expr?.includes('corosync_membership_last_change_timestamp_seconds')),
      'membership changes are not marked'),
    ...marks.flatMap((mark) => [
      ...unless(mark.datasource.uid === '${datasource}', 'asks another data source'),
      ...expressionFaults(mark.expr ?? '', selectorsOf(dashboard), dashboard, families),
    ].map((fault) => `mark "${mark.name}": ${fault}`)),
  ];
}

// --- panels ---

function layoutFaults(panels: model.Panel[]): string[] {
  const taken = new Set<string>();
  const found: string[] = [];
  panels.forEach((panel, index) => {
    const { x = -1, y = -1, w = 0, h = 0 } = panel.gridPos ?? {};
    if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > 24) {
      found.push(`panel "${panel.title}" is not on the grid`);
    }
    for (let cell = 0; cell < w * h; cell++) {
      const at = `${x + (cell % w)} ${y + Math.floor(cell / w)}`;
      if (taken.has(at)) {
        found.push(`panel "${panel.title}" lies on another`);
        break;
      }
      taken.add(at);
    }
    if (panel.type === 'row' && [undefined, 'row'].includes(panels[index + 1]?.type)) {
      found.push(`row "${panel.title}" is empty`);
    }
  });
  const ids = panels.map(({ id }) => id);
  const titles = panels.map(({ type, title }) => `${type} ${title}`);
  return [
    ...found,
    ...unless(new Set(ids).size === ids.length && !ids.includes(undefined), 'two panels have the same id, or none'),
    ...unless(new Set(titles).size === titles.length, 'two panels have the same title'),
  ];
}

function panelFaults(panel: model.Panel, dashboard: model.Dashboard, families: Families): string[] {
  const targets = (panel.targets ?? []) as unknown as Target[];
  if (panel.type === 'row') {
    return unless(!!panel.title, 'no title');
  }
  return [
    ...unless(PANELS.includes(panel.type), `Grafana 10 has no ${panel.type}`),
    ...unless(!!panel.title && !!panel.description, 'no title or description'),
    ...unless(panel.datasource?.uid === '${datasource}', 'asks another data source'),
    ...unless(targets.length > 0, 'asks nothing'),
    ...unitsOf(panel).filter((unit) => !UNITS.includes(unit)).map((unit) => `unknown unit ${unit}`),
    ...unless(panel.fieldConfig.defaults.unit !== undefined, 'no unit'),
    ...unless(new Set(targets.map(({ refId }) => refId)).size === targets.length, 'two questions have the same letter'),
    ...targets.flatMap((target) => [
      ...unless(target.datasource?.uid === '${datasource}', 'asks another data source'),
      ...expressionFaults(target.expr, selectorsOf(dashboard), dashboard, families),
    ].map((fault) => `${target.refId}: ${fault}`)),
  ];
}

function unitsOf(panel: model.Panel): string[] {
  const overridden = panel.fieldConfig.overrides.flatMap(({ properties }) =>
    properties.filter(({ id }) => id === 'unit').map(({ value }) => String(value)));
  return [panel.fieldConfig.defaults.unit ?? 'none', ...overridden];
}

// --- questions ---

// What every selector chooses targets by.
function selectorsOf(dashboard: model.Dashboard): string[] {
  const names = variablesOf(dashboard).map(({ name }) => name);
  return ['job', 'instance'].filter((name) => names.includes(name));
}

function expressionFaults(expr: string, chosenBy: string[], dashboard: model.Dashboard, families: Families): string[] {
  const known = [...variablesOf(dashboard).map(({ name }) => name), ...Object.keys(BUILT_IN)];
  const unknown = [...expr.matchAll(/\$\{?([A-Za-z_]\w*)/g)].map((match) => match[1] ?? '')
    .filter((name) => !known.includes(name)).map((name) => `unknown variable $${name}`);
  return [...unknown, ...queryFaults(expr, chosenBy, families)];
}

interface Node {
  readonly name: string;
  readonly text: string;
  readonly error: boolean;
  readonly parents: readonly Node[]; // the nearest first
}

// Every node of the expression, with what is above it.
function nodesOf(expr: string): Node[] {
  // Durations only: in strings the parser takes variables as they are.
  const parsed = expr.replace(/\[\$(\w+)\]/g, (all, name: string) => BUILT_IN[name] ? `[${BUILT_IN[name]}]` : all);
  const nodes: Node[] = [];
  const parents: Node[] = [];
  parser.parse(parsed).iterate({
    enter: ({ name, from, to, type }) => {
      const node = { name, text: parsed.slice(from, to), error: type.isError, parents: [...parents] };
      nodes.push(node);
      parents.unshift(node);
    },
    leave: () => { parents.shift(); },
  });
  return nodes;
}

function queryFaults(expr: string, chosenBy: string[], families: Families): string[] {
  const nodes = nodesOf(expr);
  if (expr === '' || nodes.some(({ error }) => error)) {
    return [`no PromQL: ${expr}`];
  }
  const labels = new Set([...OF_TARGETS, ...[...families.values()].flatMap((some) => [...some])]);
  for (const made of expr.matchAll(/count_values by \([^)]*\) \("(\w+)"/g)) {
    labels.add(made[1] ?? '');
  }
  return [
    ...nodes.filter(({ name }) => name === 'VectorSelector').flatMap((selector) => selectorFaults(selector, chosenBy, families)),
    ...nodes.filter(({ name }) => name === 'LabelName').filter(({ text }) => text !== '__name__' && !labels.has(text))
      .map(({ text }) => `nothing has a label ${text}`),
    ...nodes.filter(({ name, text }) => name === 'FunctionCall' && /^i?rate\b/.test(text))
      .filter(({ text }) => !text.includes(`[${BUILT_IN['__rate_interval']}]`)).map(({ text }) => `not over $__rate_interval: ${text}`),
  ];
}

function selectorFaults({ text, parents }: Node, chosenBy: string[], families: Families): string[] {
  const family = /^\w+/.exec(text)?.[0] ?? '';
  const ofFamily = family === 'up' ? new Set<string>() : families.get(family);
  if (!ofFamily) {
    return [`the exporter has no ${family || text}`];
  }
  const matched = [...text.matchAll(/(\w+)(=~|!~|!=|=)"/g)].map((match) => match[1] ?? '');
  return [
    ...matched.filter((label) => !ofFamily.has(label) && !OF_TARGETS.includes(label))
      .map((label) => `${family} has no label ${label}`),
    ...chosenBy.filter((label) => !text.includes(`${label}=~"$${label}"`))
      .map((label) => `${family} is asked of every ${label}`),
    ...unless(!family.endsWith('_total') || insideRate(parents), `${family} is asked for its value, not its rate or increase`),
  ];
}

function insideRate(parents: readonly Node[]): boolean {
  const call = parents.find(({ name }) => name === 'FunctionCall');
  return parents[0]?.name === 'MatrixSelector' && /^(rate|increase)\(/.test(call?.text ?? '');
}
