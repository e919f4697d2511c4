# SPDX-License-Identifier: Apache-2.0
"""What the exporter costs between scrapes, in itself and in corosync, which runs at realtime
priority: corosync's CPU time without an exporter and with one at its default settings, in one run."""

import re
import statistics
import time

import bench


def measure(quick):
    sizes, seconds = ((3,), 11) if quick else ((3, 8, 16), 40)
    rows = []
    for nodes in sizes:
        bench.note(f'reading: {nodes} nodes')
        rows.append(_measure(nodes, seconds))
    return '\n\n'.join([
        f'A node of a real cluster with one link, {seconds} s each, nobody scrapes, default flags. '
        'CPU in percent of a core; of corosync, what it takes without an exporter, and how much '
        'more with one.',
        bench.table(['nodes', 'readings', 'median, ms', 'longest, ms', 'exporter', 'corosync alone',
                     'more with it'], rows)])


def _measure(nodes, seconds):
    with bench.cluster(nodes) as cluster:
        corosync = cluster.pid(bench.NODE)
        alone, = _percent(seconds, corosync)
        log = cluster.directory.parent / 'log'
        with log.open('w') as file, bench.running(
                cluster.command(bench.NODE, bench.EXPORTER, '--log.level=debug'), file) as exporter:
            bench.wait_until(lambda: _readings(log), 30, 'the exporter has read all once')
            own, both = _percent(seconds, exporter.pid, corosync)
        # The first reading also connects and reads the nodelist.
        times = _readings(log)[1:]
    return [str(nodes), str(len(times)), statistics.median(times), max(times), f'{own:.3f}',
            f'{alone:.3f}', f'{both - alone:+.3f}']


def _percent(seconds, *pids):
    """What each of the processes takes of a core."""
    before = [bench.own_cpu(pid) for pid in pids]
    time.sleep(seconds)
    return [(bench.own_cpu(pid) - begin) * 100 / seconds for pid, begin in zip(pids, before)]


def _readings(log):
    """Milliseconds of each so far."""
    return [float(value) * 1e3 for value in
            re.findall(r'msg=read statistics=true seconds=(\S+)', log.read_text())]
