# SPDX-License-Identifier: Apache-2.0
"""What the tests on real clusters share: a cluster per class, exporters per test, and the
comparison of a page with what corosync itself says at that moment."""

import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import exporter
import lab
from exposition import labels
from stalls import Stalls
from waiting import wait_until

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

FIRST_PORT = 10056

# Corosync's own tools are read before and after the page, and on two cores that takes its time.
AGREE_SECONDS = 3

# Corosync forms a ring in about 2 s, and misses a dead node after about 4 s.
NOTICE_SECONDS = 10

# The default --corosync.poll-interval: for the changes that corosync announces to nobody.
POLL_SECONDS = 5

# Two clocks' readings of one event: corosync's log and the exporter. Stalls come on top.
LOG_SECONDS = 0.05

# However corosync is, neither a scrape takes longer, nor the exporter's end after SIGTERM.
SCRAPE_SECONDS = 1
STOP_SECONDS = 1

# A page while corosync's state is not known has these families and no other.
KEPT_WHILE_UNKNOWN = {
    'corosync_up',
    'corosync_cluster_info',
    'corosync_local_node_id',
    'corosync_quorum_changes_total',
    'corosync_quorum_losses_total',
    'corosync_quorum_lost_seconds_total',
    'corosync_quorum_last_change_timestamp_seconds',
    'corosync_membership_changes_total',
    'corosync_membership_last_change_timestamp_seconds',
    'corosync_node_joins_total',
    'corosync_node_leaves_total',
}
# One family of each source that has a connection of its own, but for the verdict itself: votequorum,
# both maps of cmap, and cfg.
ALL_SOURCES = {
    'corosync_votequorum_present_votes',
    'corosync_config_token_timeout_seconds',
    'corosync_link_ups_total',
    'corosync_link_connected',
}
OF_THE_EXPORTER = ('corosync_exporter_', 'process_')

VOTES_FAMILIES = {
    'corosync_votequorum_expected_votes',
    'corosync_votequorum_highest_expected_votes',
    'corosync_votequorum_present_votes',
    'corosync_votequorum_required_votes',
    'corosync_votequorum_margin_votes',
    'corosync_votequorum_flag',
    'corosync_votequorum_waiting_for_all',
    'corosync_node_votes',
    'corosync_qdevice_registered',
    'corosync_qdevice_alive',
    'corosync_qdevice_casting_vote',
    'corosync_qdevice_master_wins',
    'corosync_qdevice_votes',
}

# As corosync-quorumtool writes them.
FLAGS = {
    'two_node': '2Node',
    'wait_for_all': 'WaitForAll',
    'last_man_standing': 'LastManStanding',
    'auto_tie_breaker': 'AutoTieBreaker',
    'allow_downscale': 'AllowDownscale',
}

# What the column of the device says there: NR, else whether it is alive, votes, and wins ties.
DEVICE = {
    'corosync_qdevice_registered': lambda said: 'NR' not in said,
    'corosync_qdevice_alive': lambda said: 'A' in said,
    'corosync_qdevice_casting_vote': lambda said: 'V' in said,
    'corosync_qdevice_master_wins': lambda said: 'MW' in said,
}

TOOLS = ('corosync', 'corosync-quorumtool', 'corosync-cmapctl', 'corosync-cfgtool', 'ip',
         'nsenter', 'setpriv')


