#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Three nodes: formed, killed, stopped, cut off and healed; and votes changed by hand."""

import case
import lab
from waiting import wait_until


class MembershipTest(case.ClusterCase):
    def test_every_node_of_a_formed_cluster_says_what_corosync_says(self):
        for node in self.lab.nodes:
            with self.subTest(node=node):
                page = self.assert_agrees(self.start_exporter(node))

                self.assertEqual(page.value('corosync_quorate'), 1)
                self.assertEqual(page.value('corosync_members'), 3)
                self.assertEqual(page.value('corosync_exporter_connects_total'), 1)
                self.assertEqual(page.value('corosync_exporter_source_up', source='votequorum'), 1)
                self.assertEqual(page.value('corosync_exporter_source_up', source='cmap'), 1)

    def test_what_was_there_at_the_first_sight_is_no_change(self):
        page = self.start_connected_exporter(1).page()

        self.assertEqual(page.value('corosync_quorum_changes_total'), 0)
        self.assertEqual(page.value('corosync_quorum_losses_total'), 0)
        self.assertEqual(page.value('corosync_quorum_lost_seconds_total'), 0)
        self.assertEqual(page.value('corosync_membership_changes_total'), 0)
        self.assertNotIn('corosync_quorum_last_change_timestamp_seconds', page.families())
        self.assertNotIn('corosync_membership_last_change_timestamp_seconds', page.families())
        for node in '123':
            self.assertEqual(page.value('corosync_node_joins_total', node_id=node), 0)
            self.assertEqual(page.value('corosync_node_leaves_total', node_id=node), 0)

    def test_formation_is_seen_as_it_happens(self):
        for node in self.lab.nodes:
            self.lab.stop(node)
        exporter = self.start_exporter(1)
        self.lab.start(1)
        self.wait_for(exporter, 'corosync_quorate', 0)
        alone = self.assert_agrees(exporter)
        position = self.lab.log_end(1)

        self.lab.start(2)
        self.lab.start(3)
        self.wait_for(exporter, 'corosync_members', 3)
        page = self.assert_agrees(exporter)

        self.assertEqual(alone.value('corosync_quorum_changes_total'), 0)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 1)
        self.assertEqual(page.value('corosync_quorum_losses_total'), 0)
        self.assert_changes_are_as_logged(page, 1, position)
        for node, joins in (('1', 0), ('2', 1), ('3', 1)):
            self.assertEqual(page.value('corosync_node_joins_total', node_id=node), joins)

    def test_a_killed_node_is_missed_and_welcomed_back(self):
        self._lose_and_regain_node_3(self.lab.kill)

    def test_a_stopped_node_is_missed_and_welcomed_back(self):
        self._lose_and_regain_node_3(self.lab.stop)

    def _lose_and_regain_node_3(self, end):
        exporter = self.start_connected_exporter(1)
        position = self.lab.log_end(1)

        end(3)
        self.wait_for(exporter, 'corosync_members', 2)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_node_member', node_id='3', node='node3'), 0)
        self.assertEqual(page.value('corosync_node_leaves_total', node_id='3'), 1)
        self.assertEqual(page.value('corosync_node_joins_total', node_id='3'), 0)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)

        self.lab.start(3)
        self.wait_for(exporter, 'corosync_members', 3)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_node_joins_total', node_id='3'), 1)
        self.assertEqual(page.value('corosync_node_leaves_total', node_id='3'), 1)
        self.assertEqual(page.value('corosync_node_leaves_total', node_id='2'), 0)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 0)
        self.assert_changes_are_as_logged(page, 1, position)

    def test_both_sides_of_a_cut_tell_their_side(self):
        majority = self.start_connected_exporter(1)
        minority = self.start_connected_exporter(3)
        position = self.lab.log_end(3)

        self.lab.cut(3)
        self.wait_for(minority, 'corosync_quorate', 0)
        self.wait_for(majority, 'corosync_members', 2)
        first = self.assert_agrees(minority)
        self.assertEqual(self.assert_agrees(majority).value('corosync_quorate'), 1)
        self.assertEqual(first.value('corosync_members'), 1)
        self.assertEqual(first.value('corosync_quorum_losses_total'), 1)
        later = minority.page()
        self.assertGreater(later.value('corosync_quorum_lost_seconds_total'),
                           first.value('corosync_quorum_lost_seconds_total'),
                           'the time without quorum grows while it lasts')

        self.lab.heal(3)
        self.wait_for(minority, 'corosync_quorate', 1)
        page = self.assert_agrees(minority)
        self.assert_history_is_as_logged(page, 3, position)
        for other in '12':
            self.assertEqual(page.value('corosync_node_leaves_total', node_id=other), 1)
            self.assertEqual(page.value('corosync_node_joins_total', node_id=other), 1)
        page = self.assert_agrees(majority)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 0)
        self.assertEqual(page.value('corosync_quorum_lost_seconds_total'), 0)

    def test_a_quorum_loss_between_two_scrapes_is_told_by_the_next(self):
        exporter = self.start_connected_exporter(3)
        position = self.lab.log_end(3)

        # Corosync's log tells when to go on, so that nobody scrapes meanwhile.
        self.lab.cut(3)
        wait_until(lambda: self._flips(3, position) == [False], case.NOTICE_SECONDS, 'a loss')
        self.lab.heal(3)
        wait_until(lambda: self._flips(3, position) == [False, True], case.NOTICE_SECONDS,
                   'a recovery')

        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_quorate'), 1)
        self.assertLess(page.value('corosync_quorum_lost_seconds_total'), 15)
        self.assert_history_is_as_logged(page, 3, position)

    def _flips(self, node, position):
        return [quorate for _, quorate in lab.verdicts(self.lab.log(node, position))]

    def test_a_new_ring_of_the_same_members_is_a_change_and_nobody_joins(self):
        exporter = self.start_connected_exporter(1)
        position = self.lab.log_end(1)

        self.lab.run(1, 'corosync-cmapctl', '-s', 'runtime.force_gather', 'str', 'yes')
        wait_until(lambda: lab.announcements(self.lab.log(1, position)),
                   case.NOTICE_SECONDS, 'a new ring')

        page = self.assert_agrees(exporter)
        self.assertGreaterEqual(page.value('corosync_membership_changes_total'), 1)
        self.assert_changes_are_as_logged(page, 1, position)
        self.assertEqual(page.value('corosync_quorum_changes_total'), 0)
        self.assertEqual(page.total('corosync_node_joins_total'), 0)
        self.assertEqual(page.total('corosync_node_leaves_total'), 0)

    def test_expected_votes_set_by_hand_are_shown(self):
        exporter = self.start_connected_exporter(1)
        self.addCleanup(self.lab.run, 1, 'corosync-quorumtool', '-e', 3)

        self.lab.run(1, 'corosync-quorumtool', '-e', 5)
        page = self.assert_agrees(exporter)

        self.assertEqual(page.value('corosync_votequorum_expected_votes'), 5)
        self.assertEqual(page.value('corosync_votequorum_required_votes'), 3)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)
        self.assertGreaterEqual(page.value('corosync_exporter_notifications_total',
                                           service='votequorum', kind='expected_votes'), 1)

    def test_votes_set_by_hand_are_shown_announced_or_not(self):
        exporter = self.start_connected_exporter(1)

        # Corosync announces votes that raise what is expected, and keeps silent about fewer.
        for votes in (3, 1):
            with self.subTest(votes=votes):
                self.lab.run(1, 'corosync-quorumtool', '-n', 2, '-v', votes)
                page = self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)
                self.assertEqual(page.value('corosync_node_votes', node_id='2'), votes)


if __name__ == '__main__':
    case.main()
