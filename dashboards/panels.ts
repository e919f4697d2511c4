// SPDX-License-Identifier: Apache-2.0
// The kinds of panel that the dashboards are made of, and their queries.
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { DATASOURCE } from './frame';
import { colours, thresholds } from './words';

// Panels follow each other from left to right, row by row.
export interface Place {
  width: number; // of 24
  height: number;
}

// --- queries ---

export function over(expr: string, legend: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).range();
}

export function now(expr: string, legend: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).legendFormat(legend).instant();
}

function rows(expr: string): DataqueryBuilder {
  return now(expr, '').format(PromQueryFormat.Table);
}

function lettered(queries: DataqueryBuilder[]): Builder<Dataquery>[] {
  return queries.map((query, index) => query.refId(String.fromCharCode(65 + index)).datasource(DATASOURCE));
}

// --- panels ---

export const plainNumbers = common.BigValueColorMode.None;
export const belowEachOther = common.VizOrientation.Horizontal;
export const valueOnly = common.BigValueTextMode.Value;

// Of a name and a value beside each other; Grafana itself makes them smaller than it need.
export const readable = new common.VizTextDisplayOptionsBuilder().titleSize(12).valueSize(16);

export const shadedThresholds = new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphTresholdsStyleMode.Area);

function coloured(mode: dashboard.FieldColorModeId): Builder<dashboard.FieldColor> {
  return new dashboard.FieldColorBuilder().mode(mode);
}

interface Text {
  title: string;
  description: string; // what it shows, what is normal and what is not
}

interface Common<B> extends Builder<dashboard.Panel> {
  title(title: string): B;
  description(description: string): B;
  datasource(ref: dashboard.DataSourceRef): B;
  targets(targets: Builder<Dataquery>[]): B;
  span(width: number): B;
  height(height: number): B;
}

function base<B extends Common<B>>(panel: B, text: Text, place: Place, queries: DataqueryBuilder[]): B {
  return panel
    .title(text.title)
    .description(text.description)
    .datasource(DATASOURCE)
    .targets(lettered(queries))
    .span(place.width)
    .height(place.height);
}

// One large value, or a tile for each of several.
export function tiles(text: Text, place: Place, ...queries: DataqueryBuilder[]): stat.PanelBuilder {
  return base(new stat.PanelBuilder(), text, place, queries)
    .unit('short')
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.None)
    .justifyMode(common.BigValueJustifyMode.Center)
    .textMode(common.BigValueTextMode.ValueAndName)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .colorScheme(coloured(dashboard.FieldColorModeId.Thresholds))
    .thresholds(thresholds(colours.good));
}

function legendBelow(): common.VizLegendOptionsBuilder {
  return new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.List)
    .placement(common.LegendPlacement.Bottom)
    .showLegend(true)
    .calcs([]);
}

// Who was in what state, when. Gaps are times when nobody knew.
export function timeline(text: Text, place: Place, ...queries: DataqueryBuilder[]): statetimeline.PanelBuilder {
  return base(new statetimeline.PanelBuilder(), text, place, queries)
    .unit('none')
    .mergeValues(true)
    .showValue(common.VisibilityMode.Auto)
    .rowHeight(0.85)
    .lineWidth(0)
    .fillOpacity(85)
    .legend(legendBelow())
    .tooltip(new common.VizTooltipOptionsBuilder()
      .mode(common.TooltipDisplayMode.Single)
      .sort(common.SortOrder.None))
    .colorScheme(coloured(dashboard.FieldColorModeId.Thresholds))
    .thresholds(thresholds(colours.none));
}