class ClusterCase(unittest.TestCase):
    """A class of tests on one cluster, whole again before each of them."""

    NODES = 3
    LINKS = 1
    CONF = {}  # variations, see lab.corosync_conf

    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix='corosync-exporter-test-'))
        atexit.register(shutil.rmtree, cls.work, ignore_errors=True)
        # A program that runs as another user is started from here.
        cls.work.chmod(0o755)
        cls.lab = lab.Lab(cls.work / 'lab', cls.NODES, cls.LINKS, **cls.CONF)
        cls.addClassCleanup(cls.lab.down)
        cls.lab.up()

    def setUp(self):
        self._exporters = []
        self.stalls = Stalls()
        self.addCleanup(self.stalls.stop)
        self.lab.mend()
        self._log_ends = {node: self.lab.log_end(node) for node in self.lab.nodes}

    def run(self, result=None):
        before = _bad(result)
        super().run(result)
        if _bad(result) > before:
            self.tell_what_was_logged()
        return result

    # --- exporters ---

    def start_exporter(self, node, *flags, **how):
        """An exporter in the node; stopped at the test's end, which checks how it stops."""
        number = len(self._exporters)
        started = exporter.Exporter(
            self.lab, node, *flags, port=FIRST_PORT + number,
            stderr=self.work / f'exporter-{number}.log', **how)
        self._exporters.append(started)
        self.addCleanup(started.stop)
        started.wait_until_serving()
        return started

    def start_connected_exporter(self, node, *flags):
        """The same, once its page says what corosync says."""
        started = self.start_exporter(node, *flags)
        self.assert_agrees(started)
        return started

    def wait_for(self, exporter, family, value, seconds=NOTICE_SECONDS):
        """Until the page says so; any change of a cluster is through by then. Returns the page."""
        def wanted_page():
            page = exporter.page()
            return page if page.find(family) == value else None
        return wait_until(wanted_page, seconds,
                          f"node {exporter.node}'s page has {family} {value}")

    def wait_for_all_sources(self, exporter, seconds=NOTICE_SECONDS):
        """Until each connection to corosync is made. Returns the page."""
        def full_page():
            page = exporter.page()
            return page if ALL_SOURCES <= page.families() else None
        return wait_until(full_page, seconds, 'everything was read once')

    # --- claims about a page ---

    def assert_agrees(self, exporter, seconds=AGREE_SECONDS):
        """The page comes to say what corosync's tools say, within so long. Returns that page."""
        return wait_until(lambda: self._agreeing_page(exporter), seconds,
                          f"node {exporter.node}'s page says what corosync says")

    def _agreeing_page(self, exporter):
        before = self._expected(exporter.node)
        page = exporter.page()
        if self._expected(exporter.node) != before:
            raise AssertionError('corosync itself does not keep still')
        differences = _differences(page, before)
        if differences:
            raise AssertionError('\n'.join(['it does not:', *differences]))
        return page

    def _expected(self, node):
        if self.CONF.get('provider', True):
            return votequorum_families(self.lab, node)
        return members_families(self.lab, node)

    def assert_stops_at_once(self, exporter):
        self.assertLess(exporter.stop(), STOP_SECONDS)

    def assert_unknown(self, page):
        """Corosync is not heard: nothing on the page speaks of the present."""
        self.assertEqual(page.value('corosync_up'), 0)
        present = {name for name in page.families() - KEPT_WHILE_UNKNOWN
                   if not name.startswith(OF_THE_EXPORTER)}
        self.assertEqual(present, set(), 'these speak of a present that nobody knows')

    def assert_changes_are_as_logged(self, page, node, position):
        """The page counted what the node's corosync logged since the position.

        That is where the exporter began to count.
        """
        log = self.lab.log(node, position)
        flips, memberships = lab.verdicts(log), lab.announcements(log)
        self.assertEqual(page.value('corosync_quorum_changes_total'), len(flips))
        self.assertEqual(page.value('corosync_quorum_losses_total'),
                         sum(not quorate for _, quorate in flips))
        self.assertEqual(page.value('corosync_membership_changes_total'), len(memberships))
        for other in self.lab.nodes:
            self.assertEqual(page.value('corosync_node_joins_total', node_id=str(other)),
                             sum(other in membership.joined for membership in memberships))
            self.assertEqual(page.value('corosync_node_leaves_total', node_id=str(other)),
                             sum(other in membership.left for membership in memberships))

    def assert_history_is_as_logged(self, page, node, position):
        """The same with times: when it happened, and how long the node was without quorum."""
        self.assert_changes_are_as_logged(page, node, position)
        log = self.lab.log(node, position)
        flips, memberships = lab.verdicts(log), lab.announcements(log)
        for family, logged in (
                ('corosync_quorum_lost_seconds_total', lab.seconds_not_quorate(flips)),
                ('corosync_quorum_last_change_timestamp_seconds', flips[-1][0]),
                ('corosync_membership_last_change_timestamp_seconds', memberships[-1].time)):
            self.assertAlmostEqual(page.value(family), logged, msg=family,
                                   delta=LOG_SECONDS + self.stalls.seconds())

    def tell_what_was_logged(self):
        for node, position in getattr(self, '_log_ends', {}).items():
            # Lines with an address are of a client's coming and going, and the test itself is
            # such a client all the time.
            _tell(f"node {node}'s corosync", '\n'.join(
                f'{line.time:.3f} [{line.subsystem}] {line.text}'
                for line in self.lab.log(node, position) if '0x' not in line.text))
        for started in getattr(self, '_exporters', []):
            name = f"node {started.node}'s exporter on port {started.port}"
            _tell(name, started.log())
            _tell(f'the last page of {name}', started.last_page)


