// SPDX-License-Identifier: Apache-2.0
// All clusters: which are in trouble, the worst first.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { CLUSTER_UID, FLEET_UID, cluster, frame, job } from './frame';
import * as p from './panels';
import { Questions, Trouble } from './promql';
import { colours, mapping, thresholds, verdictMapping, words } from './words';

// So many new rings within an hour are more than a node that is restarted makes.
const FLAPPING = 5;

const ask = new Questions(['job'], ['job', 'cluster']);

const orNone = (vector: string): string => `(${vector} or ${ask.knownClusters()} * 0)`;

const missing = orNone(ask.by('count', ask.missing()));
const silent = orNone(ask.by('count', ask.silentTargets()));
const changes = ask.max(ask.increase('corosync_membership_changes_total', '1h'));
const trouble = [
  `(${ask.verdict()} <= 0) + ${Trouble.NoQuorum}`, // or Unknown, as nobody answers is one below
  `(${ask.quoratePart()} < 1) * 0 + ${Trouble.AtRisk}`,
  `${ask.atRisk()} * 0 + ${Trouble.AtRisk}`,
  `${ask.by('group', ask.missing())} * 0 + ${Trouble.Look}`,
  `${ask.by('group', ask.silentTargets())} * 0 + ${Trouble.Look}`,
  `(${changes} >= ${FLAPPING}) * 0 + ${Trouble.Look}`,
  `${ask.knownClusters()} * 0 + ${Trouble.Fine}`,
].join(' or ');

const TO_CLUSTER = {
  title: 'Open this cluster',
  url: `/d/${CLUSTER_UID}?\${datasource:queryparam}&var-job=\${__data.fields.job}&var-cluster=\${__data.fields.cluster}&\${__url_time_range}`,
};

export function fleetDashboard(): dashboard.Dashboard {
  const builder = frame({
    uid: FLEET_UID,
    title: 'Corosync / All clusters',
    description: 'All corosync clusters, the ones in trouble first',
    variables: [job, cluster],
    marksMembership: false,
  }, ask);
  counts(builder);
  clusters(builder);
  details(builder);
  return builder.build();
}

function count(builder: dashboard.DashboardBuilder, title: string, description: string, expr: string, bad: string): void {
  builder.withPanel(p.tiles({ title, description }, { width: 4, height: 4 }, p.now(expr, title))
    .textMode(p.valueOnly)
    .thresholds(thresholds(colours.good, [1, bad])));
}

function counts(builder: dashboard.DashboardBuilder): void {
  builder.withPanel(p.tiles({
    title: 'Clusters',
    description: 'That an exporter told of within the last day.',
  }, { width: 4, height: 4 }, p.now(`count(${ask.knownClusters()})`, 'clusters'))
    .textMode(p.valueOnly)
    .colorMode(p.plainNumbers)
    .noValue('None'));
  count(builder, 'Without quorum',
    'Clusters of which no node is quorate, or none answers. Normal: 0.',
    `count(${ask.verdict()} <= 0) or vector(0)`, colours.bad);
  count(builder, 'At risk',
    'Clusters without a vote to spare that have one when all nodes are there, so that the next loss ends quorum. Normal: 0.',
    `count(${ask.atRisk()}) or vector(0)`, colours.warning);
  count(builder, 'Flapping',
    `Clusters with ${FLAPPING} or more membership changes within the last hour. Normal: 0.`,
    `count(${changes} >= ${FLAPPING}) or vector(0)`, colours.warning);
  count(builder, 'Members missing',
    'Nodes that are no members of their cluster. Normal: 0.',
    `sum(${missing}) or vector(0)`, colours.warning);
  count(builder, 'Silent nodes',
    'Nodes whose exporter, or corosync behind it, does not answer. Normal: 0.',
    `count(${ask.silent()}) or vector(0)`, colours.silent);
}

function clusters(builder: dashboard.DashboardBuilder): void {
  builder.withPanel(p.list({
    title: 'Clusters, the worst first',
    description: 'No quorum: no node is quorate. Unknown: none answers. At risk: no vote to spare, or some nodes are not quorate. Look: a node is missing or silent, or the membership flaps. Time without quorum is of the time shown. Click a cluster to see it. Normal: all fine.',
  }, { width: 24, height: 12 }, [
    { field: 'cluster', name: 'Cluster', link: TO_CLUSTER },
    { field: 'job', name: 'Job', width: 140 },
    { field: 'Value #A', name: 'State', width: 110, words: mapping(words.trouble) },
    { field: 'Value #B', name: 'Quorum', width: 220, words: verdictMapping },
    { field: 'Value #C', name: 'Votes to spare', width: 130, steps: thresholds(colours.bad, [0, colours.warning], [1, 'transparent']) },
    { field: 'Value #D', name: 'Missing', width: 90, steps: thresholds('transparent', [1, colours.warning]) },
    { field: 'Value #E', name: 'Silent', width: 90, steps: thresholds('transparent', [1, colours.silent]) },
    { field: 'Value #F', name: 'Changes, last hour', width: 150, decimals: 0, steps: thresholds('transparent', [FLAPPING, colours.warning]) },
    { field: 'Value #G', name: 'Time without quorum', unit: 's', decimals: 1, steps: thresholds('transparent', [0.001, colours.warning]) },
  ],
  trouble,
  ask.verdict(),
  ask.spare(),
  missing,
  silent,
  changes,
  ask.max(ask.increase('corosync_quorum_lost_seconds_total', '$__range')))
    .sortBy(p.sorted(['State', 'descending'], ['Votes to spare', 'ascending'], ['Cluster', 'ascending']))
    .noValue('No cluster: is corosync-exporter scraped?'));
}

function details(builder: dashboard.DashboardBuilder): void {
  builder
    .withPanel(p.list({
      title: 'Members missing',
      description: 'As the nodes with quorum see it, where there are any. Normal: none.',
    }, { width: 12, height: 8 }, [
      { field: 'cluster', name: 'Cluster', link: TO_CLUSTER },
      { field: 'job', name: 'Job' },
      { field: 'node', name: 'Node' },
    ], ask.missing())
      .noValue('None'))
    .withPanel(p.list({
      title: 'Silent nodes',
      description: 'Exporter down: Prometheus gets no answer, so the node may be down too. Corosync silent: the exporter runs, its corosync does not answer. Without a cluster: it was silent for a day, or ever since. Normal: none.',
    }, { width: 12, height: 8 }, [
      { field: 'cluster', name: 'Cluster', link: TO_CLUSTER },
      { field: 'job', name: 'Job' },
      { field: 'instance', name: 'Node' },
      { field: 'Value', name: 'What', words: mapping(words.silence) },
    ], ask.silence())
      .noValue('None'))
    .withPanel(p.timeline({
      title: 'Clusters not quorate on every node',
      description: 'Only while some node that answers is not quorate; a gap is fine, or silence. Normal: empty.',
    }, { width: 24, height: 8 }, p.over(`${ask.quoratePart()} < 1`, '{{cluster}}'))
      .mappings(verdictMapping)
      .noValue('Every cluster was quorate throughout'))
    .withPanel(p.bars({
      title: 'Membership changes, the ten unsteadiest clusters',
      description: 'As the node counts that saw most. Normal: none, and a few when a node is restarted.',
    }, { width: 24, height: 8 }, p.over(
      `topk(10, ${ask.max(ask.increase('corosync_membership_changes_total'))} > 0)`, '{{cluster}}'))
      .noValue('None'));
}
