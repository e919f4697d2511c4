# SPDX-License-Identifier: Apache-2.0
"""What somebody learns who comes to a node and asks corosync-quorumtool, and has no patience."""

import dataclasses
import subprocess
import threading
import time

from lab import Status

# One that took longer is no answer.
PATIENCE_SECONDS = 2


@dataclasses.dataclass(frozen=True)
class Look:
    begin: float  # of time.time()
    end: float
    status: Status | None  # None where there was no answer

    @property
    def answered(self):
        return self.status is not None

    @staticmethod
    def at(cluster, node):
        begin = time.time()
        # Its exit status is the verdict's, so only the words tell whether it got an answer.
        said = subprocess.run(
            cluster.command(node, 'timeout', PATIENCE_SECONDS, 'corosync-quorumtool', '-s', '-i'),
            capture_output=True, text=True, check=False).stdout
        return Look(begin, time.time(), Status.of(said) if 'Quorate:' in said else None)


class Looker:
    """Looks again and again, from a thread of its own."""

    def __init__(self, cluster, node, interval):
        self._cluster, self._node, self._interval = cluster, node, interval
        self.looks = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self._interval):
            self.looks.append(Look.at(self._cluster, self._node))
