#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Watching does no harm: two nodes do not hear each other, and corosync works for itself alone.

Nodes 1 and 3 are deaf to each other and both hear node 2. So there is one sync after the other, and
none ends with a ring. A request that corosync may not read yet would keep it spinning for as long.
"""

import contextlib
import time

import case
from exposition import Page
from ipc_trace import IpcTrace, longest
from look import Looker
from scraper import Scraper

# Without and with exporters by turns, each so often; so half a minute of each kind.
TURNS = 2
TURN_SECONDS = 15
# Thereafter somebody looks, as that costs corosync something too.
LOOK_SECONDS = 8

SCRAPE_INTERVAL = 0.5
LOOK_INTERVAL = 1

# What corosync may take beside exporters, of what it takes without them, and so much more: all
# three, in all turns. The goal is a tenth more, which tests/benchmark/harm.py measures; within a
# quarter of a minute chance alone makes more of a difference. Exporters that leave a request lying
# there made it 18 and 25 times as much.
TIMES = 2
MORE_SECONDS = 0.5

# The default --corosync.stale-after, and of --corosync.poll-interval.
STALE_SECONDS = 15

# A request is taken back after 0.25 s. Until then, on a busy machine:
REQUEST_SECONDS = 0.5

# Between corosync's answer, as traced, and what the page makes of it.
MOMENT_SECONDS = 0.25

# A page tells of a change no later than that.
LATE_SECONDS = 1

OF_A_SOURCE = {
    'votequorum': 'corosync_votequorum_present_votes',
    'cmap': 'corosync_config_token_timeout_seconds',
    'cfg': 'corosync_link_connected',
}


class HarmTest(case.ClusterCase):
    def test_between_nodes_that_do_not_hear_each_other_corosync_pays_nothing_for_being_watched(self):
        alone = watched = 0
        for _ in range(TURNS):
            self.lab.mend()
            alone += self._turn()[0]
            self.lab.mend()
            with contextlib.ExitStack() as exporters:
                watched += self._watched_turn(exporters)
                print(f'corosync took {alone:.2f} s without exporters, {watched:.2f} s with them')
                self.assertLess(watched, TIMES * alone + MORE_SECONDS)

    def _watched_turn(self, exporters):
        traces, started = {}, {}
        is_traced = IpcTrace.library().exists()
        for node in self.lab.nodes:
            traces[node] = IpcTrace(self.work / f'trace-{len(self._exporters)}')
            started[node] = self.start_exporter(
                node, run_as=traces[node].prefix() if is_traced else ())
            exporters.callback(started[node].stop)
            self.wait_for_all_sources(started[node])
        scrapers = {node: Scraper(exporter, SCRAPE_INTERVAL) for node, exporter in started.items()}
        for scraper in scrapers.values():
            exporters.callback(scraper.stop)
        taken, looks = self._turn()
        for node, scraper in scrapers.items():
            scrapes = scraper.take(time.time())
            self.assertGreater(len(scrapes), TURN_SECONDS / SCRAPE_INTERVAL / 2)
            with self.subTest(node=node):
                self._check_pages(scrapes, looks[node], traces[node] if is_traced else None)
        return taken

    def _check_pages(self, scrapes, looks, trace):
        self.assertTrue(any(look.answered for look in looks), 'a tool is answered')
        answers = []
        if trace:
            requests = trace.requests()
            self.assertLess(longest(requests) - self.stalls.seconds(), REQUEST_SECONDS)
            since = time.time() - time.monotonic()
            answers = [since + request.end for request in requests]
        for scrape in scrapes:
            self.assertIsNotNone(scrape.text, scrape.error)
            page = Page(scrape.text)
            self.assertEqual(page.value('corosync_up'), 1)
            self.assertEqual(page.value('corosync_exporter_connects_total'), 1)
            for source, family in OF_A_SOURCE.items():
                age = page.value('corosync_exporter_source_age_seconds', source=source)
                self.assertEqual(family in page.families(), age <= STALE_SECONDS,
                                 f'{family}, read {age:.1f} s ago')
                if trace:
                    late = min(abs(scrape.end - age - answer) for answer in answers)
                    self.assertLess(late - self.stalls.seconds(), MOMENT_SECONDS,
                                    f'{source} is older or newer than is said')
            self._check_against_looks(scrape, page, looks)

    def _check_against_looks(self, scrape, page, looks):
        """If a tool was answered the same before and after it, the page says the same."""
        before = [look for look in looks if look.end + LATE_SECONDS <= scrape.begin]
        after = [look for look in looks if look.begin >= scrape.end]
        if (before and after and before[-1].answered and before[-1].status == after[0].status
                and page.value('corosync_sync_in_progress') == 0):
            status = after[0].status
            self.assertEqual(page.value('corosync_quorate'), status.quorate)
            self.assertEqual(page.value('corosync_members'), status.members)
            self.assertEqual(page.value('corosync_ring_sequence'), status.ring_sequence)

    def _turn(self):
        """The seconds that all nodes' corosync took, and the looks at each node."""
        self.lab.deafen(1, 3)
        before = self._cpu_seconds()
        time.sleep(TURN_SECONDS)
        taken = self._cpu_seconds() - before
        lookers = {node: Looker(self.lab, node, LOOK_INTERVAL) for node in self.lab.nodes}
        try:
            time.sleep(LOOK_SECONDS)
        finally:
            for looker in lookers.values():
                looker.stop()
        self.lab.hear(1, 3)
        return taken, {node: looker.looks for node, looker in lookers.items()}

    def _cpu_seconds(self):
        return sum(self.lab.cpu_seconds(node) for node in self.lab.nodes)


if __name__ == '__main__':
    case.main('iptables')
