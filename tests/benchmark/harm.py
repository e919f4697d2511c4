# SPDX-License-Identifier: Apache-2.0
"""What it costs corosync to be watched where things are bad: its CPU, at realtime priority, without
exporters and with one on each node by turns, and how long a request of theirs lay there. A request
that corosync may not read yet keeps its loop spinning."""

import contextlib
import dataclasses
import statistics
import subprocess
import sys
import threading
import time

import bench
from bench import wait_until

# pylint: disable=wrong-import-order
import namespaces
from exposition import Page
from ipc_trace import IpcTrace, longest
from look import Look
from stalls import Stalls, stalled
from traffic import Traffic

NODES = 3
_PORT = 10056
_ADDRESS = f'127.0.0.1:{_PORT}'

# Within so much corosync is not harmed: one of the two.
RATIO = 1.1
SECONDS_A_MINUTE = 0.1

_SCRAPE_SECONDS = 5
_LOOK_SECONDS = 1.5

# Between an exporter's first page and the trouble, and as long without one.
_REST_SECONDS = 3


class Calm:
    """The conditions are like this one. A lap() takes so many seconds, and begins as it ends."""

    title = 'calm'
    conf = {}

    def __init__(self, cluster):
        self.cluster = cluster

    def begin(self):
        pass

    def lap(self, seconds):
        time.sleep(seconds)

    def end(self):
        pass


class Loss(Calm):
    """Flow control: corosync reads no request while its own queue is full."""

    title = '10 % of what comes to node 2 lost, with traffic'
    lossy, percent = 2, 10
    senders, messages_a_second, size = (1, 3), 20, 900

    def begin(self):
        self._traffic = Traffic(self.cluster, self.senders, self.messages_a_second, self.size)
        self._traffic.wait_until_joined()
        self.cluster.lose(self.lossy, self.percent)

    def end(self):
        self._traffic.stop()
        self.cluster.lose(self.lossy, 0)


class Partition(Calm):
    """Not transitive: there is one sync after the other, and none ends with a ring."""

    title = 'nodes 1 and 3 do not hear each other, 2 hears both'

    def begin(self):
        self.cluster.deafen(1, 3)

    def end(self):
        self.cluster.hear(1, 3)


