#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The program's other ways out, beside a corosync that runs and one that does not."""

import json
import pathlib
import signal
import subprocess

import case
import exporter
from exposition import Page
from waiting import wait_until

TESTS = pathlib.Path(__file__).resolve().parents[1]

PROCESS_FAMILIES = {
    'process_cpu_seconds_total',
    'process_max_fds',
    'process_open_fds',
    'process_resident_memory_bytes',
    'process_start_time_seconds',
    'process_virtual_memory_bytes',
    'process_virtual_memory_max_bytes',
}


class EndpointsTest(case.ClusterCase):
    NODES = 1

    def test_the_page_is_of_the_format_that_it_says(self):
        answer = self.start_connected_exporter(1).get('/metrics')

        self.assertEqual(answer.headers['Content-Type'], 'text/plain; version=0.0.4; charset=utf-8')
        self.assertLessEqual(PROCESS_FAMILIES, Page(answer.body).families())

    def test_two_pages_have_the_same_series_in_the_same_order(self):
        exporter = self.start_connected_exporter(1)
        # The first scrape brings the series that counts answers.
        exporter.page()

        self.assertEqual(list(exporter.page().values), list(exporter.page().values))

    def test_ready_follows_corosync_and_healthy_does_not(self):
        exporter = self.start_connected_exporter(1)
        self.assertEqual(exporter.get('/-/ready').status, 200)
        self.assertEqual(exporter.get('/-/healthy').status, 200)

        self.lab.stop(1)
        wait_until(lambda: exporter.get('/-/ready').status == 503, 1, 'no longer ready')
        self.assertTrue(exporter.get('/-/ready').body.strip(), 'the reason is told')
        self.assertEqual(exporter.get('/-/healthy').status, 200)

        self.lab.start(1)
        wait_until(lambda: exporter.get('/-/ready').status == 200, 5, 'ready again')

    def test_a_hangup_without_a_web_configuration_does_nothing(self):
        exporter = self.start_connected_exporter(1)
        exporter.hang_up()
        wait_until(lambda: 'nothing to reread' in exporter.log(), 1, 'it is told')
        page = self.assert_agrees(exporter)
        self.assertEqual(page.value('corosync_exporter_connects_total'), 1)

    def test_the_status_agrees_with_corosync_and_is_of_its_schema(self):
        answer = self.start_connected_exporter(1).get('/api/v1/status')
        self.assertEqual(answer.headers['Content-Type'], 'application/json')
        said, truth = json.loads(answer.body), self.lab.status(1)
        self.assertEqual(said['verdict'], 'quorate' if truth.quorate else 'not_quorate')
        self.assertEqual(said['cluster']['local_node_id'], truth.node)
        self.assertEqual(said['cluster']['members'], truth.members)
        self.assertEqual(said['votes']['present'], truth.total)
        self.assertEqual(said['votes']['required'], truth.required)

        (self.work / 'status').mkdir()
        (self.work / 'status' / 'real.json').write_text(answer.body)
        done = subprocess.run([TESTS / 'check-status-schema',
                               TESTS.parent / 'deploy' / 'status.schema.json',
                               self.work / 'status'], capture_output=True, text=True)
        if done.returncode == case.SKIPPED:
            self.skipTest(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_once_prints_the_page_where_corosync_runs(self):
        done = self._once()
        self.assertEqual(done.returncode, 0, done.stderr)

        page = Page(done.stdout)
        expected = case.votequorum_families(self.lab, 1)
        self.assertEqual({family: page.series(family) for family in expected}, expected)

    def test_once_says_by_its_exit_that_corosync_is_not_there(self):
        self.lab.stop(1)
        done = self._once()

        self.assertEqual(done.returncode, 3, done.stderr)
        self.assert_unknown(Page(done.stdout))

    def test_a_hangup_ends_once_as_who_closes_the_terminal_expects(self):
        self.lab.freeze(1)
        once = subprocess.Popen(self.lab.command(1, exporter.program(), '--once'),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(once.wait)
        self.addCleanup(once.kill)
        # Its name may be another: the node has mounts of its own.
        running = pathlib.Path(f'/proc/{once.pid}/exe')
        wait_until(lambda: running.samefile(exporter.program()), 5, 'it runs')
        once.send_signal(signal.SIGHUP)
        self.assertEqual(once.wait(timeout=5), -signal.SIGHUP)

    def test_what_cannot_be_printed_is_a_failure(self):
        for flag in ('--version', '--help', '--once'):
            with self.subTest(flag=flag), open('/dev/full', 'wb') as full:
                done = subprocess.run(self.lab.command(1, exporter.program(), flag),
                                      stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
                self.assertEqual(done.returncode, 1)
                self.assertIn('cannot write to stdout', done.stderr)

    def _once(self):
        return subprocess.run(self.lab.command(1, exporter.program(), '--once'),
                              capture_output=True, text=True, timeout=10)


if __name__ == '__main__':
    case.main()
