#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""votequorum's options, each of which makes "quorate" mean something else than a majority."""

import case
from waiting import wait_until


class TwoNodeTest(case.ClusterCase):
    NODES = 2
    CONF = {'quorum': {'two_node': 1}}

    def test_each_half_of_two_nodes_goes_on_alone_and_both_say_so(self):
        exporters = {node: self.start_connected_exporter(node) for node in self.lab.nodes}

        self.lab.cut(2)
        for exporter in exporters.values():
            self.wait_for(exporter, 'corosync_members', 1)
        pages = {node: self.assert_agrees(exporter) for node, exporter in exporters.items()}

        for node, page in pages.items():
            with self.subTest(node=node):
                self.assertEqual(page.value('corosync_quorate'), 1)
                self.assertEqual(page.value('corosync_quorum_losses_total'), 0)
                self.assertEqual(page.value('corosync_ring_leader_node_id'), node)
                self.assertEqual(page.value('corosync_votequorum_flag', flag='two_node'), 1)
                self.assertEqual(page.value('corosync_votequorum_required_votes'), 1)
                self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)

    def test_after_a_start_the_first_of_two_nodes_waits_for_the_other(self):
        self.lab.stop(1)
        self.lab.stop(2)
        exporter = self.start_exporter(1)

        self.lab.start(1)
        self.wait_for(exporter, 'corosync_votequorum_waiting_for_all', 1)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_quorate'), 0)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0, 'votes alone would do')

        self.lab.start(2)
        self.wait_for(exporter, 'corosync_quorate', 1)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_votequorum_waiting_for_all'), 0)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 1)


class AutoTieBreakerTest(case.ClusterCase):
    NODES = 2
    CONF = {'quorum': {'auto_tie_breaker': 1}}

    def test_the_tie_goes_to_the_lowest_node_and_both_say_so(self):
        favoured = self.start_connected_exporter(1)
        other = self.start_connected_exporter(2)

        self.lab.cut(2)
        self.wait_for(favoured, 'corosync_members', 1)
        self.wait_for(other, 'corosync_quorate', 0)

        page = self.assert_agrees(favoured)
        self.assertEqual(page.value('corosync_votequorum_flag', flag='auto_tie_breaker'), 1)
        self.assertEqual(page.value('corosync_quorate'), 1)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 0)
        self.assertEqual(self.assert_agrees(other).value('corosync_quorum_losses_total'), 1)


class LastManStandingTest(case.ClusterCase):
    NODES = 4
    CONF = {'quorum': {'wait_for_all': 1, 'last_man_standing': 1, 'last_man_standing_window': 1000}}

    def test_votes_that_a_dead_node_no_longer_counts_for_are_shown_unannounced(self):
        exporter = self.start_connected_exporter(1)

        self.lab.kill(4)
        self.wait_for(exporter, 'corosync_members', 3)
        wait_until(lambda: self.lab.status(1).expected == 3, 5, 'corosync expects 3 votes')

        page = self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)
        self.assertEqual(page.value('corosync_votequorum_flag', flag='last_man_standing'), 1)
        self.assertEqual(page.value('corosync_votequorum_expected_votes'), 3)
        self.assertEqual(page.value('corosync_votequorum_required_votes'), 2)
        self.assertEqual(page.value('corosync_node_member', node_id='4'), 0)

    def test_a_majority_that_waits_for_all_is_shown_waiting_and_not_quorate(self):
        for node in self.lab.nodes:
            self.lab.stop(node)
        exporter = self.start_exporter(1)

        for node in (1, 2, 3):
            self.lab.start(node)
        self.wait_for(exporter, 'corosync_members', 3)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_quorate'), 0)
        self.assertEqual(page.value('corosync_votequorum_waiting_for_all'), 1)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0, 'votes alone would do')
        self.assertEqual(page.value('corosync_node_member', node_id='4'), 0, 'never seen')

        self.lab.start(4)
        self.wait_for(exporter, 'corosync_quorate', 1)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_votequorum_waiting_for_all'), 0)


if __name__ == '__main__':
    case.main()
