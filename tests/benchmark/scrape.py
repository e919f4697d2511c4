# SPDX-License-Identifier: Apache-2.0
"""What a scrape costs, side by side: this exporter, ha_cluster_exporter, and servers that only
write the same bytes. All by turns in one run: the ratios hold on any machine."""

import statistics
import subprocess
import threading
import time

import bench
from bench import figure

NODES = 3
SERVERS = ('exporter', 'ha_cluster_exporter', 'nginx', 'static')
# In the node's own network nothing else listens.
ADDRESS = {name: f'127.0.0.1:{10056 + number}' for number, name in enumerate(SERVERS)}

_NGINX = '''daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.log;
events {{}}
http {{
  access_log off; sendfile on; tcp_nopush on;
  server {{ listen {address}; location / {{ root {work}; default_type text/plain; }} }}
}}
'''


def measure(quick):
    rounds, seconds = (1, 1) if quick else (5, 3)
    with bench.cluster(NODES) as cluster:
        return _compare(cluster, rounds, seconds)


def _compare(cluster, rounds, seconds):
    corosync = cluster.pid(bench.NODE)
    work = cluster.directory.parent
    shm_before, (open_before, _) = bench.shm_bytes(cluster), bench.ipc_connections(cluster)
    with bench.running(bench.exporter_command(cluster, ADDRESS['exporter'])) as exporter:
        bench.wait_for_full_page(cluster, ADDRESS['exporter'], NODES)
        kept_shm = bench.shm_bytes(cluster) - shm_before
        kept_connections = bench.ipc_connections(cluster)[0] - open_before
        _write_answer(cluster, work)
        with bench.running(_hacluster(cluster)) as hacluster, \
                bench.running(_nginx(cluster, work)) as nginx, \
                bench.running(_static(cluster, work)) as static:
            pids = dict(zip(SERVERS, (p.pid for p in (exporter, hacluster, nginx, static))))
            for name in SERVERS:
                bench.wait_until(lambda name=name: bench.page(cluster, ADDRESS[name]), 15,
                                 f'{name} answers')
            alone = _cpu_rate(corosync, 3 * seconds)
            rows = {(keep, name): [] for keep in (False, True) for name in SERVERS}
            for number in range(rounds):
                bench.note(f'scrape: round {number + 1} of {rounds}')
                for keep, name in rows:
                    rows[keep, name].append(
                        _measure(cluster, corosync, pids[name], name, seconds, keep, alone))
    size = (work / 'metrics').stat().st_size
    return _report(rows, size, seconds, kept_connections, kept_shm)


def _write_answer(cluster, work):
    answer = cluster.run(bench.NODE, 'curl', '-si', f"http://{ADDRESS['exporter']}/metrics")
    (work / 'answer').write_text(answer, newline='')
    (work / 'metrics').write_text(bench.page(cluster, ADDRESS['exporter']))


def _hacluster(cluster):
    """As Debian ships it; of its collectors it runs those whose tools are there: corosync's."""
    return cluster.command(bench.NODE, 'ha_cluster_exporter', '--log.level=error',
                           f"--web.listen-address={ADDRESS['ha_cluster_exporter']}")


def _nginx(cluster, work):
    (work / 'nginx.conf').write_text(_NGINX.format(work=work, address=ADDRESS['nginx']))
    work.chmod(0o755)
    return cluster.command(bench.NODE, 'nginx', '-c', work / 'nginx.conf')


def _static(cluster, work):
    return cluster.command(bench.NODE, bench.BUILD / 'tests' / 'benchmark' / 'static_answer',
                           ADDRESS['static'], work / 'answer')


def _cpu_rate(pid, seconds):
    before, start = bench.own_cpu(pid), time.monotonic()
    time.sleep(seconds)
    return (bench.own_cpu(pid) - before) / (time.monotonic() - start)


class _ShmPeak:
    """The most that /dev/shm held meanwhile, more than at the beginning."""

    def __init__(self, cluster):
        self._cluster = cluster
        self._before = self._most = bench.shm_bytes(cluster)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self):
        while not self._over.wait(0.02):
            self._most = max(self._most, bench.shm_bytes(self._cluster))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def bytes(self):
        return self._most - self._before


