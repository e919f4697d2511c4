#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A storm of faults over real clusters: every page says what corosync's log says that it was told.

An exporter on each node is scraped all the time, and each page judged; see judge.py. Somebody asks
corosync-quorumtool meanwhile: while it is answered, corosync_up is not 0. When the storm rests, the
pages also say what corosync's tools say. It begins with the command to have the same storm again.
"""

import argparse
import atexit
import contextlib
import os
import pathlib
import random
import sys
import time

import case
from exposition import Page
from mischief import Faults
from judge import Judge, Said, Settings
from look import Looker
from scraper import Scraper
from stalls import stalled
from storm import Storm
from told import Log
from waiting import wait_until

SETTINGS = Settings(stale_after=5, poll_interval=1)
FLAGS = (f'--corosync.stale-after={SETTINGS.stale_after}s',
         f'--corosync.poll-interval={SETTINGS.poll_interval}s')

SCRAPE_INTERVAL = 0.25
LOOK_INTERVAL = 1.5

# What a scrape should take. On a busy machine so few may take longer, up to case.SCRAPE_SECONDS,
GOOD_SCRAPE_SECONDS = 0.25
SLOW_SHARE = 0.01

# of at least so many of all: the others were close to a stall, or of a starved exporter.
TIMED_SHARE = 0.2

# After a stall of so long the machine has much to catch up on, and just before it had.
STALL_SECONDS = 0.05

# Until corosync's log is in its file.
WRITTEN_SECONDS = 1

# A refused exporter tries again after 30 s.
CONNECT_SECONDS = 40

_AUTOGROUP = pathlib.Path('/proc/self/autogroup')

# How much of the log around a failure is told.
AROUND_SECONDS = 30


class Watch:
    """An exporter, who scrapes it, and who judges that."""

    def __init__(self, exporter, log, fate, stalls):
        self.exporter = exporter
        self.scraper = Scraper(exporter, SCRAPE_INTERVAL)
        self.judge = Judge(exporter.pid, log, fate, SETTINGS, stalls)


class TruthCase(case.ClusterCase):
    # Whom a client asks during a sync spins until its end, and five of them at realtime priority
    # would leave nothing of two cores to anybody.
    CONF = {'debug': ('QB',), 'realtime': False}

    def start(self):
        self.faults = Faults(self.lab)
        self.addCleanup(self.faults.end_traffic)
        self.lookers = {node: Looker(self.lab, node, LOOK_INTERVAL) for node in self.lab.nodes}
        self.addCleanup(lambda: [looker.stop() for looker in self.lookers.values()])
        self.logs = {node: Log(self.lab.log_file(node)) for node in self.lab.nodes}
        self.scrapes = 0
        self.seconds = []  # of those that are held to their time
        self.storm = Storm(OPTIONS.seed, self.faults, self)
        self.watches = {}
        self.retired = []  # the watches of exporters that were ended, while there is more to judge
        self.addCleanup(lambda: [watch.scraper.stop() for watch in self.watches.values()])
        for node in self.lab.nodes:
            self._watch(node)

    def _watch(self, node):
        exporter = self.start_exporter(node, *FLAGS)
        self.watches[node] = Watch(
            exporter, self.logs[node], self.faults.fates[node], self.stalls.spans)

    # --- what the storm does to exporters ---

    def kill(self, node):
        self._restart(node, lambda exporter: exporter.kill())

    def stop(self, node):
        self._restart(node, lambda exporter: exporter.stop())

    def _restart(self, node, end):
        if node in self.faults.starved:
            self.feed(node)
        watch = self.watches[node]
        watch.scraper.stop()
        self.retired.append(watch)
        end(watch.exporter)
        self._watch(node)

    def starve(self, node, spare):
        self.watches[node].scraper.excused = True
        self.faults.starve(self.watches[node].exporter, spare)

    def feed(self, node):
        watch = self.watches[node]
        self.faults.feed(watch.exporter)
        wait_until(lambda: self._answers(watch.exporter), case.NOTICE_SECONDS, 'it answers again')
        watch.scraper.excused = False

    def _answers(self, exporter):
        try:
            return exporter.get('/-/healthy').status == 200
        except OSError:
            return False

    def feed_all(self):
        for node in sorted(self.faults.starved):
            self.feed(node)

    # --- the storm ---

    def weather(self):
        print(self._command(), file=sys.stderr)
        self.start()
        end = time.monotonic() + OPTIONS.duration
        try:
            while time.monotonic() < end:
                self.storm.burst()
                if self.storm.wants_calm():
                    self._calm()
                self._judge_all()
            self._calm()
            self._judge_all()
        except Exception as error:
            raise AssertionError(self._story(error)) from error
        self._report()
        self._assert_scrapes_are_fast()

    def _calm(self):
        self.storm.calm()
        for watch in self.watches.values():
            wait_until(lambda: watch.exporter.page().value('corosync_up'), CONNECT_SECONDS,
                       f'the exporter of node {watch.exporter.node} is connected')
            self.assert_agrees(watch.exporter, case.NOTICE_SECONDS)

    def _judge_all(self):
        until = time.time()
        for node, watch in self.watches.items():
            wait_until(lambda: watch.scraper.excused or watch.scraper.newest > until,
                       case.NOTICE_SECONDS, f'the exporter of node {node} is scraped')
        time.sleep(WRITTEN_SECONDS)
        for watch in [*self.retired, *self.watches.values()]:
            self._judge(watch, until)
        self.retired = [watch for watch in self.retired
                        if watch.exporter.node in self.faults.frozen]

    def _judge(self, watch, until):
        """All pages so far. Those of a frozen node wait, as what it logged may be frozen too."""
        node = watch.exporter.node
        if node in self.faults.frozen:
            until = min(until, self.faults.fates[node].freezes[-1][0].begin - WRITTEN_SECONDS)
        self.logs[node].read()
        looks = self.lookers[node].looks[:]
        for scrape in watch.scraper.take(until):
            self.scrapes += 1
            still = stalled(self.stalls.spans, scrape.begin - 1, scrape.end + 1)
            if not scrape.excused and still < STALL_SECONDS:
                self.seconds.append(scrape.seconds)
                self.assertLess(scrape.seconds, case.SCRAPE_SECONDS,
                                f'a scrape of node {node} at {_clock(scrape.begin)}')
            if scrape.text is None:
                self.assertTrue(scrape.excused,
                                f'node {node} at {_clock(scrape.begin)}: {scrape.error}')
                continue
            said = Said.by(Page(scrape.text), scrape.begin, scrape.end)
            if wrong := watch.judge.hold(said, looks):
                raise Untrue(watch.exporter, said, wrong)

    def _assert_scrapes_are_fast(self):
        timed = len(self.seconds)
        self.assertGreater(timed, TIMED_SHARE * self.scrapes, f'timed of {self.scrapes} scrapes')
        self.assertLess(self._slow(), SLOW_SHARE * timed, f'slow ones of {timed} scrapes')

    def _slow(self):
        return sum(seconds > GOOD_SCRAPE_SECONDS for seconds in self.seconds)

    def _report(self):
        seconds = sorted(self.seconds)
        stalls = [end - begin for begin, end in self.stalls.spans]
        faults = sum(step.is_fault and not step.refused for step in self.storm.steps)
        print(f'seed {OPTIONS.seed}: {len(self.storm.steps)} steps, {faults} faults, '
              f'{self.scrapes} scrapes; of {len(seconds)} that were timed one took '
              f'{1000 * seconds[len(seconds) // 2]:.0f} ms in the median, '
              f'{1000 * seconds[len(seconds) * 99 // 100]:.0f} ms at p99, '
              f'{1000 * seconds[-1]:.0f} ms at most, {self._slow()} of them over '
              f'{1000 * GOOD_SCRAPE_SECONDS:.0f} ms. The machine stood still {len(stalls)} times, '
              f'for {sum(stalls):.1f} s in all, {max(stalls, default=0):.1f} s at most',
              file=sys.stderr)

    # --- when it fails ---

    def _command(self):
        return (f'tests/cluster/test_truth.py --seed {OPTIONS.seed} --nodes {self.NODES} '
                f'--duration {OPTIONS.duration:g}')

    def _story(self, error):
        lines = [f'{self._command()}:', str(error), 'The steps were:']
        lines += [f'  {_clock(step.begin)} to {_clock(step.end) if step.end else "now"}: '
                  f'{step.text}{" (refused)" if step.refused else ""}'
                  for step in self.storm.steps]
        concerned = [(watch.exporter, time.time()) for watch in self.watches.values()]
        if isinstance(error, Untrue):
            concerned = [(error.exporter, error.said.end)]
        for exporter, moment in concerned:
            lines.append(f"Node {exporter.node}'s corosync logged around {_clock(moment)}:")
            lines += [f'  {_clock(line.time)} [{line.subsystem}] {line.text}'
                      for line in self.lab.log(exporter.node)
                      if abs(line.time - moment) < AROUND_SECONDS
                      and line.subsystem in ('QUORUM', 'MAIN', 'TOTEM')]
            lines.append('Its exporter:')
            lines.append(exporter.log())
        return '\n'.join(lines)

    def tell_what_was_logged(self):
        pass  # the story is long enough


class Untrue(AssertionError):
    def __init__(self, exporter, said, wrong):
        super().__init__('\n'.join(
            [f"node {exporter.node}'s page of {_clock(said.begin)} to {_clock(said.end)} is wrong:",
             *(f'  {each}' for each in wrong)]))
        self.exporter = exporter
        self.said = said


def _clock(moment):
    return time.strftime('%H:%M:%S', time.localtime(moment)) + f'{moment % 1:.3f}'[1:]


class ThreeNodesTest(TruthCase):
    NODES = 3

    def test_every_page_is_true(self):
        self.weather()


class FiveNodesTest(TruthCase):
    NODES = 5

    def test_every_page_is_true(self):
        self.weather()


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seed', type=int, default=random.randrange(1_000_000),
                        help='$COROSYNC_EXPORTER_STORM may hold this and the other options')
    parser.add_argument('--duration', type=float, default=60, metavar='SECONDS')
    parser.add_argument('--nodes', type=int, choices=(3, 5), help='both, one after the other')
    chosen, rest = parser.parse_known_args(
        os.environ.get('COROSYNC_EXPORTER_STORM', '').split() + sys.argv[1:])
    if chosen.nodes:
        rest.append({3: 'ThreeNodesTest', 5: 'FiveNodesTest'}[chosen.nodes])
    sys.argv[1:] = rest
    return chosen


def come_first():
    """This and the exporters: what is slow then is they, not the busy machine."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    # Priorities count within a session only, where the kernel groups processes by those.
    with contextlib.suppress(OSError):
        # Empty in a session without a group of its own, as init's is.
        if said := _AUTOGROUP.read_text().split():
            _AUTOGROUP.write_text('-10')
            atexit.register(_AUTOGROUP.write_text, said[-1])


if __name__ == '__main__':
    OPTIONS = options()
    come_first()
    case.main('iptables', built=['cpg_traffic'])
