# SPDX-License-Identifier: Apache-2.0
"""Traffic in a cluster: some of its nodes send messages to a group of corosync's, all the time."""

import dataclasses
import re
import subprocess

import exporter

_GROUP = 'traffic'

# One whose corosync does not take its messages ends all the same, unless that is stopped.
_END_SECONDS = 2


def program():
    return exporter.built('cpg_traffic')


@dataclasses.dataclass(frozen=True)
class Count:
    sent: int
    refused: int  # by corosync, for want of room
    received: int


class Traffic:
    """From its construction until stop(). A sender ends with its corosync."""

    def __init__(self, lab, nodes, messages_a_second, size):
        self._senders = [
            subprocess.Popen(
                lab.command(node, program(), _GROUP, messages_a_second, size),
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True)
            for node in nodes]

    def wait_until_joined(self):
        for sender in self._senders:
            if sender.stdout.readline() != 'joined\n':
                raise RuntimeError('who is to make traffic did not join its group')

    def stop(self):
        """Returns a Count of each sender, without those that had ended."""
        for sender in self._senders:
            sender.terminate()
        counts = []
        for sender in self._senders:
            try:
                said, _ = sender.communicate(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                sender.kill()
                said, _ = sender.communicate()
            if match := re.search(r'^sent (\d+) refused (\d+) received (\d+)$', said, re.MULTILINE):
                counts.append(Count(*map(int, match.groups())))
        return counts
