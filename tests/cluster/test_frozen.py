#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Corosync hangs: it holds its connections open, and answers nothing."""

import time

import case
import lab
from waiting import every, wait_until

SHORT_SECONDS = 20

# The defaults of --corosync.stale-after, and of the time that a call is given before it is
# cancelled. A call begins up to a poll interval after the freeze, and takes 2 s to be cancelled.
STALE_SECONDS = 15
CANCEL_SECONDS = 40
CANCELLED_SECONDS = CANCEL_SECONDS + case.POLL_SECONDS + 2

RECOVER_SECONDS = 5

KEPT = case.KEPT_WHILE_UNKNOWN - {'corosync_up'}


class FrozenCorosyncTest(case.ClusterCase):
    # One test, so that the seconds of both freezes pass at once: node 2 is frozen for a while,
    # and node 3 beyond the time that a call may take. Node 1 sees both go.
    def test_a_frozen_corosync_is_unknown_and_right_again_once_thawed(self):
        witness = self.start_connected_exporter(1)
        briefly, long = self.start_connected_exporter(2), self.start_connected_exporter(3)
        stopped = [(3, self.start_connected_exporter(3)), (18, self.start_connected_exporter(3))]
        before = {exporter: exporter.page() for exporter in (briefly, long)}
        positions = {node: self.lab.log_end(node) for node in self.lab.nodes}

        self.lab.freeze(2)
        self.lab.freeze(3)
        start = time.monotonic()
        newcomer = self.start_exporter(2)
        self._watch_while_frozen(before, start, SHORT_SECONDS, stopped)
        with self.subTest('who comes meanwhile knows nothing, and stops in time'):
            self.assert_unknown(newcomer.page())
            self.assert_stops_at_once(self.start_exporter(2))
        with self.subTest('the call that hangs is shown'):
            self.assertGreater(self._in_flight(briefly), SHORT_SECONDS - case.POLL_SECONDS - 1)
        with self.subTest('the others see the frozen go'):
            page = self.assert_agrees(witness)
            self.assertEqual(page.value('corosync_members'), 1)
            self.assertEqual(page.value('corosync_quorum_losses_total'), 1)

        self.lab.thaw(2)
        with self.subTest('thawed after 20 s'):
            page = self._recovers(briefly, before.pop(briefly), positions[2], members=2)
            self.assert_changes_are_as_logged(page, 2, positions[2])
            self.assert_agrees(newcomer)

        self._watch_while_frozen(before, start, CANCELLED_SECONDS - 1)
        with self.subTest('a call that hangs for 40 s is cancelled'):
            # The next call hangs too, but it is a new one.
            wait_until(lambda: self._in_flight(long) < 10, 3, 'the hanging call is given up')
        self.lab.thaw(3)
        with self.subTest('thawed after the call was cancelled'):
            self._recovers(long, before[long], positions[3], members=3)

        with self.subTest('who was not frozen told it all'):
            self.wait_for(witness, 'corosync_members', 3)
            self.assert_history_is_as_logged(self.assert_agrees(witness), 1, positions[1])

    def _watch_while_frozen(self, before, start, until, stopped=()):
        """Scrapes the exporters of frozen nodes until so many seconds after the freeze.

        Meanwhile those of `stopped` are stopped, each at its second, and have to go in time.
        """
        stopped = list(stopped)
        for _ in every(0.25, start + until - time.monotonic()):
            passed = time.monotonic() - start
            for exporter, unfrozen in before.items():
                page, seconds = exporter.scrape()
                self.assertLess(seconds, case.SCRAPE_SECONDS, f'{passed:.1f} s after the freeze')
                self._check_frozen_page(page, unfrozen, passed)
            if stopped and passed > stopped[0][0]:
                _, exporter = stopped.pop(0)
                self.assert_stops_at_once(exporter)
        self.assertEqual(stopped, [])

    def _check_frozen_page(self, page, before, passed):
        if page.value('corosync_up') == 0:
            self.assert_unknown(page)
        else:
            self.assertLess(passed, STALE_SECONDS + 1, 'corosync has not answered for so long')
        for family in KEPT:
            self.assertEqual(page.series(family), before.series(family), family)

    def _in_flight(self, exporter):
        return exporter.page().value('corosync_exporter_call_in_flight_seconds')

    def _recovers(self, exporter, before, position, members):
        self.assert_agrees(exporter, RECOVER_SECONDS)
        # A thawed corosync goes on where it was, and only then learns what it missed.
        wait_until(lambda: lab.announcements(self.lab.log(exporter.node, position)),
                   case.NOTICE_SECONDS, 'corosync learns what it missed')
        self.wait_for(exporter, 'corosync_members', members)
        page = self.assert_agrees(exporter)
        for family in ('corosync_cluster_info', 'corosync_local_node_id'):
            self.assertEqual(page.series(family), before.series(family))
        self.assertEqual(page.value('corosync_quorate'), 1)
        self.assertEqual(exporter.get('/-/ready').status, 200)
        return page


if __name__ == '__main__':
    case.main()
