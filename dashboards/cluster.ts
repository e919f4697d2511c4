// SPDX-License-Identifier: Apache-2.0
// One cluster, for whoever is paged: have we quorum, who is missing, how many votes to spare; then
// what happened when, and why.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { CLUSTER_UID, FLEET_UID, cluster, frame, instance, job } from './frame';
import * as p from './panels';
import { Questions } from './promql';
import { colours, mapping, thresholds, verdictMapping, words } from './words';

const ask = new Questions(['job', 'instance'], ['cluster']);
const LINK = '{{instance}} to {{node}}, link {{link}}';

// Has its `cluster`, and one series a node that is asked.
const each = (family: string, ...matchers: string[]): string => ask.of(ask.series(family, ...matchers));

const largest = (family: string, ...labels: string[]): string => ask.max(ask.series(family), ...labels);

const mostOf = (family: string, range: string): string => ask.max(ask.increase(family, range));

export function clusterDashboard(): dashboard.Dashboard {
  const builder = frame({
    uid: CLUSTER_UID,
    title: 'Corosync / Cluster',
    description: 'One corosync cluster: quorum, votes, members, links, the totem protocol, the quorum device, and the exporter itself',
    variables: [job, cluster, instance],
    marksMembership: true,
  }, ask).link(new dashboard.DashboardLinkBuilder('All clusters')
    .type(dashboard.DashboardLinkType.Link)
    .url(`/d/${FLEET_UID}`)
    .icon('dashboard')
    .tooltip('Which clusters are in trouble')
    .includeVars(true)
    .keepTime(true));
  answers(builder);
  quorum(builder);
  members(builder);
  links(builder);
  totem(builder);
  device(builder);
  exporter(builder);
  return builder.build();
}

// --- what is asked first ---

function answers(builder: dashboard.DashboardBuilder): void {
  builder
    .withPanel(p.tiles({
      title: 'Have we quorum?',
      description: 'Normal: Yes. NO: no node that answers is quorate, so the cluster runs no services. On some nodes only: the others are cut off, and lose theirs. Unknown: every exporter or its corosync is silent.',
    }, { width: 5, height: 5 }, p.now(ask.verdict(), '{{cluster}}'))
      .mappings(verdictMapping)
      .thresholds(thresholds(colours.silent))
      .noValue('Unknown: no exporter'))
    .withPanel(p.tiles({
      title: 'Who is missing?',
      description: 'Normal: nobody. Nodes of corosync.conf, or seen before, that are no members now; as the nodes with quorum see it, where there are any.',
    }, { width: 6, height: 5 }, p.now(ask.missing(), '{{node}}'))
      .mappings(mapping(words.member))
      .noValue('Nobody'))
    .withPanel(p.tiles({
      title: 'Votes to spare',
      description: 'How many votes may go before quorum does: present minus required, as the nodes with quorum count, where there are any. Normal: at least 1. 0: the next loss ends it. Below 0: so many are missing.',
    }, { width: 4, height: 5 }, p.now(ask.spare(), '{{cluster}}'))
      .thresholds(thresholds(colours.bad, [0, colours.warning], [1, colours.good]))
      .noValue('Unknown'))
    .withPanel(p.tiles({
      title: 'Votes',
      description: 'Present, required for quorum, and expected when all nodes are there. Normal: as many present as expected. A quorum device\'s votes count too.',
    }, { width: 5, height: 5 },
    p.now(largest('corosync_votequorum_present_votes'), 'present'),
    p.now(largest('corosync_votequorum_required_votes'), 'required'),
    p.now(largest('corosync_votequorum_expected_votes'), 'expected'))
      .colorMode(p.plainNumbers)
      .noValue('Unknown'))
    .withPanel(p.tiles({
      title: 'Last change',
      description: 'When a node last saw the membership or the quorum change, since its exporter started. Normal: long ago, or none.',
    }, { width: 4, height: 5 },
    p.now(`${largest('corosync_membership_last_change_timestamp_seconds')} * 1000`, 'members'),
    p.now(`${largest('corosync_quorum_last_change_timestamp_seconds')} * 1000`, 'quorum'))
      .unit('dateTimeFromNow')
      .orientation(p.belowEachOther)
      .text(p.readable)
      .colorMode(p.plainNumbers)
      .noValue('None seen'))
    .withPanel(p.tiles({
      title: 'How each node sees it',
      description: 'Normal: every node is quorate. One that is not has been cut off from the others. Corosync silent: its exporter runs, its corosync does not answer. Exporter down: Prometheus gets no answer, so the node may be down too. Waits for all: wait_for_all withholds quorum until all nodes are there at once.',
    }, { width: 24, height: 4 }, p.now(ask.nodeState(), '{{instance}}'))
      .mappings(mapping(words.nodeState))
      .thresholds(thresholds(colours.silent))
      .noValue('Unknown: no exporter'));
}