def members_families(cluster, node):
    """What the page is to say of the members, by corosync's map: {family: {labels: value}}."""
    cmap = cluster.cmap(node)
    if not cmap:
        raise AssertionError(f"node {node}'s corosync does not answer")
    members = lab.members(cmap)
    return {
        'corosync_up': {(): 1},
        'corosync_cluster_info': {labels(
            cluster_name=cmap['totem.cluster_name'], transport=cmap['totem.transport'],
            provider=cmap.get('quorum.provider', '')): 1},
        'corosync_local_node_id': {(): node},
        'corosync_members': {(): len(members)},
        'corosync_node_member': {
            labels(node_id=other, node=name): float(other in members)
            for other, name in lab.node_names(cmap).items()},
    }


def votequorum_families(cluster, node):
    """The same, with all that votequorum has to say, by corosync-quorumtool."""
    status = cluster.status(node)
    cmap = cluster.cmap(node)
    if not status or not cmap:
        raise AssertionError(f"node {node}'s corosync does not answer")
    names = lab.node_names(cmap)
    device = {} if status.device_votes is None else {
        'corosync_qdevice_votes': {(): status.device_votes}}
    for ours, theirs in DEVICE.items():
        device[ours] = {labels(node_id=member, node=names[member]): float(theirs(said))
                        for member, said in status.device}
    return device | members_families(cluster, node) | {
        'corosync_quorate': {(): float(status.quorate)},
        'corosync_local_node_id': {(): status.node},
        'corosync_members': {(): status.members},
        'corosync_ring_leader_node_id': {(): status.ring_leader},
        'corosync_ring_sequence': {(): status.ring_sequence},
        'corosync_sync_in_progress': {(): 0},
        'corosync_votequorum_expected_votes': {(): status.expected},
        'corosync_votequorum_highest_expected_votes': {(): status.highest_expected},
        'corosync_votequorum_present_votes': {(): status.total},
        'corosync_votequorum_required_votes': {(): status.required},
        'corosync_votequorum_margin_votes': {(): status.total - status.required},
        'corosync_votequorum_flag': {
            labels(flag=ours): float(theirs in status.flags) for ours, theirs in FLAGS.items()},
        'corosync_votequorum_waiting_for_all': {
            (): float(cmap.get('runtime.votequorum.wait_for_all_status', '0'))},
        'corosync_node_votes': {
            labels(node_id=member, node=names[member]): votes for member, votes in status.votes},
    }


def _differences(page, expected):
    differences = []
    for family, series in expected.items():
        have = page.series(family)
        if family == 'corosync_node_votes':
            # The tools tell the votes of members only.
            have = {key: value for key, value in have.items() if key in series}
        if have != series:
            differences.append(f'  {family}: the page has {have}, corosync {series}')
    return differences


def _bad(result):
    return len(result.failures) + len(result.errors) if result else 0


def _tell(who, text):
    print(f'--- {who}:\n{text.rstrip()}', file=sys.stderr)


class _TimedResult(unittest.TextTestResult):
    def startTest(self, test):
        self._start = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        if self.showAll:
            self.stream.writeln(f'    {time.monotonic() - self._start:.1f} s')


def _reason_to_skip(tools):
    if os.geteuid() != 0:
        return 'a cluster of network namespaces needs root'
    for tool in (*TOOLS, *tools):
        if not shutil.which(tool):
            return f'{tool} is not installed'
    if not lab.PROGRAM.exists():
        return f'{lab.PROGRAM} is missing'
    refused = subprocess.run(['unshare', '--mount', '--net', '--propagation', 'unchanged', 'true'],
                             capture_output=True, text=True)
    if refused.returncode != 0:
        return f'this machine refuses namespaces: {refused.stderr.strip()}'
    return None


def _skip(reason):
    print(f'skipped: {reason}')
    sys.exit(SKIPPED)


def main(*tools, https=False, built=()):
    """Runs the tests of the calling file; tools are programs it needs besides corosync's own, built
    what of tests/cluster has to be compiled."""
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    if reason := _reason_to_skip(tools):
        _skip(reason)
    if not exporter.program().exists():
        sys.exit(f'{exporter.program()} is not there; COROSYNC_EXPORTER names the program to test')
    for name in built:
        if not exporter.built(name).exists():
            _skip(f'{name} was not built; deploy/packages test installs what it needs')
    if https and not exporter.serves_https():
        _skip(f"{exporter.program()} has the system's HTTP library, without TLS; deploy/civetweb "
              'fetches one to build')

    # As Ctrl-C does: the clusters are taken down on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    unittest.main(testRunner=unittest.TextTestRunner(resultclass=_TimedResult, verbosity=2))
