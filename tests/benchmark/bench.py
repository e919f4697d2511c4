# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: a cluster, processes in its first node and what they cost, tables."""

import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / 'build' / 'bench'
EXPORTER = BUILD / 'exporter' / 'corosync-exporter'

sys.path.insert(0, str(ROOT / 'tests' / 'cluster'))
os.environ['COROSYNC_EXPORTER'] = str(EXPORTER)  # for what is shared with the tests

# pylint: disable=wrong-import-position
from lab import Lab  # noqa: E402
from waiting import wait_until  # noqa: E402

NODE = 1  # the node that everything runs on


@contextlib.contextmanager
def cluster(nodes=3, links=1, **conf):
    """A real cluster, whole; conf are variations, see lab.corosync_conf."""
    with tempfile.TemporaryDirectory() as directory:
        made = Lab(pathlib.Path(directory) / 'lab', nodes=nodes, links=links, **conf)
        made.directory.parent.mkdir(exist_ok=True)
        try:
            made.up()
            made.mend()
            yield made
        finally:
            made.down()


@contextlib.contextmanager
def running(command, log=subprocess.DEVNULL):
    """A process, ended with SIGTERM."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def exporter_command(made, address, *flags, node=NODE, before=()):
    """`before` is put before the program."""
    return made.command(node, *before, EXPORTER, f'--web.listen-address={address}', '--log.level=warn',
                        *flags)


def page(made, address, path='/metrics'):
    """What a server in the node answers; empty where it does not."""
    return made.run(NODE, 'curl', '-sf', f'http://{address}{path}') or ''


def wait_for_full_page(made, address, members):
    """The exporter knows the whole cluster and has read all that it reads. Returns the page."""
    def full():
        text = page(made, address)
        has = text.split('\n').__contains__
        return text if has('corosync_quorate 1') and has(f'corosync_members {members}') and \
            'corosync_totem_retransmits_total ' in text else None
    return wait_until(full, 30, 'the exporter has a full page')


# --- what a process costs ---


def _stat(pid):
    # The command's name is the only field that may hold blanks.
    return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()


def own_cpu(pid):
    """Seconds that the threads it has now have run, to the nanosecond."""
    total = 0
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int((task / 'schedstat').read_text().split()[0])
    return total * 1e-9


def cpu(pid):
    """Seconds of processor time: its own, and of all children that it has seen end."""
    children = sum(map(int, _stat(pid)[13:15]))
    return own_cpu(pid) + children / os.sysconf('SC_CLK_TCK')


def status(pid):
    """/proc/PID/status: {field: words}."""
    lines = pathlib.Path(f'/proc/{pid}/status').read_text().splitlines()
    return dict(line.split(':\t', 1) for line in lines if ':\t' in line)


def memory(pid):
    """Bytes: all that is resident; of it its own, and what it shares with corosync, which has
    libqb's rings in /dev/shm anyway: 18 MiB that turn up here little by little, as they turn."""
    now = status(pid)

    def kib(field):
        return int(now[field].split()[0])
    return {'resident': kib('VmRSS') * 1024, 'anonymous': kib('RssAnon') * 1024,
            'shared': kib('RssShmem') * 1024}


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def threads(pid):
    return int(status(pid)['Threads'])


def switches(pid):
    """How often its threads went to sleep: what wakes them up, wakes a processor."""
    total = 0
    for task in pathlib.Path(f'/proc/{pid}/task').iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            match = re.search(r'^voluntary_ctxt_switches:\s*(\d+)', (task / 'status').read_text(),
                              re.MULTILINE)
            total += int(match[1])
    return total


def shm_bytes(made, node=NODE):
    """What libqb's connections of the node take of its /dev/shm."""
    root = pathlib.Path(f'/proc/{made.holder(node)}/root/dev/shm')
    total = 0
    for directory in root.glob('qb-*/'):
        with contextlib.suppress(FileNotFoundError):  # connections come and go
            total += sum(file.stat().st_blocks * 512 for file in directory.iterdir())
    return total


def ipc_connections(made, node=NODE):
    """(open now, ever opened), without the one that asks."""
    said = made.statistics(node, 'stats.ipcs.global.')
    active = int(said['stats.ipcs.global.active']) - 1
    return active, active + int(said['stats.ipcs.global.closed'])


# --- wrk ---


def _microseconds(text):
    number, unit = re.fullmatch(r'([\d.]+)(us|ms|s|m)', text).groups()
    return float(number) * {'us': 1, 'ms': 1e3, 's': 1e6, 'm': 6e7}[unit]


def wrk(made, address, seconds, keep, path='/metrics'):
    """One client, as fast as it is answered: {'p50': µs, 'p99': µs, 'requests': n}."""
    header = () if keep else ('--header', 'Connection: close')
    said = made.run(NODE, 'wrk', '--threads', 1, '--connections', 1, '--duration', f'{seconds}s',
                    '--timeout', '10s', '--latency', *header, f'http://{address}{path}')
    if said is None or re.search('Socket errors|Non-2xx', said):
        raise RuntimeError(f'wrk met errors on {address}: {said}')
    part = dict(re.findall(r'^ +(50|99)% +(\S+)$', said, re.MULTILINE))
    return {'p50': _microseconds(part['50']), 'p99': _microseconds(part['99']),
            'requests': int(re.search(r'(\d+) requests in', said)[1])}


# --- telling ---


def note(*words):
    print(*words, file=sys.stderr, flush=True)


def median(rows, name):
    return statistics.median(row[name] for row in rows)


def figure(value):
    """Three digits that count, and no more."""
    if value is None:
        return '–'
    if isinstance(value, str):
        return value
    if abs(value) >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def table(head, rows):
    """A table of Markdown."""
    lines = ['| ' + ' | '.join(head) + ' |', '| ' + ' | '.join(['---'] * len(head)) + ' |']
    lines += ['| ' + ' | '.join(map(figure, row)) + ' |' for row in rows]
    return '\n'.join(lines)


def mebibytes(count):
    return f'{count / 2**20:.1f} MiB'
