#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real quorum device, corosync-qdevice on each node and corosync-qnetd beyond them.

It decides for one side of two nodes, and its votes come and go without a word from corosync.
"""

import case
from qdevice import CONF, SYNC_TIMEOUT_SECONDS, TOOLS, VOTE_SECONDS, Qdevice
from waiting import wait_until

OFTEN = '--corosync.poll-interval=1s'


class QdeviceTest(case.ClusterCase):
    NODES = 2
    CONF = {'device': CONF}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.device = Qdevice(cls.lab, cls.work)
        cls.addClassCleanup(cls.device.stop)

    def setUp(self):
        super().setUp()
        self.device.start_arbiter()
        for node in self.lab.nodes:
            self.device.start(node)
        wait_until(lambda: self.device.casting() == {1, 2}, VOTE_SECONDS, 'the device votes on each node')

    def test_a_device_that_votes_is_shown_on_each_node(self):
        for node in self.lab.nodes:
            with self.subTest(node=node):
                page = self.assert_agrees(self.start_exporter(node))

                for member in '12':
                    for family in ('registered', 'alive', 'casting_vote'):
                        self.assertEqual(
                            page.value(f'corosync_qdevice_{family}', node_id=member), 1, family)
                    self.assertEqual(
                        page.value('corosync_qdevice_master_wins', node_id=member), 0)
                self.assertEqual(page.value('corosync_qdevice_votes'), 1)
                self.assertEqual(page.value('corosync_votequorum_present_votes'), 3)
                self.assertEqual(page.value('corosync_votequorum_margin_votes'), 1)

    def test_a_vote_that_is_lost_with_the_server_comes_back_with_it_and_nobody_says_so(self):
        exporter = self.start_connected_exporter(1, OFTEN)
        told = self._told(exporter.page())

        self.device.kill_arbiter()
        page = self._wait_for_vote(exporter, 0)
        self.assertEqual(page.value('corosync_qdevice_registered', node_id='1'), 1)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 1)
        self.assertEqual(page.value('corosync_votequorum_present_votes'), 2)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)
        self.assertEqual(page.value('corosync_quorate'), 1)

        self.device.start_arbiter()
        page = self._wait_for_vote(exporter, 1)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 1)
        self.assertEqual(self._told(page), told, 'corosync announced nothing of it')

    def test_a_device_that_dies_is_not_voting_and_comes_back(self):
        exporter = self.start_connected_exporter(1, OFTEN)

        self.device.kill(1)
        page = self._wait_for_vote(exporter, 0)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 0)
        self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='2'), 1)

        self.device.start(1)
        page = self._wait_for_vote(exporter, 1)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 1)

    def test_the_devices_vote_keeps_quorum_for_the_node_that_is_left(self):
        exporter = self.start_connected_exporter(1, OFTEN)
        position = self.lab.log_end(1)

        self.lab.kill(2)
        self.wait_for(exporter, 'corosync_members', 1)
        self.wait_for(exporter, 'corosync_sync_in_progress', 0, SYNC_TIMEOUT_SECONDS + 2)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_quorate'), 1)
        self.assertEqual(page.value('corosync_votequorum_present_votes'), 2)
        self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='1'), 1)
        self.assert_changes_are_as_logged(page, 1, position)
        self.assertEqual(page.value('corosync_quorum_losses_total'), 0)
        for family in ('registered', 'alive', 'casting_vote', 'master_wins'):
            self.assertIsNone(page.find(f'corosync_qdevice_{family}', node_id='2'),
                              'what a dead node had is no fact')
        self.assertEqual(page.value('corosync_node_votes', node_id='2'), 1)

        self.device.kill_arbiter()
        self.wait_for(exporter, 'corosync_quorate', 0, VOTE_SECONDS)
        page = self.assert_agrees(exporter, case.POLL_SECONDS)
        self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='1'), 0)
        self.assertEqual(page.value('corosync_quorum_losses_total'), 1)

    def _told(self, page):
        return page.series('corosync_exporter_notifications_total')

    def _wait_for_vote(self, exporter, casting):
        """Until node 1's device votes, or not. Returns a page that agrees."""
        wait_until(lambda: exporter.page().find(
            'corosync_qdevice_casting_vote', node_id='1') == casting, VOTE_SECONDS,
            f"node 1's device is shown as casting {casting}")
        return self.assert_agrees(exporter)


if __name__ == '__main__':
    case.main(*TOOLS)
