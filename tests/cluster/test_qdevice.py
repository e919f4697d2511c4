#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real quorum device, corosync-qdevice on each node and corosync-qnetd beyond them.

It decides for one side of two nodes, and its votes come and go without a word from corosync.
"""

import subprocess

import case
from waiting import wait_until

ARBITER = '10.77.0.100'

# The device asks its server, and votes, this often; and waits so long at most for either.
TIMEOUT_SECONDS = 3
SYNC_TIMEOUT_SECONDS = 6

# From one connection to the server to the next, and a vote.
VOTE_SECONDS = 5 * TIMEOUT_SECONDS

OFTEN = '--corosync.poll-interval=1s'


class QdeviceTest(case.ClusterCase):
    NODES = 2
    CONF = {'device': {
        'votes': 1, 'timeout': TIMEOUT_SECONDS * 1000, 'sync_timeout': SYNC_TIMEOUT_SECONDS * 1000,
        'net': {'host': ARBITER, 'tls': 'off', 'algorithm': 'ffsplit'}}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._daemons = {}
        subprocess.run(cls.lab.switch_command(
            'ip', 'address', 'add', f'{ARBITER}/24', 'dev', 'link0'), check=True)

    @classmethod
    def tearDownClass(cls):
        for name in list(cls._daemons):
            cls._kill(name)

    def setUp(self):
        super().setUp()
        self._start_arbiter()
        for node in self.lab.nodes:
            self._start_device(node)
        wait_until(lambda: self._casting() == {1, 2}, VOTE_SECONDS, 'the device votes on each node')

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

        self._kill('arbiter')
        page = self._wait_for_vote(exporter, 0)
        self.assertEqual(page.value('corosync_qdevice_registered', node_id='1'), 1)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 1)
        self.assertEqual(page.value('corosync_votequorum_present_votes'), 2)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)
        self.assertEqual(page.value('corosync_quorate'), 1)

        self._start_arbiter()
        page = self._wait_for_vote(exporter, 1)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 1)
        self.assertEqual(self._told(page), told, 'corosync announced nothing of it')

    def test_a_device_that_dies_is_not_voting_and_comes_back(self):
        exporter = self.start_connected_exporter(1, OFTEN)

        self._kill('device 1')
        page = self._wait_for_vote(exporter, 0)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 0)
        self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='2'), 1)

        self._start_device(1)
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

        self._kill('arbiter')
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

    def _casting(self):
        return {node for node, said in self.lab.status(1).device if 'V' in said}

    def _start_arbiter(self):
        self._start('arbiter', self.lab.switch_command(
            'sh', '-c', 'mkdir -p /run/corosync-qnetd && exec corosync-qnetd -f -4 -s off'))

    def _start_device(self, node):
        self._start(f'device {node}', self.lab.command(
            node, 'sh', '-c', 'mkdir -p /run/corosync-qdevice && exec corosync-qdevice -f'))

    def _start(self, name, command):
        """Unless it runs. A device ends with its node's corosync."""
        if name in self._daemons and self._daemons[name].poll() is None:
            return
        with open(self.work / f'{name.replace(" ", "-")}.log', 'ab') as log:
            self._daemons[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=subprocess.STDOUT)

    @classmethod
    def _kill(cls, name):
        cls._daemons[name].kill()
        cls._daemons[name].wait()


if __name__ == '__main__':
    case.main('corosync-qnetd', 'corosync-qdevice')