// --- what happened, and why ---

function quorum(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Quorum and votes'))
    .withPanel(p.timeline({
      title: 'Quorum, as each node sees it',
      description: 'Normal: quorate throughout. Losses shorter than the scrape interval do not show here, but they do in the two panels on time without quorum.',
    }, { width: 24, height: 6 }, p.over(ask.nodeState(), '{{instance}}'))
      .mappings(mapping(words.nodeState)))
    .withPanel(p.steps({
      title: 'Votes',
      description: 'Normal: present is as high as expected. Below required there is no quorum. The most that any node counts.',
    }, { width: 8, height: 8 },
    // The last is drawn on top of the others.
    p.over(largest('corosync_votequorum_expected_votes'), 'expected'),
    p.over(largest('corosync_votequorum_required_votes'), 'required'),
    p.over(largest('corosync_votequorum_present_votes'), 'present'))
      .overrideByName('expected', p.look(colours.none, true))
      .overrideByName('required', p.look(colours.bad, true))
      .overrideByName('present', p.look(colours.notice)))
    .withPanel(p.steps({
      title: 'Votes to spare, as each node counts',
      description: 'Present minus required. Normal: at least 1 and the same on all nodes. Different values: the cluster is in parts.',
    }, { width: 8, height: 8 }, p.over(each('corosync_votequorum_margin_votes'), '{{instance}}'))
      .thresholds(thresholds(colours.bad, [0, colours.warning], [1, 'transparent']))
      .thresholdsStyle(p.shadedThresholds))
    .withPanel(p.lines({
      title: 'Share of time without quorum',
      description: 'As each node counted it, so that losses between two scrapes show too. Normal: 0. At 100 % it had none at all.',
    }, { width: 8, height: 8 }, p.over(ask.of(ask.rate('corosync_quorum_lost_seconds_total')), '{{instance}}'))
      .unit('percentunit')
      .max(1))
    .withPanel(p.tiles({
      title: 'Without quorum, in the time shown',
      description: 'The node that was longest without, and the most losses that one counted, while Prometheus looked. Normal: 0 s and 0.',
    }, { width: 8, height: 4 },
    p.now(mostOf('corosync_quorum_lost_seconds_total', '$__range'), 'time'),
    p.now(mostOf('corosync_quorum_losses_total', '$__range'), 'losses'))
      .thresholds(thresholds(colours.silent, [0, colours.good], [0.001, colours.warning]))
      .overrideByName('time', [{ id: 'unit', value: 's' }, { id: 'decimals', value: 1 }])
      .overrideByName('losses', [{ id: 'decimals', value: 0 }])
      .noValue('Unknown'))
    .withPanel(p.tiles({
      title: 'Parts of the cluster',
      description: 'How many different rings the nodes that answer are in. Normal: 1. More: they do not see each other, and at most one part should have quorum.',
    }, { width: 4, height: 4 }, p.now(
      ask.by('count', `count_values by (cluster) ("leader", ${each('corosync_ring_leader_node_id')})`), '{{cluster}}'))
      .thresholds(thresholds(colours.silent, [1, colours.good], [2, colours.bad]))
      .noValue('Unknown'))
    .withPanel(p.tiles({
      title: 'Options of votequorum',
      description: 'What corosync.conf turns on: two_node, wait_for_all, last_man_standing, auto_tie_breaker, allow_downscale. Each changes what it takes to be quorate.',
    }, { width: 12, height: 4 }, p.now(`${largest('corosync_votequorum_flag', 'flag')} == 1`, '{{flag}}'))
      .mappings(mapping(words.on))
      .noValue('None'));
}

