// SPDX-License-Identifier: Apache-2.0
// A dashboard as Grafana's own components draw it, from a Prometheus's answers: window.draw() of the
// page. Without a Grafana server there is nobody to do what surrounds the components: the grid, the
// queries, the state timelines and the marks are drawn here, the last two after Grafana's manner.
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/roboto-mono/400.css';
import * as data from '@grafana/data';
import * as ui from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { flushSync } from 'react-dom';

interface Request {
  dashboard: any; // as in the JSON file
  prometheus: string; // http://host:port
  from: number; // seconds since the epoch
  to: number;
  scrapeInterval: number; // seconds
  variables: Record<string, string>; // values, as regular expressions
  rows: number; // of the dashboard's grid: what lies further down is left out
}

interface Mark { name: string; colour: string; at: number }

const CELL = { height: 30, gap: 8 }; // Grafana's
const SAMPLES_MOST = 400; // of a line
const theme = data.createTheme({ colors: { mode: 'dark' } });

// --- what Grafana's server part or its application sets up at the start ---

function setUp(): void {
  const { mergeTransformer, filterFieldsByNameTransformer, organizeFieldsTransformer } = data.standardTransformers;
  data.standardTransformersRegistry.setInit(() => [mergeTransformer, filterFieldsByNameTransformer, organizeFieldsTransformer]
    .map((transformation: any) => ({ id: transformation.id, name: transformation.name, transformation })) as any);
  const plain = (id: string, path = id, isCustom = false): any =>
    ({ id, path, isCustom, name: id, shouldApply: () => true, process: data.identityOverrideProcessor });
  const standard = ['unit', 'decimals', 'displayName', 'noValue', 'min', 'max', 'mappings', 'thresholds', 'color', 'links'];
  const custom = ['axisSoftMin', 'axisSoftMax', 'drawStyle', 'fillOpacity', 'lineInterpolation', 'lineStyle', 'lineWidth',
    'showPoints', 'thresholdsStyle', 'cellOptions', 'width'];
  data.standardFieldConfigEditorRegistry.setInit(() => [
    ...standard.map((id) => plain(id)), ...custom.map((path) => plain(`custom.${path}`, path, true))]);
}

// --- answers of Prometheus as Grafana's frames ---

class Source {
  constructor(private readonly request: Request) {}

  interval(panel?: any): number {
    const { from, to, scrapeInterval } = this.request;
    const least = panel?.interval === '1m' ? 60 : scrapeInterval;
    return Math.max(least, Math.ceil((to - from) / SAMPLES_MOST));
  }

  expression(text: string, panel?: any): string {
    const { from, to, scrapeInterval, variables } = this.request;
    const interval = this.interval(panel);
    const values: Record<string, string> = {
      ...variables,
      __range: `${to - from}s`,
      __interval: `${interval}s`,
      __rate_interval: `${Math.max(interval + scrapeInterval, 4 * scrapeInterval)}s`,
    };
    return text.replace(/\$(\w+)/g, (all, name) => values[name] ?? all);
  }

  private async ask(what: string, parameters: Record<string, string>): Promise<any[]> {
    const answer = await (await fetch(`${this.request.prometheus}/api/v1/${what}`,
      { method: 'POST', body: new URLSearchParams(parameters) })).json();
    if (answer.status !== 'success') {
      throw new Error(`${answer.error}: ${parameters.query}`);
    }
    return answer.data.result;
  }

  now(query: string): Promise<any[]> {
    return this.ask('query', { query, time: String(this.request.to) });
  }

  // What Grafana asks, at multiples of the interval.
  private over(query: string, step: number): Promise<any[]> {
    const { from, to } = this.request;
    return this.ask('query_range', {
      query, step: String(step), start: String(Math.floor(from / step) * step), end: String(Math.floor(to / step) * step),
    });
  }

  async frames(panel: any): Promise<data.DataFrame[]> {
    const all = await Promise.all(panel.targets.map((target: any) => this.framesOf(panel, target)));
    return all.flat();
  }

  private async framesOf(panel: any, target: any): Promise<data.DataFrame[]> {
    const query = this.expression(target.expr, panel);
    if (target.format === 'table') {
      const name = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
      return [tableOf(await this.now(query), name, target.refId)];
    }
    if (target.instant) {
      return (await this.now(query)).map(({ metric, value }) =>
        seriesOf(metric, [value], target));
    }
    const step = this.interval(panel);
    return (await this.over(query, step)).map(({ metric, values }) =>
      seriesOf(metric, withGaps(values, step), target));
  }
}

