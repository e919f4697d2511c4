# SPDX-License-Identifier: Apache-2.0
"""Waiting for what shall become true, and watching what shall stay true."""

import time

from stalls import Stopwatch

POLL_SECONDS = 0.05


def wait_until(condition, seconds, what):
    """Polls until the condition holds, and returns its (true) value.

    The seconds are a Stopwatch's. An AssertionError from the condition counts as not yet, and is told
    if the time runs out.
    """
    watch = Stopwatch()
    while True:
        complaint = ''
        try:
            value = condition()
            if value:
                return value
        except AssertionError as error:
            complaint = f': {error}'
        if watch.seconds() > seconds:
            raise AssertionError(f'not within {seconds:g} s: {what}{complaint}') from None
        time.sleep(POLL_SECONDS)


def every(interval, seconds):
    """Yields the seconds passed, once per interval: to look again and again for so long."""
    start = time.monotonic()
    ticks = 0
    while (passed := time.monotonic() - start) < seconds:
        yield passed
        ticks += 1
        time.sleep(max(0.0, start + ticks * interval - time.monotonic()))