function members(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Members'))
    .withPanel(p.timeline({
      title: 'Members',
      description: 'Normal: every node is a member throughout. As the nodes with quorum see it, where there are any.',
    }, { width: 24, height: 7 }, p.over(ask.members(), '{{node}}'))
      .mappings(mapping(words.member)))
    .withPanel(p.bars({
      title: 'Membership changes',
      description: 'Rings that each node saw formed. Normal: none, and a few when a node is restarted. Many: a node or the network is unsteady.',
    }, { width: 12, height: 7 }, p.over(ask.of(ask.increase('corosync_membership_changes_total')), '{{instance}}')))
    .withPanel(p.bars({
      title: 'Who left',
      description: 'How often each node was seen to leave, by the node that saw it most. Normal: none.',
    }, { width: 12, height: 7 }, p.over(ask.max(ask.increase('corosync_node_leaves_total'), 'node'), '{{node}}')));
}

function links(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Links (knet)'))
    .withPanel(p.timeline({
      title: 'Links to each node',
      description: 'Down where any other node says so. Normal: connected throughout. With several links a node stays a member as long as one of them is up. Empty with transport udp or udpu.',
    }, { width: 16, height: 8 }, p.over(
      ask.by('min', each('corosync_link_connected'), 'node', 'link'), '{{node}}, link {{link}}'))
      .mappings(mapping(words.link))
      .noValue('No links of knet'))
    .withPanel(p.list({
      title: 'Links that are down',
      description: 'Who misses whom, and on which link. Normal: none.',
    }, { width: 8, height: 8 }, [
      { field: 'instance', name: 'As seen by' },
      { field: 'node', name: 'Node' },
      { field: 'link', name: 'Link', width: 60 },
    ], `${each('corosync_link_connected')} == 0`)
      .noValue('None'))
    .withPanel(p.lines({
      title: 'Latency',
      description: 'knet\'s moving mean, there and back, by the node that sees it slowest. Normal: well below 1 ms on one site and steady; a link that is down has none.',
    }, { width: 12, height: 8 }, p.over(largest('corosync_link_latency_seconds', 'node', 'link'), '{{node}}, link {{link}}'))
      .unit('s'))
    .withPanel(p.bars({
      title: 'Links that went down',
      description: 'How often. Normal: none, and one for each link of a node that is restarted.',
    }, { width: 12, height: 8 }, p.over(ask.of(ask.increase('corosync_link_downs_total')), LINK)))
    .withPanel(p.lines({
      title: 'Traffic',
      description: 'Corosync\'s own data, without knet\'s probes, over all links of a node. Normal: some kB/s, more while Pacemaker works.',
    }, { width: 12, height: 8 },
    p.over(ask.sum(ask.rate('corosync_link_receive_bytes_total', 'kind="data"'), 'instance'), '{{instance}} received'),
    p.over(ask.sum(ask.rate('corosync_link_transmit_bytes_total', 'kind="data"'), 'instance'), '{{instance}} sent'))
      .unit('Bps'))
    .withPanel(p.lines({
      title: 'Packets that could not be sent at once',
      description: 'Failed, and tried again. Normal: none, but for a node that is being restarted.',
    }, { width: 12, height: 8 },
    p.over(ask.sum(ask.rate('corosync_link_transmit_errors_total'), 'instance'), '{{instance}} failed'),
    p.over(ask.sum(ask.rate('corosync_link_transmit_retries_total'), 'instance'), '{{instance}} tried again'))
      .unit('pps')
      .axisSoftMax(1));
}