type Sample = [number, string | null];

// Where nobody knew, Grafana gets nulls.
function withGaps(values: Sample[], step: number): Sample[] {
  return values.flatMap((sample, index) => {
    const before = values[index - 1];
    return before && sample[0] - before[0] > step ? [[before[0] + step, null] as Sample, sample] : [sample];
  });
}

function seriesOf(labels: Record<string, string>, values: Sample[], target: any): data.DataFrame {
  const displayNameFromDS = target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_: string, name: string) => labels[name] ?? '');
  return data.toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: data.FieldType.time, values: values.map(([time]) => time * 1000), config: {} },
      { name: 'Value', type: data.FieldType.number, labels, config: { displayNameFromDS },
        values: values.map(([, value]) => (value === null ? null : Number(value))) },
    ],
  });
}

function tableOf(series: any[], valueName: string, refId: string): data.DataFrame {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return data.toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: data.FieldType.time, values: series.map(({ value }) => value[0] * 1000), config: {} },
      ...labels.map((name) => ({ name, type: data.FieldType.string, values: series.map(({ metric }) => metric[name] ?? ''), config: {} })),
      { name: valueName, type: data.FieldType.number, values: series.map(({ value }) => Number(value[1])), config: {} },
    ],
  });
}

async function prepared(panel: any, source: Source): Promise<data.DataFrame[]> {
  let frames = await source.frames(panel);
  if (panel.transformations?.length) {
    frames = await new Promise((resolve, reject) =>
      data.transformDataFrame(panel.transformations, frames).subscribe({ next: resolve, error: reject }));
  }
  return data.applyFieldOverrides({
    data: frames, theme, timeZone: 'utc', fieldConfig: panel.fieldConfig, replaceVariables: (text) => text,
    fieldConfigRegistry: data.standardFieldConfigEditorRegistry,
  });
}

// The moments that a mark's expression had as its value, in the time shown.
async function marksOf(dashboard: any, source: Source, { from, to }: Request): Promise<Mark[]> {
  const step = source.interval();
  const marks = dashboard.annotations.list.filter(({ enable, expr }: any) => enable && expr)
    .map(async (mark: any) => {
      const series = await source.frames({ targets: [{ expr: mark.expr, legendFormat: '', refId: 'A' }] });
      const times = new Set(series.flatMap(({ fields }) => fields[1]!.values as (number | null)[]));
      return [...times].filter((at): at is number => at !== null && at >= (from - step) * 1000 && at <= to * 1000)
        .map((at) => ({ name: mark.name, colour: mark.iconColor, at }));
    });
  return (await Promise.all(marks)).flat();
}

// --- panels ---

interface Size { width: number; height: number }
interface Drawn extends Size { panel: any; frames: data.DataFrame[]; request: Request; marks: Mark[] }

function Stat({ panel, frames, width, height }: Drawn) {
  const getValues = () => data.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions: panel.options.reduceOptions, replaceVariables: (text) => text,
    theme, data: frames, sparkline: false, timeZone: 'utc',
  });
  return (
    <ui.VizRepeater
      getValues={getValues} width={width} height={height} source={frames} renderCounter={0} itemSpacing={3}
      getAlignmentFactors={data.getDisplayValueAlignmentFactors}
      orientation={panel.options.orientation ?? data.VizOrientation.Auto}
      renderValue={({ value, alignmentFactors, width, height, count }: any) => (
        <ui.BigValue
          value={value.display} count={count} width={width} height={height} theme={theme} alignmentFactors={alignmentFactors}
          colorMode={panel.options.colorMode} graphMode={panel.options.graphMode} justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode} text={panel.options.text} />)} />
  );
}

function Empty({ panel, width, height }: Drawn) {
  return (
    <div style={{ width, height, display: 'flex', alignItems: 'center', justifyContent: 'center', color: theme.colors.text.secondary, fontSize: 18 }}>
      {panel.fieldConfig.defaults.noValue ?? 'No data'}
    </div>
  );
}

