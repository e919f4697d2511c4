#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Corosync hangs: it holds its connections open, and answers nothing."""

import time

import case
import lab
from waiting import every, wait_until

SHORT_SECONDS = 20
LONG_SECONDS = 45

# The default of --corosync.stale-after.
STALE_SECONDS = 15

RECOVER_SECONDS = 5

KEPT = case.KEPT_WHILE_UNKNOWN - {'corosync_up'}


class FrozenCorosyncTest(case.ClusterCase):
    # One test, so that the seconds of both freezes pass at once: node 2 is frozen for a while,
    # and node 3 for longer. Node 1 sees both go.
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
        with self.subTest('how long corosync has said nothing is shown'):
            self._check_silence(briefly.page(), SHORT_SECONDS)
        with self.subTest('the call that hangs is shown'):
            # A request is taken back. But one to connect cannot be, and asks whether corosync lives.
            self.assertGreater(briefly.page().value('corosync_exporter_call_in_flight_seconds'),
                               SHORT_SECONDS - case.POLL_SECONDS - 1)
        with self.subTest('the others see the frozen go'):
            page = self.assert_agrees(witness)
            self.assertEqual(page.value('corosync_members'), 1)
            self.assertEqual(page.value('corosync_quorum_losses_total'), 1)

        self.lab.thaw(2)
        with self.subTest('thawed after 20 s'):
            page = self._recovers(briefly, before.pop(briefly), positions[2], members=2)
            self.assert_changes_are_as_logged(page, 2, positions[2])
            self.assert_agrees(newcomer)

        self._watch_while_frozen(before, start, LONG_SECONDS)
        self._check_silence(long.page(), LONG_SECONDS)
        self.lab.thaw(3)
        with self.subTest('thawed after 45 s'):
            page = self._recovers(long, before[long], positions[3], members=3)
            self.assert_changes_are_as_logged(page, 3, positions[3])

        for exporter in (briefly, long):
            with self.subTest('it was no failure, and the connection stood', node=exporter.node):
                page = exporter.page()
                self.assertEqual(page.value('corosync_exporter_connects_total'), 1)
                # The first of a reading, and none that would only wait as well.
                cancelled = page.series('corosync_exporter_calls_cancelled_total')
                self.assertEqual(sum(cancelled.values()), 1, cancelled)
                self.assertNotIn('reading failed', exporter.log())

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
        self.assertEqual(set(page.series('corosync_exporter_source_up').values()), {1})
        for family in KEPT:
            self.assertEqual(page.series(family), before.series(family), family)

    def _check_silence(self, page, passed):
        """The last word came up to a poll interval before the freeze."""
        silence = page.value('corosync_exporter_silence_seconds')
        self.assertGreater(silence, passed - 1)
        self.assertLess(silence, passed + case.POLL_SECONDS + 1 + self.stalls.seconds())

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