function totem(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('Totem'))
    .withPanel(p.timeline({
      title: 'Network fault',
      description: 'Corosync takes its network for broken: a firewall, or the interface. Normal: none.',
    }, { width: 12, height: 5 }, p.over(each('corosync_totem_network_fault'), '{{instance}}'))
      .mappings(mapping(words.fault)))
    .withPanel(p.list({
      title: 'Scheduling pauses',
      description: 'The last time that corosync was not scheduled for over 0.8 of the token timeout: the machine was overloaded, or a virtual one stood still. Normal: none.',
    }, { width: 12, height: 5 }, [
      { field: 'instance', name: 'Node' },
      { field: 'Value #A', name: 'Ended', unit: 'dateTimeFromNow' },
      { field: 'Value #B', name: 'Lasted', unit: 's', decimals: 1 },
    ],
    `${ask.max(ask.series('corosync_scheduling_pause_last_timestamp_seconds'), 'instance')} * 1000`,
    ask.max(ask.series('corosync_scheduling_pause_last_seconds'), 'instance'))
      .noValue('None'))
    .withPanel(p.bars({
      title: 'Token losses and consensus timeouts',
      description: 'Normal: none. Each loss makes the nodes form a ring anew. Losses without a node that left: the network drops packets, or a node is too slow for its token timeout.',
    }, { width: 12, height: 8 },
    p.over(ask.sum(ask.increase('corosync_totem_token_losses_total'), 'instance'), '{{instance}} token losses'),
    p.over(ask.of(ask.increase('corosync_totem_consensus_timeouts_total')), '{{instance}} consensus timeouts')))
    .withPanel(p.lines({
      title: 'Retransmits and dropped messages',
      description: 'Messages sent again as a node had missed them, and dropped on arrival. Normal: next to none. Steadily more: the network loses packets.',
    }, { width: 12, height: 8 },
    p.over(ask.of(ask.rate('corosync_totem_retransmits_total')), '{{instance}} sent again'),
    p.over(ask.of(ask.rate('corosync_totem_messages_dropped_total')), '{{instance}} dropped'))
      .unit('pps')
      .axisSoftMax(1))
    .withPanel(p.lines({
      title: 'Token interval',
      description: 'Mean time between two arrivals of the token, and the timeout after which it counts as lost. Normal: far below the timeout. An idle ring holds the token back, so some tenths of a second are fine.',
    }, { width: 8, height: 8 },
    p.over(each('corosync_totem_token_interval_seconds'), '{{instance}}'),
    p.over(largest('corosync_config_token_timeout_seconds'), 'timeout'))
      .unit('s'))
    .withPanel(p.lines({
      title: 'Token hold',
      description: 'Mean time that a node takes to handle the token. Normal: close to 0. A node that stands out slows all others.',
    }, { width: 8, height: 8 }, p.over(each('corosync_totem_token_hold_seconds'), '{{instance}}'))
      .unit('s')
      .axisSoftMax(0.01))
    .withPanel(p.lines({
      title: 'Backlog',
      description: 'Mean number of messages that wait to be sent. Normal: close to 0.',
    }, { width: 8, height: 8 }, p.over(each('corosync_totem_backlog_messages'), '{{instance}}'))
      .axisSoftMax(1));
}

function device(builder: dashboard.DashboardBuilder): void {
  const states = ['registered', 'alive', 'casting_vote'].map((what) => ask.series(`corosync_qdevice_${what}`));
  builder
    .withRow(new dashboard.RowBuilder('Quorum device'))
    .withPanel(p.timeline({
      title: 'Quorum device on each node',
      description: 'Normal: it votes on every member, or there is none. Registered, not alive: corosync-qdevice hangs. Alive, not voting: it does not reach its qnetd, or qnetd gives its vote to other nodes.',
    }, { width: 18, height: 6 }, p.over(ask.max(`(${states.join(' + ')})`, 'node'), '{{node}}'))
      .mappings(mapping(words.device)))
    .withPanel(p.tiles({
      title: 'Its votes',
      description: 'What the device adds while it votes. Normal with a device: as corosync.conf says.',
    }, { width: 6, height: 6 }, p.now(largest('corosync_qdevice_votes'), '{{cluster}}'))
      .colorMode(p.plainNumbers)
      .noValue('No device'));
}