def _measure(cluster, corosync, pid, name, seconds, keep, alone):
    _, opened = bench.ipc_connections(cluster)
    with _ShmPeak(cluster) as shm:
        start, before, corosync_before = time.monotonic(), bench.cpu(pid), bench.own_cpu(corosync)
        row = bench.wrk(cluster, ADDRESS[name], seconds, keep)
        passed = time.monotonic() - start
        used = bench.cpu(pid) - before
        corosync_used = bench.own_cpu(corosync) - corosync_before - alone * passed
    # The query that asked first counts as opened since.
    opened = bench.ipc_connections(cluster)[1] - opened - 1
    requests = row['requests']
    return row | {'cpu': used / requests * 1e6, 'corosync': corosync_used / requests * 1e6,
                  'corosync_share': corosync_used / passed * 100, 'rate': requests / passed,
                  'opened': opened / requests, 'shm': shm.bytes()}


def _titles():
    # Debian's answers --version with none; it may have been installed otherwise.
    asked = subprocess.run(['dpkg-query', '--show', '--showformat=${source:Upstream-Version}',
                            'prometheus-hacluster-exporter'], capture_output=True, text=True)
    return {'exporter': 'corosync-exporter',
            'ha_cluster_exporter': f'ha_cluster_exporter {asked.stdout}'.rstrip(),
            'nginx': 'nginx, the same bytes', 'static': 'civetweb, the same bytes'}


def _report(rows, size, seconds, kept_connections, kept_shm):
    titles = _titles()
    parts = [
        f'A real cluster of {NODES} nodes, one client that asks as fast as it is answered, for '
        f'{seconds} s by turns; medians of {len(next(iter(rows.values())))} rounds; a page of '
        f'{size:,} bytes. CPU is that of the server with all its children.']
    for keep, title in ((False, 'Each scrape on a connection of its own'),
                        (True, 'One connection, where the server keeps it')):
        lines = []
        for name in SERVERS:
            taken = rows[keep, name]
            lines.append([titles[name], *(bench.median(taken, what) for what in
                                           ('p50', 'p99', 'rate', 'cpu')),
                          f"{bench.median(taken, 'corosync'):.2f}"])
        parts += [f'{title}:', bench.table(
            ['', 'p50, µs', 'p99, µs', 'scrapes/s', 'CPU a scrape, µs',
             'of corosync a scrape, µs'], lines), _ratios(rows, keep)]
    parts.append(_ipc(rows, titles, kept_connections, kept_shm))
    return '\n\n'.join(parts)


def _ratios(rows, keep):
    def of(name, what):
        # Of each round, as the machine's noise lasts longer than a round.
        return statistics.median(
            theirs[what] / ours[what]
            for theirs, ours in zip(rows[keep, name], rows[keep, 'exporter']))
    share = bench.median(rows[keep, 'exporter'], 'corosync_share')
    return (f"So ha_cluster_exporter takes {figure(of('ha_cluster_exporter', 'cpu'))} times our "
            f"CPU, and we {figure(1 / of('static', 'p50'))} times the static answer's p50 and "
            f"{figure(1 / of('static', 'cpu'))} times its CPU. Under our scrapes corosync took "
            f'{share:+.2f} % of a core more than without.')


def _ipc(rows, titles, kept_connections, kept_shm):
    theirs = rows[False, 'ha_cluster_exporter']
    opened = bench.median(rows[False, 'exporter'], 'opened')
    return bench.table(
        ['', 'IPC connections kept', 'opened a scrape', '/dev/shm'],
        [[titles['exporter'], str(kept_connections), f'{opened:.3f}', bench.mebibytes(kept_shm)],
         [titles['ha_cluster_exporter'], '0', bench.median(theirs, 'opened'),
          f"up to {bench.mebibytes(max(row['shm'] for row in theirs))} meanwhile"]])
