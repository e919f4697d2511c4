# SPDX-License-Identifier: Apache-2.0
"""When this machine did not run who was ready to: what is late then is not the fault of anyone."""

import pathlib
import threading
import time

_PRESSURE = pathlib.Path('/proc/pressure/cpu')

# However busy the machine is, so much of the time counts.
_LEAST_SHARE = 0.25

_INTERVAL = 0.02

# Shorter ones are every tolerance's own business; several of these in a row are not.
_SHORTEST = 0.02


class Stopwatch:
    """The seconds from now on, but for those in which somebody on this machine had to wait for a
    processor: with other work beside it everything takes longer, which is nobody's fault.

    Of a kernel that does not tell them none are taken off.
    """

    def __init__(self):
        self._begin = time.monotonic()
        self._starved = _starved_seconds()

    def seconds(self):
        passed = time.monotonic() - self._begin
        return max(_LEAST_SHARE * passed, passed - (_starved_seconds() - self._starved))


def _starved_seconds():
    try:
        return int(_PRESSURE.read_text().split('\n')[0].rpartition('total=')[2]) * 1e-6
    except (OSError, ValueError):
        return 0.0


class Stalls:
    """Spans (begin, end) in which a thread of this process should have run and did not."""

    def __init__(self):
        self.spans = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def seconds(self):
        return sum(end - begin for begin, end in self.spans)

    def _run(self):
        due = time.time() + _INTERVAL
        while not self._stop.wait(_INTERVAL):
            woke = time.time()
            if woke - due > _SHORTEST:
                if self.spans and due - self.spans[-1][1] < 2 * _INTERVAL:
                    self.spans[-1] = (self.spans[-1][0], woke)
                else:
                    self.spans.append((due, woke))
            due = woke + _INTERVAL


def stalled(spans, begin, end):
    """For how many of the seconds from begin to end the machine stood still."""
    return sum(max(0.0, min(end, stop) - max(begin, start)) for start, stop in spans)
