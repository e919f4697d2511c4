#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A fake quorum device: corosync announces nothing of it, and waits for it in every new ring."""

import pathlib
import subprocess

import case
from waiting import every

# How long corosync waits for the device's vote on a new ring (by default 30 s). In that time it
# answers votequorum's questions and no other. Longer than --corosync.stale-after: it is not stale.
SYNC_SECONDS = 20
# For most of it: longer than --corosync.stale-after still.
WATCHED_SECONDS = 16


class FakeQdeviceTest(case.ClusterCase):
    NODES = 2
    CONF = {'device': {'votes': 1, 'sync_timeout': SYNC_SECONDS * 1000}}

    def test_what_a_device_does_is_shown_though_nobody_announces_it(self):
        own = self.start_connected_exporter(1)
        others = self.start_connected_exporter(2)
        device = self._start_device(1)

        device('vote', self._ring())
        for exporter in (own, others):
            page = self._agreeing_after_a_silent_change(exporter)
            self.assertEqual(page.value('corosync_qdevice_registered', node_id='1'), 1)
            self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 1)
            self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='1'), 1)
            self.assertEqual(page.value('corosync_qdevice_registered', node_id='2'), 0)
        page = self._agreeing_after_a_silent_change(own)
        self.assertEqual(page.value('corosync_qdevice_votes'), 1)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 1)

        device('abstain', self._ring())
        page = self._agreeing_after_a_silent_change(own)
        self.assertEqual(page.value('corosync_qdevice_alive', node_id='1'), 1)
        self.assertEqual(page.value('corosync_qdevice_casting_vote', node_id='1'), 0)
        self.assertEqual(page.value('corosync_votequorum_margin_votes'), 0)

        device('leave')
        page = self._agreeing_after_a_silent_change(own)
        self.assertEqual(page.value('corosync_qdevice_registered', node_id='1'), 0)

    # A request that must wait for the device keeps corosync spinning, at realtime priority: its
    # poll finds the request again and again. So the exporter may ask only what is answered.
    def test_while_corosync_waits_for_a_silent_device_the_exporter_answers_and_lets_it_rest(self):
        exporter = self.start_connected_exporter(1)
        device = self._start_device(1)
        device('vote', self._ring())
        self._agreeing_after_a_silent_change(exporter)
        device('silent')
        position = self.lab.log_end(1)

        self.lab.kill(2)
        self.wait_for(exporter, 'corosync_sync_in_progress', 1)
        busy = self.lab.cpu_seconds(1)
        scrapes = []
        for _ in every(0.1, WATCHED_SECONDS):
            page, seconds = exporter.scrape()
            scrapes.append(seconds)
            self.assertEqual(page.value('corosync_up'), 1, 'votequorum answers')
            self.assertEqual(page.value('corosync_sync_in_progress'), 1)
            self.assertEqual(page.value('corosync_members'), 1, 'the members are known')
            self.assertEqual(page.value('corosync_quorate'), 1, 'there is no new verdict yet')
        busy = self.lab.cpu_seconds(1) - busy
        self.assertLess(busy, 0.2 * WATCHED_SECONDS, "seconds of corosync's processor time")
        self.assertLess(max(scrapes), case.SCRAPE_SECONDS)

        self.wait_for(exporter, 'corosync_sync_in_progress', 0)
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_quorate'), 0)
        self.assert_changes_are_as_logged(page, 1, position)

    def _agreeing_after_a_silent_change(self, exporter):
        return self.assert_agrees(exporter, case.POLL_SECONDS + case.AGREE_SECONDS)

    def _ring(self):
        status = self.lab.status(1)
        return f'{status.ring_leader}.{status.ring_sequence:x}'

    def _start_device(self, node):
        """Returns a function that tells the device what to do."""
        program = pathlib.Path(__file__).parent / 'fake_qdevice.py'
        device = subprocess.Popen(self.lab.command(node, '/usr/bin/python3', program),
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def stop():
            device.stdin.close()
            device.wait(timeout=20)
            device.stdout.close()
        self.addCleanup(stop)

        def tell(*command):
            device.stdin.write(' '.join(command) + '\n')
            device.stdin.flush()
            self.assertEqual(device.stdout.readline(), 'ok\n')
        return tell


if __name__ == '__main__':
    case.main()