function Lines({ panel, frames, width, height, request, marks }: Drawn) {
  return (
    <ui.TimeSeries
      frames={frames} structureRev={1} timeZone="utc" width={width} height={height} legend={panel.options.legend}
      timeRange={rangeOf(request)} options={panel.options}>
      {(config: ui.UPlotConfigBuilder) => {
        config.addHook('draw', (plot) => marks.forEach(({ at, colour }) => drawMark(plot, at, colour)));
        return null;
      }}
    </ui.TimeSeries>
  );
}

function drawMark(plot: any, at: number, colour: string): void {
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(at, 'x', true));
  if (x < bbox.left || x > bbox.left + bbox.width) {
    return;
  }
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.setLineDash([5, 5]);
  ctx.lineWidth = 2;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}

function rangeOf({ from, to }: Request): data.TimeRange {
  const raw = { from: data.dateTime(from * 1000), to: data.dateTime(to * 1000) };
  return { ...raw, raw };
}

function List({ panel, frames, width, height }: Drawn) {
  return (
    <ui.Table
      data={frames[0]!} width={width} height={height} showTypeIcons={false} cellHeight={panel.options.cellHeight}
      initialSortBy={panel.options.sortBy} enableSharedCrosshair={false} timeRange={undefined as any} />
  );
}

// Grafana keeps its state timeline to itself.
function Timeline({ frames, width, height, request, panel }: Drawn) {
  const { from, to } = request;
  const names = frames.map((frame) => data.getFieldDisplayName(frame.fields[1]!, frame, frames));
  const left = Math.min(width / 3, 14 + Math.max(...names.map((name) => ui.measureText(name, 12).width)));
  const legendHeight = 26;
  const axisHeight = 22;
  const plotWidth = width - left;
  const rowHeight = (height - legendHeight - axisHeight) / frames.length;
  const x = (seconds: number) => left + ((seconds - from) / (to - from)) * plotWidth;
  const tick = [10, 30, 60, 120, 300, 600, 900, 1800, 3600].find((each) => (to - from) / each <= plotWidth / 90) ?? 7200;
  const ticks = Array.from({ length: Math.floor(to / tick) - Math.floor(from / tick) }, (_, index) => (Math.floor(from / tick) + 1 + index) * tick);
  const words = new Map<string, string>();
  const spans = frames.flatMap((frame, row) => {
    const [time, value] = frame.fields as [data.Field, data.Field];
    return statesOf(time.values, value.values, to * 1000).map(({ start, end, state }) => {
      const shown = value.display!(state);
      words.set(shown.text, shown.color ?? '');
      const begin = Math.max(x(start / 1000), left);
      return { row, begin, length: Math.max(1, x(end / 1000) - begin), text: shown.text, colour: shown.color };
    });
  });
  const opacity = (panel.fieldConfig.defaults.custom?.fillOpacity ?? 70) / 100;
  return (
    <div style={{ width, height }}>
      <svg width={width} height={height - legendHeight} style={{ display: 'block' }} fontSize={12} fontFamily={theme.typography.fontFamily}>
        {ticks.map((at) => (
          <g key={at}>
            <line x1={x(at)} x2={x(at)} y1={0} y2={height - legendHeight - axisHeight} stroke="rgba(240, 250, 255, 0.09)" />
            <text x={x(at)} y={height - legendHeight - 5} textAnchor="middle" fill={theme.colors.text.primary}>
              {data.dateTimeFormat(at * 1000, { format: tick < 60 ? 'HH:mm:ss' : 'HH:mm', timeZone: 'utc' })}
            </text>
          </g>))}
        {names.map((name, row) => (
          <text key={row} x={left - 8} y={(row + 0.5) * rowHeight} textAnchor="end" dominantBaseline="central" fill={theme.colors.text.primary}>{name}</text>))}
        {spans.map(({ row, begin, length, text, colour }, index) => (
          <g key={index}>
            <rect x={begin} width={length} y={row * rowHeight + rowHeight * 0.075} height={rowHeight * 0.85} fill={colour} opacity={opacity} />
            {ui.measureText(text, 12).width + 8 < length && (
              <text x={begin + length / 2} y={(row + 0.5) * rowHeight} textAnchor="middle" dominantBaseline="central" fill={theme.colors.getContrastText(colour ?? '')}>{text}</text>)}
          </g>))}
      </svg>
      <ui.VizLegend placement="bottom" displayMode={ui.LegendDisplayMode.List}
        items={[...words].map(([label, color]) => ({ label, color, yAxis: 1 }))} />
    </div>
  );
}

