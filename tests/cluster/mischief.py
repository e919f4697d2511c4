# SPDX-License-Identifier: Apache-2.0
"""What can be done to a cluster and its exporters, deploy/lab's means included; and when it was."""

import contextlib
import os
import pathlib
import re
import resource
import time

import lab
from judge import Fate, Span
from traffic import Traffic
from waiting import wait_until
from wire import Wire

# Nobody has that address: what is sent there is lost, and the sender notices nothing.
_NOBODY = '02:00:00:00:00:00'

# A tool waits for corosync for as long as corosync waits for its cluster.
_TOOL_SECONDS = 5

_WHOLE_SECONDS = 60

# Of each sender, while another node loses packets. With more of them lost, corosync's queue is full
# most of the time.
_MESSAGES_A_SECOND = 20
_MESSAGE_BYTES = 900


class Faults:
    """Does things to the nodes of a lab, keeps what is to be undone, and the nodes' fates."""

    def __init__(self, cluster):
        self.lab = cluster
        self.fates = {node: Fate() for node in cluster.nodes}
        self.off = set()
        self.frozen = set()
        self.cut = set()
        self.wires = {}
        self.parted = set()  # (from, to)
        self.deaf = set()  # pairs of nodes
        self.losing = {}  # nodes, and the traffic of the others
        self.full = set()  # nodes without shared memory to spare
        self.starved = {}  # exporters without descriptors to spare, and their limits before
        self.more_nodes = False  # corosync.conf speaks of a node that never comes

    # --- corosync ---

    def kill(self, node):
        self._end(node, self.lab.kill)

    def stop(self, node):
        self._end(node, self.lab.stop)

    def _end(self, node, end):
        died = _timed(end, node)
        self.fates[node].deaths.append(died)
        self.off.add(node)
        if node in self.frozen:
            self.fates[node].freezes[-1][1] = died
            self.frozen.discard(node)

    def start(self, node):
        if node not in self.full:
            # Each corosync leaves its black box behind, 8 MiB of it.
            for file in pathlib.Path(f'/proc/{self.lab.holder(node)}/root/dev/shm').glob(
                    'qb-corosync-*-blackbox-*'):
                file.unlink()
        self.lab.start(node)
        self.off.discard(node)

    def freeze(self, node):
        self.fates[node].freezes.append([_timed(self.lab.freeze, node), None])
        self.frozen.add(node)

    def thaw(self, node):
        self.fates[node].freezes[-1][1] = _timed(self.lab.thaw, node)
        self.frozen.discard(node)

    def set_votes(self, node, votes):
        return self._tool(node, 'corosync-quorumtool', '-v', votes, '-n', node)

    def expect(self, node, votes):
        return self._tool(node, 'corosync-quorumtool', '-e', votes)

    def reload(self, node):
        """Adds a node that never comes to corosync.conf, or takes it out again."""
        self.more_nodes = not self.more_nodes
        conf = self.lab.conf()
        if self.more_nodes:
            nobody = re.search(r'    node \{[^}]*name: node3\n[^}]*\}\n', conf)[0]
            for ours, theirs in (('node3', 'node9'), ('nodeid: 3', 'nodeid: 9'), ('.3\n', '.9\n')):
                nobody = nobody.replace(ours, theirs)
            conf = conf.replace('nodelist {\n', 'nodelist {\n' + nobody)
        return self._read_anew(node, conf)

    def _read_anew(self, node, conf):
        for each in self.lab.nodes:
            (self.lab.etc(each) / 'corosync.conf').write_text(conf)
        return self._tool(node, 'corosync-cfgtool', '-R')

    def _tool(self, node, *command):
        """Whether it succeeded."""
        return self.lab.run(node, 'timeout', _TOOL_SECONDS, *command) is not None

    # --- the network ---

    def cut_off(self, node):
        self.lab.cut(node)
        self.cut.add(node)

    def heal(self, node):
        self.lab.heal(node)
        self.cut.discard(node)

    def lengthen(self, node, delay, loss):
        self.wires[node] = Wire(self.lab, node, 0, delay, loss)

    def shorten(self, node):
        self.wires.pop(node).remove()

    def part(self, sender, receiver):
        """What one sends is lost on its way to the other, and to nobody else."""
        self._neighbour(sender, 'replace', receiver, 'lladdr', _NOBODY, 'nud', 'permanent')
        self.parted.add((sender, receiver))

    def join(self, sender, receiver):
        self._neighbour(sender, 'delete', receiver)
        self.parted.discard((sender, receiver))

    def _neighbour(self, node, what, other, *how):
        if self.lab.run(node, 'ip', 'neighbour', what, f'10.77.0.{other}', 'dev', 'link0',
                        *how) is None:
            raise RuntimeError(f'ip neighbour {what} failed on node {node}')

    def deafen(self, node, other):
        """The two do not hear each other, and everybody else does: there is no end of syncs."""
        self.lab.deafen(node, other)
        self.deaf.add((node, other))

    def hear(self, node, other):
        self.lab.hear(node, other)
        self.deaf.discard((node, other))

    def lose(self, node, percent):
        """So many packets to the node are lost, while others send messages: their queues fill."""
        self.lab.lose(node, percent)
        senders = [other for other in self.lab.nodes
                   if other not in self.off | self.frozen | {node}]
        self.losing[node] = Traffic(self.lab, senders, _MESSAGES_A_SECOND, _MESSAGE_BYTES)

    def lose_none(self, node):
        self.losing.pop(node).stop()
        self.lab.lose(node, 0)

    def end_traffic(self):
        for traffic in self.losing.values():
            traffic.stop()

    # --- resources ---

    def fill_shm(self, node):
        """No more than now fits into the node's /dev/shm."""
        # Where somebody connects meanwhile, the size is refused as too small.
        wait_until(lambda: self._limit_shm(node, self._used_shm(node)), _TOOL_SECONDS,
                   f"node {node}'s /dev/shm is full")
        self._begin_starving(node)
        self.full.add(node)

    def free_shm(self, node):
        if not self._limit_shm(node, '50%'):
            raise RuntimeError(f"node {node}'s /dev/shm keeps its size")
        self.full.discard(node)
        self._end_starving(node)

    def _used_shm(self, node):
        shm = os.statvfs(f'/proc/{self.lab.holder(node)}/root/dev/shm')
        # A size of 0 would be no limit at all, and none could be set any more.
        return max(1, shm.f_blocks - shm.f_bfree) * shm.f_bsize

    def _limit_shm(self, node, size):
        return self.lab.run(node, 'mount', '-o', f'remount,size={size}', '/dev/shm') is not None

    def starve(self, exporter, spare):
        """The exporter can open so many descriptors, and no more."""
        open_ones = {int(file.name) for file in pathlib.Path(f'/proc/{exporter.pid}/fd').iterdir()}
        free = [number for number in range(max(open_ones) + spare + 2) if number not in open_ones]
        before = resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, (free[spare], before[1]))
        self._begin_starving(exporter.node)
        self.starved[exporter.node] = before

    def feed(self, exporter):
        before = self.starved.pop(exporter.node)
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, before)
        self._end_starving(exporter.node)

    def _begin_starving(self, node):
        if node not in self.full and node not in self.starved:
            self.fates[node].starved.append([time.time(), None])

    def _end_starving(self, node):
        if node not in self.full and node not in self.starved:
            self.fates[node].starved[-1][1] = time.time()

    # --- all of it ---

    def undo(self):
        """The cluster is whole, and as it was made. Starved exporters are fed by who has them."""
        for node in sorted(self.wires):
            self.shorten(node)
        for node in sorted(self.cut):
            self.heal(node)
        for pair in sorted(self.parted):
            self.join(*pair)
        for pair in sorted(self.deaf):
            self.hear(*pair)
        for node in sorted(self.losing):
            self.lose_none(node)
        for node in sorted(self.full):
            self.free_shm(node)
        for node in sorted(self.frozen):
            self.thaw(node)
        for node in sorted(self.off):
            self.start(node)
        for node in self.lab.nodes:
            wait_until(lambda: self._sees_all(node), _WHOLE_SECONDS, f'node {node} sees all others')
        # Votes are what corosync.conf says again, and so are those expected.
        self.more_nodes = False
        wait_until(lambda: self._read_anew(1, self.lab.conf()), _WHOLE_SECONDS,
                   'all read corosync.conf again')
        for node in self.lab.nodes:
            self.set_votes(node, 1)
        self.expect(1, len(self.lab.nodes))
        self.lab.mend()

    def _sees_all(self, node):
        return lab.members(self.lab.cmap(node)) == set(self.lab.nodes)


def _timed(do, *what):
    begin = time.time()
    do(*what)
    return Span(begin, time.time())
