# SPDX-License-Identifier: Apache-2.0
"""Whether the exporter grows: it is scraped ten times a second while the cluster changes, on a fake
corosync twice a second and on a real one as often as that can be, and watched meanwhile."""

import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

import bench

SCRAPES_A_SECOND = 10
EVENTS_A_SECOND = 2
_PATHS = ('/metrics', '/metrics', '/metrics', '/api/v1/status', '/')
LEAK_TO_NOTICE = 100  # bytes an event
# What malloc's caches of threads hold counts as in use, and they fill up for a long time.
WITHOUT_CACHES = ('GLIBC_TUNABLES', 'glibc.malloc.tcache_count=0')
ADDRESS = '127.0.0.1:10056'


def measure(quick, seconds=None):
    """Fails if something grows."""
    seconds = seconds or (20 if quick else 600)
    over = threading.Event()
    runs = {'fake corosync': _Background(lambda: on_fake(seconds, over), over),
            'real cluster': _Background(lambda: on_cluster(seconds, over), over)}
    try:
        for run in runs.values():
            run.start()
        watches = {name: run.result() for name, run in runs.items()}
    finally:  # also where one has failed, or this process is to end: each ends what it started
        over.set()
        for run in runs.values():
            with contextlib.suppress(Exception):
                run.result()
    leaks = [f'{name}: {words}' for name, watch in watches.items() for words in watch.growing()]
    text = '\n\n'.join([
        '10 scrapes a second, of all pages, without malloc\'s caches of threads. The fake has 2 '
        'events a second; on the real cluster nodes are killed and cut off all the while, the own '
        'one too, and an event is a callback that arrives. The last column is a fit with its '
        'standard error. A leak is what grows by more than chance, and an event by more than '
        f'{LEAK_TO_NOTICE // 2} bytes of heap, {LEAK_TO_NOTICE} of RssAnon where the heap is not '
        'seen, 0.1 KiB of /dev/shm, or 0.001 descriptors or threads.',
        *(watch.table(name) for name, watch in watches.items()),
        'Leaks: ' + ('; '.join(leaks) or 'none') + '.',
        *(f'On the {name}, memory: not judged, too short.'
          for name, watch in watches.items() if not watch.judges_memory())])
    if leaks:
        raise SystemExit(text)
    return text


class _Background(threading.Thread):
    """Does something meanwhile. If that fails, `over` is set."""

    def __init__(self, action, over):
        super().__init__(daemon=True)  # or a second signal could not end this process
        self._action = action
        self._over = over
        self._value = None
        self._error = None

    def run(self):
        try:
            self._value = self._action()
        except BaseException as error:  # pylint: disable=broad-except; raised by who asks
            self._error = error
            self._over.set()

    def result(self):
        """Waits for it, and raises what it was ended by."""
        self.join()
        if self._error:
            raise self._error
        return self._value


class Watch:
    """Figures of a process once a second, and what they come to."""

    # What may go on growing until caches and pools are full; then nothing may. What is resident
    # takes some twenty minutes to be full, so shorter runs say nothing of it.
    WARM_UP = 0.3
    WARM_UP_SECONDS = 1200
    LONG_SECONDS = 1800

    def __init__(self, pid, shm=None):
        self._pid = pid
        self._shm = shm
        self._start = time.monotonic()
        self.rows = []  # [(seconds, events, {figure: value})]
        self.events = 0
        self.scrapes = 0
        self.heap = None

    def look(self):
        memory = bench.memory(self._pid)
        row = {'RSS, KiB': memory['resident'] / 1024,
               'of it RssAnon, KiB': memory['anonymous'] / 1024,
               'of it RssShmem, KiB': memory['shared'] / 1024,
               'descriptors': bench.descriptors(self._pid), 'threads': bench.threads(self._pid)}
        if self._shm:
            row['/dev/shm, KiB'] = self._shm() / 1024
        if self.heap is not None:
            row['heap in use, bytes'] = self.heap
        self.rows.append((time.monotonic() - self._start, self.events, row))

    def _is_long(self):
        return self.rows[-1][0] >= self.LONG_SECONDS

    def _has_heap(self):
        return 'heap in use, bytes' in self.rows[-1][2]

    def judges_memory(self):
        return self._is_long() or self._has_heap()

    def _warm(self):
        begin = self.rows[-1][0] * self.WARM_UP
        if self._is_long():
            begin = max(begin, self.WARM_UP_SECONDS)
        return [entry for entry in self.rows if entry[0] >= begin]

    def slopes(self):
        """{figure: (by how much it grows an event, the standard error of that)}"""
        rows = [entry for entry in self._warm() if entry[2].keys() == self.rows[-1][2].keys()]
        events = [float(entry[1]) for entry in rows]
        return {name: _slope(events, [entry[2][name] for entry in rows]) for name in rows[0][2]}

    def growing(self):
        """What grew by more than chance, and by so much that it matters."""
        found = []
        limits = {'heap in use, bytes': LEAK_TO_NOTICE / 2, 'descriptors': 0.001,
                  'threads': 0.001, '/dev/shm, KiB': 0.1}
        if self._is_long() and not self._has_heap():
            limits['of it RssAnon, KiB'] = LEAK_TO_NOTICE / 1024
        for name, (slope, error) in self.slopes().items():
            limit = limits.get(name)
            if limit is not None and slope - 3 * error > 0 and slope > limit:
                found.append(f'{name}: {slope:.3f} an event')
        return found

    def table(self, title):
        slopes = self.slopes()
        first, last = self._warm()[0], self.rows[-1]
        rows = []
        for name in last[2]:
            slope, error = slopes[name]
            values = [entry[2][name] for entry in self._warm() if name in entry[2]]
            rows.append([name, *(f'{value:,.0f}' for value in (
                self.rows[0][2].get(name, math.nan), first[2].get(name, math.nan), last[2][name],
                max(values))), f'{slope:+.4f} ± {error:.4f}'])
        return (f'On a {title}, for {last[0]:,.0f} s: {last[1]:,} events and {self.scrapes:,} '
                'scrapes.\n\n' + bench.table(
                    ['', 'at first', f'after {first[0]:,.0f} s', 'at the end', 'most since then',
                     'an event, since then'], rows))


