# SPDX-License-Identifier: Apache-2.0
"""Debian's Prometheus inside a network namespace, for as long as a test lasts."""

import functools
import json
import subprocess
import urllib.parse

import case
import namespaces

PORT = 9090


class Prometheus:
    """Scrapes what the configuration says, which lies in its file's directory. To be stopped.

    The holder is a process in its network; command makes a command line one that runs there.
    """

    def __init__(self, holder, command, file):
        self._holder = holder
        with open(file.with_suffix('.log'), 'wb') as log:
            self._process = subprocess.Popen(
                command('prometheus', f'--config.file={file}', '--log.level=warn',
                        f'--storage.tsdb.path={storage_of(file)}',
                        f'--web.listen-address=127.0.0.1:{PORT}'),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @classmethod
    def inside(cls, lab, node, work, conf):
        """One in a node of a lab."""
        file = work / 'prometheus.yml'
        file.write_text(conf)
        return cls(lab.holder(node), functools.partial(lab.command, node), file)

    def stop(self):
        self._process.kill()
        self._process.wait()

    def now(self, expression):
        """The series of an instant query, [(labels, value)]; None while it does not answer."""
        try:
            series = self._ask('query', query=expression)
        except ConnectionRefusedError:
            return None
        return [(one['metric'], float(one['value'][1])) for one in series]

    def over(self, expression, start, end, step=1):
        """The series of a range query, [(labels, [(time, value)])]."""
        series = self._ask('query_range', query=expression, start=start, end=end, step=step)
        return [(one['metric'], [(time, float(value)) for time, value in one['values']])
                for one in series]

    def _ask(self, what, **parameters):
        answer = namespaces.request(
            self._holder, PORT, f'/api/v1/{what}?{urllib.parse.urlencode(parameters)}', timeout=30)
        if answer.status in (503, 404):  # it is starting
            raise ConnectionRefusedError(answer.body)
        said = json.loads(answer.body)
        if said['status'] != 'success':
            raise AssertionError(f'{said["error"]}: {parameters["query"]}')
        return said['data']['result']


def storage_of(file):
    """Where the Prometheus with that configuration stores what it scrapes."""
    return file.with_suffix('.data')


class PrometheusCase(case.ClusterCase):
    """Tests with a Prometheus in node 1."""

    def start_prometheus(self, conf):
        """It lasts until the test's end."""
        self._prometheus = Prometheus.inside(self.lab, 1, self.work, conf)
        self.addCleanup(self._prometheus.stop)

    def query(self, expression):
        """The values of an instant query; None while Prometheus does not answer."""
        series = self._prometheus.now(expression)
        return series if series is None else [value for _, value in series]
