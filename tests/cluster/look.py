# SPDX-License-Identifier: Apache-2.0
"""What somebody learns who comes to a node and asks corosync-quorumtool, and has no patience."""

import dataclasses
import subprocess
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
