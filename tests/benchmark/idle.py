# SPDX-License-Identifier: Apache-2.0
"""What the exporter costs while nobody asks it, and until it can first be asked."""

import statistics
import subprocess
import sys
import time

import bench
from bench import mebibytes

ADDRESS = '127.0.0.1:10056'
_PORT = int(ADDRESS.partition(':')[2])
NODES = 3


def measure(quick):
    seconds, starts = (6, 3) if quick else (60, 21)
    with bench.cluster(NODES) as cluster:
        corosync = cluster.pid(bench.NODE)
        bench.note('idle: corosync alone')
        alone = _cost({'corosync': corosync}, seconds)['corosync']
        with bench.running(bench.exporter_command(cluster, ADDRESS)) as exporter:
            bench.wait_for_full_page(cluster, ADDRESS, NODES)
            bench.note('idle: with an exporter')
            costs = _cost({'exporter': exporter.pid, 'corosync': corosync}, seconds)
            plain = _memory_after_scrapes(cluster, exporter.pid)
        bench.note('idle: TLS')
        tls = _memory_with_tls(cluster)
        bench.note('idle: starts')
        times = [_start(cluster) for _ in range(starts)]
    return _report(seconds, alone, costs, plain, tls, times)


def _cost(pids, seconds):
    """{name: (times that it went to sleep, milliseconds of CPU), a minute}"""
    before = {name: (bench.switches(pid), bench.own_cpu(pid)) for name, pid in pids.items()}
    time.sleep(seconds)
    return {name: ((bench.switches(pid) - before[name][0]) * 60 / seconds,
                   (bench.own_cpu(pid) - before[name][1]) * 60e3 / seconds)
            for name, pid in pids.items()}


_SCRAPES = 100


def _memory_after_scrapes(cluster, pid):
    """What it takes before and after, and how many there were."""
    before = bench.memory(pid)
    requests = sum(bench.wrk(cluster, ADDRESS, 1, keep=False, path=path)['requests']
                   for path in ('/metrics', '/', '/api/v1/status'))
    return before, bench.memory(pid), requests


def _memory_with_tls(cluster):
    from certificates import Authority  # pylint: disable=import-outside-toplevel
    work = cluster.directory.parent
    authority = Authority(work / 'ca')
    shown = authority.issue('node1')
    (work / 'web.yml').write_text(
        f'tls_server_config: {{cert_file: {shown.certificate}, key_file: {shown.key}}}\n')
    with bench.running(bench.exporter_command(
            cluster, ADDRESS, f"--web.config.file={work / 'web.yml'}")) as exporter:
        def scraped():
            return cluster.run(bench.NODE, 'curl', '-sf', '--cacert', authority.certificate,
                               f'https://{ADDRESS}/metrics')
        bench.wait_until(lambda: 'corosync_totem' in (scraped() or ''), 30, 'HTTPS answers')
        for _ in range(_SCRAPES):
            assert scraped()
        return bench.memory(exporter.pid)


# Runs in the node, so that it need not be entered at each try: from the start of the program to the
# first page that has all.
_FIRST_PAGE = '''
import socket, subprocess, sys, time
port, *command = sys.argv[1:]
def page():
    with socket.create_connection(('127.0.0.1', int(port)), timeout=5) as client:
        client.sendall(b'GET /metrics HTTP/1.1\\r\\nHost: node\\r\\n\\r\\n')
        return b''.join(iter(lambda: client.recv(65536), b''))
start = time.monotonic()
process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
served = None
try:
    while True:
        try:
            text = page()
            served = served or time.monotonic()
            if b'\\ncorosync_quorate 1' in text and b'\\ncorosync_totem_retransmits_total' in text \\
                    and b'\\ncorosync_link_connected' in text:
                break
        except ConnectionRefusedError:
            pass
        if time.monotonic() - start > 10:
            sys.exit('no full page within 10 s')
        time.sleep(0.0005)
    print(served - start, time.monotonic() - start)
finally:
    process.terminate()
    process.wait()
'''


def _start(cluster):
    """Milliseconds until it answers, and until the page is full."""
    done = subprocess.run(
        cluster.command(bench.NODE, sys.executable, '-c', _FIRST_PAGE, _PORT, bench.EXPORTER,
                        f'--web.listen-address={ADDRESS}', '--log.level=warn'),
        capture_output=True, text=True, check=True, cwd=bench.ROOT)
    served, full = map(float, done.stdout.split())
    return served * 1e3, full * 1e3


def _report(seconds, alone, costs, plain, tls, times):
    exporter, corosync = costs['exporter'], costs['corosync']
    idle, used, requests = plain
    served, full = ([pair[column] for pair in times] for column in (0, 1))
    return '\n\n'.join([
        f'A real cluster of {NODES} nodes with one link; {seconds} s each, nobody scrapes, default '
        f'flags. {len(times)} starts on a running corosync.',
        bench.table(['a minute', 'times asleep', 'CPU, ms', 'of a core'], [
            [name, wakes, milliseconds, f'{milliseconds / 600:.3f} %']
            for name, (wakes, milliseconds) in (
                ('corosync-exporter', exporter), ('corosync with it', corosync),
                ('corosync alone', alone))]),
        bench.table(['memory', 'RssAnon', 'RssShmem', 'RSS'], [
            [when, *(mebibytes(memory[kind]) for kind in ('anonymous', 'shared', 'resident'))]
            for when, memory in (
                ('before the first scrape', idle), (f'after {requests:,} requests of all pages', used),
                (f'with TLS, after {_SCRAPES} scrapes', tls))]),
        bench.table(['start-up, ms', 'median', 'longest'], [
            ['until it answers', statistics.median(served), max(served)],
            ['until a page with everything', statistics.median(full), max(full)]])])