function exporter(builder: dashboard.DashboardBuilder): void {
  builder
    .withRow(new dashboard.RowBuilder('The exporter itself'))
    .withPanel(p.timeline({
      title: 'Readings',
      description: 'Whether the last reading of what corosync does not announce succeeded. Normal: all are read. FAILS: what stems from it is unknown.',
    }, { width: 12, height: 7 }, p.over(each('corosync_exporter_source_up'), '{{instance}} {{source}}'))
      .mappings(mapping(words.reading)))
    .withPanel(p.lines({
      title: 'Age of readings',
      description: 'Since each was last read with success. Normal: up to the poll interval, 5 s unless set otherwise. From 15 s on it counts as unknown.',
    }, { width: 12, height: 7 }, p.over(largest('corosync_exporter_source_age_seconds', 'instance', 'source'), '{{instance}} {{source}}'))
      .unit('s'))
    .withPanel(p.lines({
      title: 'Silence of corosync',
      description: 'Since its last word: a callback, an answer, a connection made. Normal: up to the poll interval, 5 s unless set otherwise. From 15 s on corosync hangs. Connecting: how long a connection has been waited for.',
    }, { width: 8, height: 7 },
    p.over(each('corosync_exporter_silence_seconds'), '{{instance}}'),
    p.over(each('corosync_exporter_call_in_flight_seconds'), '{{instance}} connecting'))
      .unit('s')
      .axisSoftMax(1))
    .withPanel(p.bars({
      title: 'Connections made, and errors',
      description: 'Normal: none after the start. Errors name the call and what corosync said: CS_ERR_LIBRARY while it does not run, CS_ERR_ACCESS where it does not let the exporter in. Taken back: calls that a busy corosync left waiting; they are made again later.',
    }, { width: 8, height: 7 },
    p.over(ask.of(ask.increase('corosync_exporter_connects_total')), '{{instance}} connected'),
    p.over(ask.of(ask.increase('corosync_exporter_connect_errors_total')), '{{instance}} {{call}} {{error}}'),
    p.over(ask.of(ask.increase('corosync_exporter_calls_cancelled_total')), '{{instance}} {{call}} taken back')))
    .withPanel(p.lines({
      title: 'Notifications',
      description: 'What corosync announced. Normal: nothing, and a handful at each change.',
    }, { width: 8, height: 7 }, p.over(ask.sum(ask.rate('corosync_exporter_notifications_total'), 'instance'), '{{instance}}'))
      .unit('cps'))
    .withPanel(p.lines({
      title: 'HTTP requests',
      description: 'Answers by status. Normal: 200 only, at the rate of the scrapes. 401: wrong password. 429: too many, or from one address.',
    }, { width: 8, height: 7 }, p.over(ask.sum(ask.rate('corosync_exporter_http_requests_total'), 'instance', 'code'), '{{instance}} {{code}}'))
      .unit('reqps'))
    .withPanel(p.lines({
      title: 'CPU',
      description: 'Of the exporter. Normal: far below 1 %.',
    }, { width: 8, height: 7 }, p.over(ask.of(ask.rate('process_cpu_seconds_total')), '{{instance}}'))
      .unit('percentunit'))
    .withPanel(p.lines({
      title: 'Memory',
      description: 'Resident memory of the exporter, with the memory that it shares with corosync. Normal: some tens of MB, and steady.',
    }, { width: 8, height: 7 }, p.over(each('process_resident_memory_bytes'), '{{instance}}'))
      .unit('bytes'))
    .withPanel(p.list({
      title: 'Versions and settings',
      description: 'Normal: the same on all nodes.',
    }, { width: 24, height: 6 }, [
      { field: 'instance', name: 'Node' },
      { field: 'version', name: 'Exporter' },
      { field: 'revision', name: 'Revision' },
      { field: 'Value #B', name: 'config_version' },
      { field: 'Value #C', name: 'Token timeout', unit: 's' },
      { field: 'Value #D', name: 'Consensus timeout', unit: 's' },
      { field: 'Value #E', name: 'Ring', unit: 'none' },
      { field: 'Value #F', name: 'Clients of corosync', unit: 'none' },
    ],
    ask.max(ask.series('corosync_exporter_build_info'), 'instance', 'version', 'revision'),
    ask.max(ask.series('corosync_config_version'), 'instance'),
    ask.max(ask.series('corosync_config_token_timeout_seconds'), 'instance'),
    ask.max(ask.series('corosync_config_consensus_timeout_seconds'), 'instance'),
    ask.max(ask.series('corosync_ring_sequence'), 'instance'),
    ask.max(ask.series('corosync_ipc_connections'), 'instance')));
}