def _slope(xs, ys):
    """Least squares: the slope and its standard error."""
    mean_x, mean_y = statistics.fmean(xs), statistics.fmean(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    if spread == 0 or len(xs) < 3:
        return 0.0, math.inf
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys))
    return slope, math.sqrt(rest / (len(xs) - 2) / spread)


# --- on a fake corosync ---


def on_fake(seconds, over, events_a_second=EVENTS_A_SECOND, leak=0):
    process = subprocess.Popen(
        [bench.BUILD / 'tests' / 'benchmark' / 'in_process', 'serve', str(events_a_second),
         str(leak)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {WITHOUT_CACHES[0]: WITHOUT_CACHES[1]})
    try:
        port = int(float(process.stdout.readline().split()[1]))
        watch = Watch(process.pid)
        reader = threading.Thread(target=_read, args=(process, watch), daemon=True)
        reader.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not over.is_set():
            _scrape_for_a_second(watch, lambda path: urllib.request.urlopen(
                f'http://127.0.0.1:{port}{path}', timeout=5).read())
        return watch
    finally:
        process.kill()
        process.wait()


def _read(process, watch):
    for line in process.stdout:
        name, value = line.split()
        if name == 'events':
            watch.events = int(float(value))
        elif name == 'heap':
            watch.heap = float(value)


def _scrape_for_a_second(watch, get):
    for number in range(SCRAPES_A_SECOND):
        start = time.monotonic()
        get(_PATHS[number % len(_PATHS)])
        watch.scrapes += 1
        time.sleep(max(0.0, 1 / SCRAPES_A_SECOND - (time.monotonic() - start)))
    watch.look()


# --- on a real cluster ---

# Runs in the node: entering it for each scrape would cost more than the scrape.
_SCRAPER = '''
import json, sys, urllib.request
for line in sys.stdin:
    with urllib.request.urlopen('http://%s%s' % (sys.argv[1], line.strip()), timeout=5) as answer:
        print(len(answer.read()), flush=True)
'''


def on_cluster(seconds, over):
    """Node 3 goes and comes back, killed or cut off; now and then the own corosync is killed."""
    with bench.cluster() as cluster, bench.running(
            ['env', '='.join(WITHOUT_CACHES), *bench.exporter_command(cluster, ADDRESS)]) as exporter:
        bench.wait_for_full_page(cluster, ADDRESS, 3)
        scraper = subprocess.Popen(
            cluster.command(bench.NODE, sys.executable, '-c', _SCRAPER, ADDRESS),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            watch = Watch(exporter.pid, lambda: bench.shm_bytes(cluster))
            calm = threading.Event()
            events = _Background(lambda: _disturb(cluster, calm), calm)
            events.start()
            deadline = time.monotonic() + seconds

            def get(path):
                print(path, file=scraper.stdin, flush=True)
                if not scraper.stdout.readline():
                    raise RuntimeError('the exporter does not answer')
            try:
                while time.monotonic() < deadline and not over.is_set() and not calm.is_set():
                    watch.events = _changes(cluster)
                    _scrape_for_a_second(watch, get)
            finally:
                calm.set()
                events.result()
            return watch
        finally:
            scraper.kill()
            scraper.wait()


def _changes(cluster):
    """What the exporter has been told so far."""
    text = bench.page(cluster, ADDRESS)
    if not text:
        raise RuntimeError('the exporter does not answer')
    return sum(int(float(line.rpartition(' ')[2])) for line in text.splitlines()
               if line.startswith('corosync_exporter_notifications_total{'))


def _disturb(cluster, calm):
    turns = 0
    while not calm.wait(1):
        turns += 1
        if turns % 10 == 0:
            cluster.kill(bench.NODE)
            calm.wait(1)
            cluster.start(bench.NODE)
        elif turns % 2 == 0:
            cluster.kill(3)
            calm.wait(3)
            cluster.start(3)
        else:
            cluster.cut(3)
            calm.wait(4)
            cluster.heal(3)
        calm.wait(3)


# --- whether it would be noticed ---


def self_test():
    """A leak is noticed, and without one nothing is. More often, so that it does not take as long."""
    often, length, over = 50, 30, threading.Event()
    leaking = on_fake(length, over, often, LEAK_TO_NOTICE).growing()
    sound = on_fake(length, over, often).growing()
    said = {'with a leak': leaking, 'without': sound,
            'resident, with a leak': _long_run(2 * LEAK_TO_NOTICE).growing(),
            'resident, without': _long_run(0).growing()}
    print(json.dumps(said, indent=2))
    return 0 if [bool(words) for words in said.values()] == [True, False, True, False] else 1


def _long_run(leak):
    """What an hour on a real cluster would come to: caches fill up, and then only the leak grows."""
    watch = Watch(os.getpid())
    for second in range(3600):
        watch.rows.append((second, second, {
            'of it RssAnon, KiB': 2500 + min(second, Watch.WARM_UP_SECONDS) / 2
                                  + second % 7 + leak * second / 1024}))
    return watch
