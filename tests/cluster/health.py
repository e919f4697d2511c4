# SPDX-License-Identifier: Apache-2.0
"""The links and the totem protocol: what a page is to say of them, by corosync's own tools."""

import re
import time

import case
import lab
from exposition import labels
from waiting import wait_until

# Links and totem are polled. Who waits for a poll in each comparison has it made often.
OFTEN = '--corosync.poll-interval=1s'

# Some of what corosync measures moves with each packet, so that it takes a few comparisons until
# all of it lies between two readings of the tools.
AGREE_SECONDS = 15

# Corosync pings a link every 0.4 s, misses it after 0.8 s, and has it back after two answers.
LINK_SECONDS = 5

# How long a reading takes at most, with this machine busy elsewhere.
READING_SECONDS = 0.2

LINK_FAMILIES = ('corosync_node_reachable', 'corosync_link_')
TOTEM_FAMILIES = ('corosync_totem_', 'corosync_config_', 'corosync_ipc_', 'corosync_scheduling_')

# By corosync's names: a key after stats.knet.nodeX.linkY., a kind of traffic, a key after
# stats.srp., a message or a phase of the totem protocol.
_STATES = {
    'corosync_link_enabled': 'enabled',
    'corosync_link_connected': 'connected',
    'corosync_link_mtu_bytes': 'mtu',
}
_MICROSECONDS = {
    'corosync_link_latency_seconds': 'latency_ave',
    'corosync_link_latency_max_seconds': 'latency_max',
}
_TURNS = {
    'corosync_link_downs_total': 'down_count',
    'corosync_link_ups_total': 'up_count',
}
_TRAFFIC = {
    'corosync_link_receive_bytes_total': 'rx_{}_bytes',
    'corosync_link_receive_packets_total': 'rx_{}_packets',
    'corosync_link_transmit_bytes_total': 'tx_{}_bytes',
    'corosync_link_transmit_packets_total': 'tx_{}_packets',
    'corosync_link_transmit_errors_total': 'tx_{}_errors',
    'corosync_link_transmit_retries_total': 'tx_{}_retries',
}
_KINDS = ('data', 'ping', 'pong', 'pmtu')
_TOTEM = {
    'corosync_totem_messages_dropped_total': ('rx_msg_dropped', 1),
    'corosync_totem_retransmits_total': ('mcast_retx', 1),
    'corosync_totem_consensus_timeouts_total': ('consensus_timeouts', 1),
    'corosync_totem_token_interval_seconds': ('mtt_rx_token', 1e-3),
    'corosync_totem_token_hold_seconds': ('avg_token_workload', 1e-3),
    'corosync_totem_backlog_messages': ('avg_backlog_calc', 1),
    'corosync_totem_network_fault': ('firewall_enabled_or_nic_failure', 1),
}
_MESSAGES = {
    'token': 'orf_token',
    'multicast': 'mcast',
    'join': 'memb_join',
    'merge_detect': 'memb_merge_detect',
    'commit_token': 'memb_commit_token',
    'token_hold_cancel': 'token_hold_cancel',
}
_PHASES = ('operational', 'gather', 'commit', 'recovery')


class HealthCase(case.ClusterCase):
    """Tests that compare links and totem with what corosync says."""

    def start_polling_exporter(self, node, *flags):
        return self.start_connected_exporter(node, OFTEN, *flags)

    def assert_health_agrees(self, exporter, seconds=AGREE_SECONDS):
        """Each value of links and totem is what the tools say. Returns that page."""
        return wait_until(lambda: self._healthy_page(exporter), seconds,
                          f"node {exporter.node}'s page says of its links what corosync says")

    def wait_for_link(self, exporter, connected, **link):
        """Until the page says that of the link; LINK_SECONDS and a poll. Returns the page."""
        def wanted_page():
            page = exporter.page()
            return page if page.find('corosync_link_connected', **link) == connected else None
        return wait_until(wanted_page, LINK_SECONDS + case.POLL_SECONDS,
                          f"node {exporter.node}'s page has the link {link} as {connected}")

    def fresh_page(self, exporter):
        """A page of a reading that began after this call."""
        start = time.monotonic()

        def fresh():
            page = exporter.page()
            passed = time.monotonic() - start
            return page if all(self._age(page, source) < passed - READING_SECONDS
                               for source in ('cmap', 'cfg')) else None
        return wait_until(fresh, case.POLL_SECONDS + case.AGREE_SECONDS, 'a new reading')

    def _age(self, page, source):
        return page.value('corosync_exporter_source_age_seconds', source=source)

    def _healthy_page(self, exporter):
        before = health_families(self.lab, exporter.node)
        page = self.fresh_page(exporter)
        after = health_families(self.lab, exporter.node)
        differences = _differences(page, before, after)
        if differences:
            raise AssertionError('\n'.join(['it does not:', *differences]))
        return page

    def health_of(self, page, prefixes=LINK_FAMILIES + TOTEM_FAMILIES):
        """The page's families about links and totem."""
        return {name for name in page.families() if name.startswith(prefixes)}


