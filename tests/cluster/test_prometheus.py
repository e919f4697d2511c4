#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus itself, as Debian has it, reads what the exporter says."""

import subprocess

import case
from prometheus import PrometheusCase
from waiting import wait_until

CONF = '''
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: corosync
    static_configs:
      - targets: ['127.0.0.1:{port}']
'''


class PrometheusTest(PrometheusCase):
    def test_promtool_finds_nothing_to_say_about_a_real_page(self):
        page = self.start_connected_exporter(1).page()

        done = subprocess.run(['promtool', 'check', 'metrics'],
                              input=page.text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))

    def test_prometheus_scrapes_a_verdict_and_then_none(self):
        exporter = self.start_connected_exporter(1)
        self.start_prometheus(CONF.format(port=exporter.port))

        wait_until(lambda: self.query('up{job="corosync"}') == [1], 15, 'Prometheus scrapes')
        wait_until(lambda: self.query('corosync_quorate') == [1], 5, 'the verdict is in')
        wait_until(lambda: self.query('sum(corosync_node_member)') == [3], 5, 'the members are in')

        self.lab.kill(1)
        # At one time of Prometheus's, and with the exporter being scraped. None is better than an
        # old verdict.
        wait_until(lambda: self.query('corosync_up == 0 and up{job="corosync"} == 1 '
                                      'unless corosync_quorate') == [0], 5,
                   'corosync is known to be down, and its verdict to nobody')


if __name__ == '__main__':
    case.main('promtool', 'prometheus')
