#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clusters configured otherwise: nodes without names, no quorum provider, a new configuration."""

import re

import case
from exposition import labels


class NodesWithoutNamesTest(case.ClusterCase):
    NODES = 2
    CONF = {'named': False}

    def test_a_node_without_a_name_goes_by_its_address(self):
        page = self.assert_agrees(self.start_exporter(1))

        self.assertEqual(page.value('corosync_node_member', node_id='1', node='10.77.0.1'), 1)
        self.assertEqual(page.value('corosync_node_member', node_id='2', node='10.77.0.2'), 1)


class NoProviderTest(case.ClusterCase):
    NODES = 2
    CONF = {'provider': False}

    def test_without_a_provider_there_are_members_and_neither_votes_nor_a_verdict(self):
        exporter = self.start_exporter(1)
        page = self.assert_agrees(exporter)

        self.assertEqual(exporter.get('/-/ready').status, 200)
        self.assertEqual(page.labels('corosync_cluster_info')['provider'], '')
        self.assertEqual(page.families() & case.VOTES_FAMILIES, set())
        self.assertNotIn('corosync_quorate', page.families())
        self.assertEqual(page.find('corosync_sync_in_progress') or 0, 0, 'no verdict is awaited')
        self.assertEqual(page.total('corosync_exporter_connect_errors_total'), 0,
                         'that there is no votequorum is no error')

    def test_without_a_provider_comings_and_goings_are_seen(self):
        exporter = self.start_connected_exporter(1)

        self.lab.kill(2)
        self.wait_for(exporter, 'corosync_members', 1)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_node_leaves_total', node_id='2'), 1)

        self.lab.start(2)
        self.wait_for(exporter, 'corosync_members', 2)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_node_joins_total', node_id='2'), 1)
        self.assertEqual(page.value('corosync_membership_changes_total'), 2)

    def test_without_a_provider_a_corosync_that_goes_is_unknown_and_right_again_once_back(self):
        exporter = self.start_connected_exporter(1)

        self.lab.kill(1)
        self.assert_unknown(self.wait_for(exporter, 'corosync_up', 0))

        self.lab.start(1)
        self.wait_for(exporter, 'corosync_members', 2)
        self.assert_agrees(exporter)


class ReloadTest(case.ClusterCase):
    NODES = 2

    def test_a_node_is_shown_once_configured_and_not_after_it_was_taken_out_unseen(self):
        exporter = self.start_connected_exporter(1)

        conf = self.lab.conf()
        node_2 = re.search(r'    node \{[^}]*name: node2\n[^}]*\}\n', conf)[0]
        # The new one comes first, so that the others' places in the list move.
        node_9 = node_2.replace('node2', 'node9').replace('nodeid: 2', 'nodeid: 9').replace(
            '10.77.0.2', '10.77.0.9')
        self.lab.reload(conf.replace('nodelist {\n', 'nodelist {\n' + node_9))
        page = self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)
        self.assertEqual(page.value('corosync_node_member', node_id='9', node='node9'), 0)
        self.assertEqual(page.value('corosync_votequorum_expected_votes'), 3)

        self.lab.reload(conf)
        page = self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)
        self.assertEqual(page.value('corosync_votequorum_expected_votes'), 2)

    def test_a_node_that_left_and_was_taken_out_is_missed_no_longer(self):
        exporter = self.start_connected_exporter(1)
        self.lab.stop(2)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_node_member', node_id='2', node='node2'), 0)

        conf = self.lab.conf()
        node_2 = re.search(r'    node \{[^}]*name: node2\n[^}]*\}\n', conf)[0]
        self.lab.reload(conf.replace(node_2, ''))
        page = self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)
        self.assertEqual({dict(key)['node_id'] for key in page.series('corosync_node_member')}, {'1'})
        self.assertEqual(page.value('corosync_node_leaves_total', node_id='2', node='node2'), 1)


class LongValuesTest(case.ClusterCase):
    NODES = 2

    def set(self, key, kind, value):
        self.assertIsNotNone(self.lab.run(1, 'corosync-cmapctl', '-s', key, kind, value),
                             f'{key} can be set')

    def test_values_longer_than_any_line_of_the_configuration_cost_no_other(self):
        self.addCleanup(self.set, 'quorum.provider', 'str', 'corosync_votequorum')
        self.addCleanup(self.lab.run, 1, 'corosync-cmapctl', '-d', 'totem.config_version')
        self.set('totem.config_version', 'str', 600 * '1')  # which is no number
        for length in 600, 16 * 1024:
            with self.subTest(length):
                provider = length * 'p'
                self.set('quorum.provider', 'str', provider)
                exporter = self.start_exporter(1)
                page = self.wait_for_all_sources(exporter)
                self.assertEqual(page.value('corosync_cluster_info', provider=provider), 1)
                self.assertIn(labels(node_id=2, node='node2'), page.series('corosync_node_member'))
                self.assertNotIn('corosync_config_version', page.families())
                self.assertNotIn('CS_ERR_INVALID_PARAM', exporter.log())


if __name__ == '__main__':
    case.main()
