#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prometheus itself, as Debian has it, reads what the exporter says."""

import json
import subprocess
import urllib.parse

import case
import namespaces
from waiting import wait_until

PORT = 9090

CONF = '''
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: corosync
    static_configs:
      - targets: ['127.0.0.1:{port}']
'''


class PrometheusTest(case.ClusterCase):
    def test_promtool_finds_nothing_to_say_about_a_real_page(self):
        page = self.start_connected_exporter(1).page()

        done = subprocess.run(['promtool', 'check', 'metrics'],
                              input=page.text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '', ''))

    def test_prometheus_scrapes_a_verdict_and_then_none(self):
        exporter = self.start_connected_exporter(1)
        self._start_prometheus(exporter.port)

        wait_until(lambda: self._query('up{job="corosync"}') == [1], 15, 'Prometheus scrapes')
        wait_until(lambda: self._query('corosync_quorate') == [1], 5, 'the verdict is in')
        self.assertEqual(self._query('sum(corosync_node_member)'), [3])

        self.lab.kill(1)
        wait_until(lambda: self._query('corosync_up') == [0], 5, 'corosync is known to be down')
        self.assertEqual(self._query('corosync_quorate'), [], 'none is better than an old one')
        self.assertEqual(self._query('up{job="corosync"}'), [1])

    def _start_prometheus(self, port):
        conf = self.work / 'prometheus.yml'
        conf.write_text(CONF.format(port=port))
        with open(self.work / 'prometheus.log', 'wb') as log:
            process = subprocess.Popen(
                self.lab.command(1, 'prometheus', f'--config.file={conf}', '--log.level=warn',
                                 f'--storage.tsdb.path={self.work / "prometheus"}',
                                 f'--web.listen-address=127.0.0.1:{PORT}'),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def _query(self, expression):
        """The values of an instant query; None while Prometheus does not answer."""
        try:
            answer = namespaces.request(self.lab.holder(1), PORT,
                                        '/api/v1/query?query=' + urllib.parse.quote(expression))
        except ConnectionRefusedError:
            return None
        if answer.status != 200:
            return None
        return [float(sample['value'][1]) for sample in json.loads(answer.body)['data']['result']]


if __name__ == '__main__':
    case.main('promtool', 'prometheus')