function statesOf(times: number[], values: (number | null)[], to: number): { start: number; end: number; state: number }[] {
  const states: { start: number; end: number; state: number }[] = [];
  values.forEach((state, index) => {
    const start = times[index]!;
    const last = states.at(-1);
    if (last && last.end === Infinity) {
      if (last.state === state) {
        return;
      }
      last.end = start;
    }
    if (state !== null) {
      states.push({ start, end: Infinity, state });
    }
  });
  const step = times.length > 1 ? times.at(-1)! - times.at(-2)! : 0;
  return states.map((each) => ({ ...each, end: Math.min(each.end, times.at(-1)! + step, to) }));
}

const KINDS: Record<string, (drawn: Drawn) => JSX.Element> = {
  'stat': Stat, 'timeseries': Lines, 'table': List, 'state-timeline': Timeline,
};

function Panel({ panel, frames, request, marks, width, height }: Drawn) {
  const isEmpty = !frames.some(({ length }) => length > 0) && panel.type !== 'stat';
  const Kind = isEmpty ? Empty : KINDS[panel.type]!;
  return (
    <ui.PanelChrome title={panel.title} width={width} height={height} padding="md">
      {(width, height) => <Kind {...{ panel, frames, request, marks, width, height }} />}
    </ui.PanelChrome>
  );
}

// --- the page ---

function Page({ request, marks, drawn, width }: { request: Request; marks: Mark[]; drawn: Map<any, data.DataFrame[]>; width: number }) {
  const unit = (width + CELL.gap) / 24;
  const shown = panelsOf(request);
  const rows = Math.max(...shown.map(({ gridPos }) => gridPos.y + gridPos.h));
  const format = (seconds: number) => data.dateTimeFormat(seconds * 1000, { format: 'HH:mm:ss', timeZone: 'utc' });
  return (
    <div style={{ padding: 16, color: theme.colors.text.primary }}>
      <div style={{ display: 'flex', justifyContent: 'space-between', fontSize: 16, marginBottom: 12 }}>
        <span>{request.dashboard.title}{request.variables.cluster === '.*' ? '' : `: ${request.variables.cluster}`}</span>
        <span style={{ color: theme.colors.text.secondary, fontSize: 14 }}>{format(request.from)} to {format(request.to)} UTC</span>
      </div>
      <div style={{ position: 'relative', width, height: rows * (CELL.height + CELL.gap) - CELL.gap }}>
        {shown.map((panel) => {
          const { x, y, w, h } = panel.gridPos;
          const size = { width: w * unit - CELL.gap, height: h * (CELL.height + CELL.gap) - CELL.gap };
          return (
            <div key={panel.id} style={{ position: 'absolute', left: x * unit, top: y * (CELL.height + CELL.gap), ...size }}>
              {panel.type === 'row'
                ? <div style={{ fontSize: 16, lineHeight: `${CELL.height}px`, fontWeight: 500 }}>▾ {panel.title}</div>
                : <Panel {...{ panel, request, marks, ...size }} frames={drawn.get(panel)!} />}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function panelsOf({ dashboard, rows }: Request): any[] {
  return dashboard.panels.filter(({ gridPos }: any) => gridPos.y + gridPos.h <= rows);
}

async function draw(request: Request): Promise<void> {
  const source = new Source(request);
  const marks = await marksOf(request.dashboard, source, request);
  const panels = panelsOf(request).filter(({ type }) => type !== 'row');
  const drawn = new Map(await Promise.all(panels.map(async (panel) => [panel, await prepared(panel, source)] as const)));
  await Promise.all(['400 14px Inter', '500 14px Inter'].map((font) => document.fonts.load(font)));
  const root = createRoot(document.body.appendChild(document.createElement('div')));
  flushSync(() => root.render(
    <ui.ThemeContext.Provider value={theme}>
      <ui.GlobalStyles />
      <Page {...{ request, marks, drawn }} width={window.innerWidth - 32} />
    </ui.ThemeContext.Provider>));
}

setUp();
Object.assign(window, { draw });
