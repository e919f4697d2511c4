#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Corosync is not there, or goes and comes back: what is unknown then, and what is kept."""

import case
import lab
from waiting import every, wait_until

# Once corosync takes connections, the exporter is to have one so soon.
RECONNECT_SECONDS = 3

# A corosync that dies is noticed by its closed connection, at once.
LOSS_SECONDS = 1

# How long the exporter is alone before corosync first starts.
ABSENT_SECONDS = 60

# To be the same before an outage, in it and after.
IDENTITY = ('corosync_cluster_info', 'corosync_local_node_id')
# To be the same before an outage and in it.
KEPT = case.KEPT_WHILE_UNKNOWN - {'corosync_up'}


class OutageTest(case.ClusterCase):
    def test_an_exporter_that_was_there_first_connects_when_corosync_comes(self):
        self.lab.stop(1)
        exporter = self.start_exporter(1)

        for passed in every(0.5, ABSENT_SECONDS):
            page, seconds = exporter.scrape()
            self.assert_unknown(page)
            self.assertLess(seconds, case.SCRAPE_SECONDS)
            ready = exporter.get('/-/ready')
            self.assertEqual(ready.status, 503)
            self.assertIn('corosync', ready.body.lower(), 'the reason is told')
            if passed < 5:
                said = exporter.log()
        self.assertEqual(exporter.log(), said, 'nothing happens, so nothing is logged')
        self.assertGreater(page.total('corosync_exporter_connect_errors_total'), 0)
        self.assertEqual(page.value('corosync_exporter_connects_total'), 0)

        self.lab.start(1)
        self.assert_reconnects(exporter)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_exporter_connects_total'), 1)
        self.assertEqual(exporter.get('/-/ready').status, 200)

    def test_a_killed_corosync_is_unknown_and_right_again_once_restarted(self):
        self._go_through_an_outage(self.lab.kill)

    def test_a_stopped_corosync_is_unknown_and_right_again_once_restarted(self):
        self._go_through_an_outage(self.lab.stop)

    def _go_through_an_outage(self, end):
        exporter = self.start_connected_exporter(1)
        # Something to be kept: node 3 has come and gone.
        self.lab.kill(3)
        self.wait_for(exporter, 'corosync_members', 2)
        before = self.assert_agrees(exporter)

        end(1)
        down = self.wait_for(exporter, 'corosync_up', 0, LOSS_SECONDS)
        self.assert_unknown(down)
        self.assertEqual(exporter.get('/-/ready').status, 503)
        for family in KEPT:
            self.assertEqual(down.series(family), before.series(family), family)

        self.lab.start(1)
        self.assert_reconnects(exporter)
        # The new corosync is alone for its first seconds, so that its verdict may flip on the way.
        self.wait_for(exporter, 'corosync_quorate', 1, lab.SETTLE_SECONDS)
        after = self.assert_agrees(exporter)
        for family in IDENTITY:
            self.assertEqual(after.series(family), before.series(family), family)
        self.assertEqual(after.value('corosync_exporter_connects_total'), 2)
        self.assertGreater(after.value('corosync_membership_changes_total'),
                           before.value('corosync_membership_changes_total'))
        self.assertEqual(after.value('corosync_quorum_changes_total'),
                         2 * after.value('corosync_quorum_losses_total'),
                         'each loss was followed by a recovery')
        self.assert_nothing_leaks(exporter, before)

    def test_time_is_not_counted_as_without_quorum_while_nobody_knows(self):
        exporter = self.start_connected_exporter(3)
        self.lab.cut(3)
        self.wait_for(exporter, 'corosync_quorate', 0)

        self.lab.kill(3)
        down = self.wait_for(exporter, 'corosync_up', 0, LOSS_SECONDS)
        for _ in every(0.25, 2):
            self.assertEqual(exporter.page().series('corosync_quorum_lost_seconds_total'),
                             down.series('corosync_quorum_lost_seconds_total'))

    def test_restarts_in_quick_succession_are_all_told_and_leak_nothing(self):
        exporter = self.start_connected_exporter(1)
        before = exporter.page()

        for end in (self.lab.stop, self.lab.kill, self.lab.stop):
            end(1)
            self.lab.start(1)
            self.assert_reconnects(exporter)
        self.wait_for(exporter, 'corosync_members', 3, lab.SETTLE_SECONDS)

        after = self.assert_agrees(exporter)
        self.assertEqual(after.value('corosync_exporter_connects_total'), 4)
        self.assertGreater(after.value('corosync_membership_changes_total'),
                           before.value('corosync_membership_changes_total'))
        self.assert_nothing_leaks(exporter, before)

    def test_without_corosync_the_exporter_stops_at_once(self):
        self.lab.stop(1)
        exporter = self.start_exporter(1)
        wait_until(lambda: exporter.page().total('corosync_exporter_connect_errors_total'), 5,
                   'a first try')

        self.assert_stops_at_once(exporter)

    def test_beside_corosync_the_exporter_stops_at_once(self):
        self.assert_stops_at_once(self.start_connected_exporter(1))

    def assert_reconnects(self, exporter):
        wait_until(lambda: self.lab.answers(exporter.node), 20, 'corosync takes connections')
        self.wait_for(exporter, 'corosync_up', 1, RECONNECT_SECONDS)
        # Of a connection that corosync is making when it is killed, the files stay: it alone knows
        # their names. So all of the exporter's are made before anything else happens.
        self.wait_for_all_sources(exporter, RECONNECT_SECONDS)

    def assert_nothing_leaks(self, exporter, before):
        """Of its connections to the corosyncs that are gone, the exporter keeps nothing."""
        node = exporter.node
        # The running corosync has the files of its connections mapped; others are of the dead.
        wait_until(lambda: self.lab.shm_files(node) == self.lab.shm_files_in_use(node), 10,
                   'no file of a dead connection is in /dev/shm')
        self.assertTrue(self.lab.shm_files(node), 'those of the live connection are')
        wait_until(lambda: exporter.page().value('process_open_fds')
                   <= before.value('process_open_fds'), 10, 'it has no more descriptors than before')


if __name__ == '__main__':
    case.main()
