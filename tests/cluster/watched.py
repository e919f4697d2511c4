# SPDX-License-Identifier: Apache-2.0
"""A cluster that is watched: an exporter on each node, and a network to each besides its links."""

import contextlib

import case
import exporter
import lab
from waiting import wait_until

SERVE_PORT = 10056

# Corosync's own token timeout, where the lab's is quicker; and a version, which a reload changes.
CONF = {'totem': {'token': 3000, 'config_version': 1}}


class WatchedCluster:
    """By its number, which no other one of the tower has. To be taken down."""

    def __init__(self, tower, number, work, *, nodes=3, links=1, conf=None):
        self.lab = lab.Lab(work / 'lab', nodes, links, **(CONF | (conf or {})))
        self.work = work
        self.exporters = {}  # {node: the one that was started last}
        self.cleanup = contextlib.ExitStack()  # of what happens to it
        self._tower = tower
        self._number = number
        self._addresses = {}
        work.mkdir()

    def up(self, prepare):
        """Prepared, it has an exporter on each node whose corosync runs, and all of them quorum."""
        self.lab.up()
        self.lab.mend()
        prepare(self)
        for node in self.lab.nodes:
            self._addresses[node] = self._tower.plug_in(self.lab.holder(node), self._number, node)
            if self.lab.runs(node):
                self.start_exporter(node)

    def down(self):
        self.cleanup.close()
        for started in self.exporters.values():
            started.kill()
        self.lab.down()

    def targets(self):
        """What Prometheus is to scrape."""
        return [f'{self._addresses[node]}:{SERVE_PORT}' for node in self.exporters]

    def pages(self):
        """What Prometheus would scrape: [(target, page)]."""
        return list(zip(self.targets(),
                        (started.page() for started in self.exporters.values())))

    # --- the exporter of a node ---

    def start_exporter(self, node, **how):
        self.exporters[node] = exporter.Exporter(
            self.lab, node, f'--web.listen-address={self._addresses[node]}:{SERVE_PORT}',
            port=SERVE_PORT, stderr=self.work / f'exporter-{node}.log', **how)
        self.exporters[node].wait_until_serving()

    def wait_for(self, node, family, value, seconds=3 * case.NOTICE_SECONDS, **labels):
        """Until the node's page says so."""
        wait_until(lambda: self.exporters[node].page().find(family, **labels) == value, seconds,
                   f"node {node}'s page has {family}{labels or ''} {value}")

    # --- the machine that a node is ---

    def switch_off(self, node):
        """Hard: it has no current any more."""
        self._tower.pull_out(self._number, node)
        self.lab.cut(node)
        self.exporters[node].kill()
        self.lab.kill(node)

    def shut_down(self, node):
        """Corosync takes leave of the others."""
        self.lab.stop(node)
        self.exporters[node].kill()
        self._tower.pull_out(self._number, node)

    def boot(self, node):
        """After it was shut down."""
        self._tower.put_back(self._number, node)
        self.start_exporter(node)
        self.lab.start(node)