class SilentDevice(Calm):
    """Each new ring waits for the device's vote, and corosync reads no request meanwhile."""

    title = "node 1's quorum device does not vote, nodes come and go"
    conf = {'device': {'votes': 1, 'sync_timeout': 8000}}

    # A node that is cut off is missed after 4 s, one that is back is found after 2; then the sync.
    _step_seconds = 15

    def begin(self):
        self._device = subprocess.Popen(
            self.cluster.command(1, sys.executable, bench.ROOT / 'tests/cluster/fake_qdevice.py'),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def lap(self, seconds):
        begin = time.monotonic()
        count = 2 * max(1, int(seconds // (2 * self._step_seconds)))
        for number in range(count):
            # It is waited for if it has voted before.
            self._vote()
            self._tell('silent')
            (self.cluster.heal if number % 2 else self.cluster.cut)(3)
            time.sleep(max(0, begin + (number + 1) * seconds / count - time.monotonic()))

    def end(self):
        self.cluster.heal(3)
        self._tell('leave')
        self._device.stdin.close()
        self._device.wait(timeout=20)
        self._device.stdout.close()

    def _vote(self):
        status = wait_until(lambda: self.cluster.status(1), 30, 'node 1 says its ring')
        self._tell('vote', f'{status.ring_leader}.{status.ring_sequence:x}')

    def _tell(self, *words):
        print(*words, file=self._device.stdin, flush=True)
        if self._device.stdout.readline() != 'ok\n':
            raise RuntimeError(f"the device does not do: {' '.join(words)}")


class Freezes(Calm):
    """A frozen corosync reads nothing."""

    title = 'node 2 frozen for 10 s'
    _freeze_seconds = 10
    _rest_seconds = 10

    def lap(self, seconds):
        begin = time.monotonic()
        count = max(1, int(seconds // (self._freeze_seconds + self._rest_seconds)))
        for number in range(count):
            self.cluster.freeze(2)
            time.sleep(self._freeze_seconds)
            self.cluster.thaw(2)
            time.sleep(max(0, begin + (number + 1) * seconds / count - time.monotonic()))


@dataclasses.dataclass
class Turn:
    cpu: dict  # of each node's corosync, seconds a minute
    request: float = 0.0  # the longest
    stalled: float = 0.0  # of it the machine stood still for so long
    connection: float = 0.0
    requests: float = 0.0  # a minute, of each exporter
    connections: float = 0.0
    waited: float = 0.0  # for answers, seconds a minute: corosync did not spin for longer
    pages: int = 0
    pages_down: int = 0  # of them said corosync_up 0
    looks: int = 0
    answered: int = 0  # of them
    denied: int = 0  # of these, the page thereafter said corosync_up 0


def measure(quick):
    parts = []
    #             lap, lap with looks, turns of each kind
    for condition, seconds, look_seconds, turns in (
            (Calm, 30, 10, 3), (Loss, 30, 15, 8), (Partition, 30, 15, 3),
            (SilentDevice, 30, 30, 2), (Freezes, 40, 20, 2)):
        if quick:
            seconds, look_seconds, turns = look_seconds, look_seconds / 2, 1
        with bench.cluster(NODES, **condition.conf) as cluster:
            alone, watched = _by_turns(condition(cluster), seconds, look_seconds, turns)
        parts.append((condition.title, seconds, alone, watched))
    return _report(parts)


def _by_turns(condition, seconds, look_seconds, turns):
    alone, watched = [], []
    for number in range(turns):
        for kind, taken in (('without', alone), ('with', watched)):
            bench.note(f'harm: {condition.title}, {kind} exporters, {number + 1} of {turns}')
            taken.append(_turn(condition, taken is watched, seconds, look_seconds))
    return alone, watched


def _turn(condition, is_watched, seconds, look_seconds):
    cluster = condition.cluster
    traces = {}
    with contextlib.ExitStack() as stack:
        if is_watched:
            for node in cluster.nodes:
                traces[node] = IpcTrace(_new(cluster.directory.parent / f'trace-{node}'))
                stack.enter_context(bench.running(bench.exporter_command(
                    cluster, _ADDRESS, node=node, before=traces[node].prefix())))
            for node in cluster.nodes:
                wait_until(lambda: _has_read_all(cluster, node), 30,
                           f'the exporter of node {node} has read all once')
        time.sleep(_REST_SECONDS)
        stalls = Stalls()
        stack.callback(stalls.stop)
        begin, before = time.monotonic(), _cpu(cluster)
        condition.begin()
        # The looks cost corosync something too, so they have a lap of their own.
        with _meanwhile(cluster, _scrape, _SCRAPE_SECONDS, is_watched) as pages:
            condition.lap(seconds)
        end = time.monotonic()
        minutes = (end - begin) / 60
        turn = Turn({node: (taken - before[node]) / minutes
                     for node, taken in _cpu(cluster).items()})
        with _meanwhile(cluster, _look, _LOOK_SECONDS, is_watched) as looks:
            condition.lap(look_seconds)
        condition.end()
        # Before they end: a request that lies there still counts until now.
        requests = [wait for trace in traces.values() for wait in trace.requests()]
        connections = [wait for trace in traces.values() for wait in trace.connections()]
    turn.waited = sum(wait.seconds for wait in requests
                      if begin <= wait.begin <= end) / minutes / len(cluster.nodes)
    turn.connection = longest(connections)
    for wait in requests:
        if wait.seconds > turn.request:
            turn.request, turn.stalled = wait.seconds, _stalled(stalls, wait)
    turn.requests, turn.connections = (
        sum(begin <= wait.begin <= end for wait in waits) / minutes / len(cluster.nodes)
        for waits in (requests, connections))
    turn.looks, turn.answered = len(looks), sum(answered for answered, _ in looks)
    turn.denied = sum(answered and up == 0 for answered, up in looks)
    ups = [up for up in (*pages, *(up for _, up in looks)) if up is not None]
    turn.pages, turn.pages_down = len(ups), ups.count(0)
    cluster.mend()
    return turn


def _stalled(stalls, wait):
    since = time.time() - time.monotonic()
    return stalled(stalls.spans, since + wait.begin, since + wait.end)


def _new(file):
    file.write_text('')
    return file


def _cpu(cluster):
    return {node: cluster.cpu_seconds(node) for node in cluster.nodes}


def _page(cluster, node):
    return Page(namespaces.request(cluster.holder(node), _PORT, '/metrics').body)


def _has_read_all(cluster, node):
    with contextlib.suppress(ConnectionRefusedError):
        return _page(cluster, node).find('corosync_totem_retransmits_total') is not None


def _scrape(cluster, node, is_watched):
    return _page(cluster, node).value('corosync_up') if is_watched else None


def _look(cluster, node, is_watched):
    """Whether it was answered, and corosync_up thereafter."""
    answered = Look.at(cluster, node).answered
    return answered, _scrape(cluster, node, is_watched)


@contextlib.contextmanager
def _meanwhile(cluster, action, interval, is_watched):
    """Does something on each node again and again. Gives a list of what came of it."""
    over = threading.Event()
    results, errors = [], []

    def run(node):
        try:
            while not over.wait(interval):
                results.append(action(cluster, node, is_watched))
        except Exception as error:  # pylint: disable=broad-except; raised below
            errors.append(error)
    threads = [threading.Thread(target=run, args=(node,), daemon=True) for node in cluster.nodes]
    for thread in threads:
        thread.start()
    try:
        yield results
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


# --- telling ---


def _report(parts):
    costs, waits = [], []
    for title, seconds, alone, watched in parts:
        for node in alone[0].cpu:
            costs.append(_cost(f'{title} ({len(alone)} turns of {seconds:g} s)', node,
                               [turn.cpu[node] for turn in alone],
                               [turn.cpu[node] for turn in watched]))
        waits.append([
            title, statistics.median(turn.requests for turn in watched),
            statistics.median(turn.connections for turn in watched),
            statistics.median(turn.waited for turn in watched),
            max(turn.waited for turn in watched),
            *max((turn.request, turn.stalled) for turn in watched),
            max(turn.connection for turn in watched),
            _of(watched, 'pages_down', 'pages'), _of(alone, 'answered', 'looks'),
            _of(watched, 'answered', 'looks'), str(sum(turn.denied for turn in watched))])
    missed = [f'{row[1]} {row[0]}' for row in costs if row[-1] == 'no']
    return '\n\n'.join([
        f'Real clusters of {NODES} nodes with one link, without exporters and with one on each node by '
        f'turns, scraped every {_SCRAPE_SECONDS} s, default flags. CPU of corosync in seconds a '
        'minute, in the median of the turns and at most. No harm is no more than '
        f'{RATIO} times as much or {SECONDS_A_MINUTE} s a minute more, in the medians.',
        bench.table(['', 'node', 'without', 'at most', 'with', 'at most', 'times', 'more',
                     'no harm'], costs),
        'How often an exporter asked corosync and connected to it, a minute, and for how long it waited '
        'for all of the answers, seconds a minute, in the median of the turns and at most: if corosync '
        'spins while a request lies there, it cannot be for longer. Until a request was answered, '
        'refused or taken back, and until a connection was made, which cannot be taken back: the '
        'longest of all turns, in seconds. Corosync comes first on both cores, so the machine may stand '
        'still for everybody else, and with it who takes a request back. After each turn a fresh '
        f'corosync-quorumtool is asked on each node every {_LOOK_SECONDS} s, and has 2 s to be '
        'answered.',
        bench.table(['', 'requests', 'connections', 'waited', 'at most', 'longest request',
                     'of it stood still', 'longest connection', 'pages with corosync_up 0',
                     'looks answered without', 'with', 'of them denied by corosync_up 0'], waits),
        'Harm: ' + ('; '.join(missed) or 'none') + '.'])


def _cost(title, node, alone, watched):
    without, beside = statistics.median(alone), statistics.median(watched)
    is_fine = beside <= max(RATIO * without, without + SECONDS_A_MINUTE)
    return [title, f'node {node}', without, max(alone), beside, max(watched),
            f'{beside / without:.2f}', f'{beside - without:+.2f}', 'yes' if is_fine else 'no']


def _of(turns, some, every):
    return (f'{sum(getattr(turn, some) for turn in turns)} of '
            f'{sum(getattr(turn, every) for turn in turns)}')
