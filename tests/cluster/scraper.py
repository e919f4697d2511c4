# SPDX-License-Identifier: Apache-2.0
"""Scrapes an exporter at a steady pace, from a thread of its own."""

import dataclasses
import threading
import time


@dataclasses.dataclass(frozen=True)
class Scrape:
    begin: float
    end: float
    text: str | None  # None where no page came
    error: str = ''
    excused: bool = False  # the exporter was kept from answering

    @property
    def seconds(self):
        return self.end - self.begin


class Scraper:
    def __init__(self, exporter, interval):
        self._exporter = exporter
        self._interval = interval
        self._scrapes = []
        self._stop = threading.Event()
        # Set while the exporter can take no connection.
        self.excused = False
        self.newest = 0.0  # when the newest scrape began
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def take(self, before):
        """The scrapes that ended before that moment and were not taken yet."""
        scrapes = self._scrapes
        count = sum(scrape.end < before for scrape in scrapes)
        taken, self._scrapes[:count] = scrapes[:count], []
        return taken

    def _run(self):
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + self._interval, time.monotonic())
            excused = self.excused
            begin = time.time()
            text, error = None, ''
            try:
                answer = self._exporter.get('/metrics')
                if answer.status == 200:
                    text = answer.body
                else:
                    error = f'answered {answer.status}'
            except Exception as failure:
                error = repr(failure)
            self._scrapes.append(
                Scrape(begin, time.time(), text, error, excused or self.excused))
            self.newest = begin