export function lines(text: Text, place: Place, ...queries: DataqueryBuilder[]): timeseries.PanelBuilder {
  return base(new timeseries.PanelBuilder(), text, place, queries)
    .unit('short')
    .axisSoftMin(0)
    .drawStyle(common.GraphDrawStyle.Line)
    .lineWidth(2)
    .fillOpacity(0)
    .showPoints(common.VisibilityMode.Never)
    .legend(legendBelow())
    .tooltip(new common.VizTooltipOptionsBuilder()
      .mode(common.TooltipDisplayMode.Multi)
      .sort(common.SortOrder.Descending))
    .colorScheme(coloured(dashboard.FieldColorModeId.PaletteClassic));
}

// What stays until it changes.
export function steps(text: Text, place: Place, ...queries: DataqueryBuilder[]): timeseries.PanelBuilder {
  return lines(text, place, ...queries)
    .lineInterpolation(common.LineInterpolation.StepAfter)
    .decimals(0);
}

// A line of one colour on all panels; dashed, what is configured rather than what happens.
export function look(colour: string, dashed = false): dashboard.DynamicConfigValue[] {
  const colourOf = { id: 'color', value: { mode: dashboard.FieldColorModeId.Fixed, fixedColor: colour } };
  return dashed ? [colourOf, { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } }] : [colourOf];
}

// What happens now and then. Rates are taken over some more than an interval; with intervals not too
// short, what happened once is one bar, or two.
export function bars(text: Text, place: Place, ...queries: DataqueryBuilder[]): timeseries.PanelBuilder {
  return lines(text, place, ...queries)
    .interval('1m')
    .axisSoftMax(1)
    .drawStyle(common.GraphDrawStyle.Bars)
    .fillOpacity(70)
    .lineWidth(1);
}

// A column of a table: a field's name, what to call it, and how to show it.
export interface Column {
  field: string;
  name?: string; // without: the field's own
  unit?: string;
  decimals?: number;
  width?: number;
  words?: dashboard.ValueMapping[];
  steps?: Builder<dashboard.ThresholdsConfig>;
  link?: { title: string; url: string };
}

// Rows of what holds now, with the columns in order and no others. With several queries, rows of the
// same labels are one, and a query's value is in the column `Value #A`, `Value #B`, …
export function list(text: Text, place: Place, columns: Column[], ...expressions: string[]): table.PanelBuilder {
  const panel = base(new table.PanelBuilder(), text, place, expressions.map(rows))
    .unit('none')
    .showHeader(true)
    .cellHeight(common.TableCellHeight.Sm)
    .colorScheme(coloured(dashboard.FieldColorModeId.Thresholds))
    .thresholds(thresholds('text'));
  if (expressions.length > 1) {
    panel.withTransformation({ id: 'merge', options: {} });
  }
  panel.withTransformation({
    id: 'filterFieldsByName',
    options: { include: { names: columns.map(({ field }) => field) } },
  });
  panel.withTransformation({
    id: 'organize',
    options: {
      excludeByName: {},
      indexByName: Object.fromEntries(columns.map(({ field }, index) => [field, index])),
      renameByName: {},
    },
  });
  for (const column of columns) {
    panel.overrideByName(column.field, properties(column));
  }
  return panel;
}

function properties({ name, unit, decimals, width, words, steps, link }: Column): dashboard.DynamicConfigValue[] {
  const cell = { type: common.TableCellDisplayMode.ColorBackground, mode: common.TableCellBackgroundDisplayMode.Basic };
  const all: [string, unknown][] = [
    ['displayName', name],
    ['unit', unit],
    ['decimals', decimals],
    ['custom.width', width],
    ['mappings', words],
    ['thresholds', steps?.build()],
    ['custom.cellOptions', words || steps ? cell : undefined],
    ['links', link && [{ ...link, targetBlank: false }]],
  ];
  return all.filter(([, value]) => value !== undefined).map(([id, value]) => ({ id, value }));
}

// By the columns' names as shown, the first before the second.
export function sorted(...columns: [string, 'ascending' | 'descending'][]): Builder<common.TableSortByFieldState>[] {
  return columns.map(([name, order]) =>
    new common.TableSortByFieldStateBuilder().displayName(name).desc(order === 'descending'));
}
