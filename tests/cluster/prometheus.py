# SPDX-License-Identifier: Apache-2.0
"""A Prometheus, as Debian has it, inside a node, and what it then knows."""

import json
import subprocess
import urllib.parse

import case
import namespaces

PORT = 9090


class PrometheusCase(case.ClusterCase):
    """Tests with a Prometheus in node 1."""

    def start_prometheus(self, conf):
        """It lasts until the test's end."""
        file = self.work / 'prometheus.yml'
        file.write_text(conf)
        with open(self.work / 'prometheus.log', 'wb') as log:
            process = subprocess.Popen(
                self.lab.command(1, 'prometheus', f'--config.file={file}', '--log.level=warn',
                                 f'--storage.tsdb.path={self.work / "prometheus"}',
                                 f'--web.listen-address=127.0.0.1:{PORT}'),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def query(self, expression):
        """The values of an instant query; None while Prometheus does not answer."""
        try:
            answer = namespaces.request(self.lab.holder(1), PORT,
                                        '/api/v1/query?query=' + urllib.parse.quote(expression))
        except ConnectionRefusedError:
            return None
        if answer.status != 200:
            return None
        return [float(sample['value'][1]) for sample in json.loads(answer.body)['data']['result']]