def health_families(cluster, node):
    """What the page is to say of links and totem: {family: {labels: value}}."""
    cmap = cluster.cmap(node)
    statistics = cluster.statistics(node, 'stats.knet.node', 'stats.schedmiss.0.',
                                    'stats.ipcs.global.', 'stats.srp.')
    if not cmap or not statistics:
        raise AssertionError(f"node {node}'s corosync does not answer")
    families = _totem_families(statistics) | _configuration_families(cmap)
    if cmap['totem.transport'] == 'knet':
        families |= _link_families(cluster, node, cmap, statistics)
    return {family: series for family, series in families.items() if series}


def _link_families(cluster, node, cmap, statistics):
    names = lab.node_names(cmap)
    links = _links(node, statistics)
    reachable = cluster.reachable(node)
    _check_the_tools_agree(node, links, reachable, cluster.link_status(node))
    families = {family: {} for family in (*_STATES, *_TURNS, *_MICROSECONDS, *_TRAFFIC)}
    families['corosync_node_reachable'] = {
        labels(node_id=other, node=name): float(other in reachable)
        for other, name in names.items() if other != node}
    for (other, number), link in links.items():
        which = {'node_id': other, 'node': names[other], 'link': number}
        for family, name in (_STATES | _TURNS).items():
            families[family][labels(**which)] = link[name]
        if link['latency_samples']:
            for family, name in _MICROSECONDS.items():
                # The mean of a link that is down is of the past.
                if link['connected'] or name != 'latency_ave':
                    families[family][labels(**which)] = link[name] * 1e-6
        for family, name in _TRAFFIC.items():
            for kind in _KINDS:
                families[family][labels(**which, kind=kind)] = link[name.format(kind)]
    return families


def _links(node, statistics):
    """{(other node, link): {what: value}}"""
    links = {}
    for key, value in statistics.items():
        if match := re.fullmatch(r'stats\.knet\.node(\d+)\.link(\d+)\.(\w+)', key):
            other, link, name = int(match[1]), int(match[2]), match[3]
            if other != node:
                links.setdefault((other, link), {})[name] = float(value)
    return links


def _check_the_tools_agree(node, links, reachable, status):
    """What corosync-cmapctl says of the links, corosync-cfgtool -n and -s say too."""
    for (other, number), link in links.items():
        said = reachable.get(other, {}).get(number)
        if said and said != lab.Link(bool(link['enabled']), bool(link['connected']), link['mtu']):
            raise AssertionError(f'corosync-cfgtool -n says {said}, corosync-cmapctl {link}')
        if not said and link['connected']:
            raise AssertionError(f'corosync-cfgtool -n misses link {number} to node {other}')
    connected = {(other, number) for number, words in status.items()
                 for other, word in words.items() if word == 'connected' and other != node}
    if connected != {which for which, link in links.items() if link['connected']}:
        raise AssertionError(f'corosync-cfgtool -s says that these are connected: {connected}')


def _totem_families(statistics):
    srp = {key.removeprefix('stats.srp.'): float(value) for key, value in statistics.items()
           if key.startswith('stats.srp.')}
    families = {family: {(): srp[name] * unit} for family, (name, unit) in _TOTEM.items()}
    for family, direction in (('corosync_totem_messages_transmitted_total', 'tx'),
                              ('corosync_totem_messages_received_total', 'rx')):
        families[family] = {labels(message=ours): srp[f'{theirs}_{direction}']
                            for ours, theirs in _MESSAGES.items()}
    for family, what in (('corosync_totem_phase_entries_total', 'entered'),
                         ('corosync_totem_token_losses_total', 'token_lost')):
        families[family] = {labels(phase=phase): srp[f'{phase}_{what}'] for phase in _PHASES}
    # Who asks is a client too, and the exporter is not asked to know it.
    families['corosync_ipc_connections'] = {
        (): float(statistics['stats.ipcs.global.active']) - 1}
    families['corosync_ipc_closed_total'] = {(): float(statistics['stats.ipcs.global.closed'])}
    if pause := statistics.get('stats.schedmiss.0.timestamp'):
        families['corosync_scheduling_pause_last_timestamp_seconds'] = {(): float(pause) * 1e-3}
        families['corosync_scheduling_pause_last_seconds'] = {
            (): float(statistics['stats.schedmiss.0.delay']) * 1e-3}
    return families


def _configuration_families(cmap):
    families = {
        'corosync_config_token_timeout_seconds': {
            (): float(cmap['runtime.config.totem.token']) * 1e-3},
        'corosync_config_consensus_timeout_seconds': {
            (): float(cmap['runtime.config.totem.consensus']) * 1e-3},
    }
    if version := cmap.get('totem.config_version'):
        families['corosync_config_version'] = {(): float(version)}
    return families


def _differences(page, before, after):
    """What on the page lies outside of two readings of the tools, before and after it."""
    ours = {name for name in page.families() if name.startswith(LINK_FAMILIES + TOTEM_FAMILIES)}
    differences = [f'  the page and corosync differ in {family}' for family in ours ^ before.keys()]
    for family in sorted(ours & before.keys() & after.keys()):
        have = page.series(family)
        if have.keys() != before[family].keys() or have.keys() != after[family].keys():
            differences.append(f'  {family}: the page has {sorted(have)}, '
                               f'corosync {sorted(before[family])}')
            continue
        for key, value in have.items():
            low, high = sorted((before[family][key], after[family][key]))
            if not low * (1 - 1e-9) <= value <= high * (1 + 1e-9):
                differences.append(f'  {family}{dict(key)}: the page has {value}, '
                                   f'corosync {low} to {high}')
    return differences
