# SPDX-License-Identifier: Apache-2.0
"""How long a process's requests lay in corosync, as ipc_trace.cpp writes it down from outside."""

import dataclasses
import os
import time

import exporter

# Each of the first lasts until one of the second.
_BEGINS = {'asks': ('answered', 'shuts'), 'connects': ('connected',)}
_ENDS = {end: begin for begin, ends in _BEGINS.items() for end in ends}


@dataclasses.dataclass(frozen=True)
class Wait:
    begin: float  # of time.monotonic()
    end: float

    @property
    def seconds(self):
        return self.end - self.begin


class IpcTrace:
    """To be asked while the process runs or afterwards."""

    def __init__(self, file):
        self._file = file

    @staticmethod
    def library():
        return exporter.built('libipc_trace.so')

    def prefix(self):
        """What to put before a command line, so that it is traced."""
        # A library that comes before AddressSanitizer's has nothing to hide from it.
        sanitizer = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        return ('env', f'LD_PRELOAD={self.library()}', f'IPC_TRACE={self._file}',
                f'ASAN_OPTIONS={sanitizer}')

    def requests(self):
        """A Wait for each: until the answer, or until it was taken back, or until now."""
        return self._waits('asks')

    def connections(self):
        """A Wait for each that was made or tried. They cannot be taken back."""
        return self._waits('connects')

    def _waits(self, kind):
        begun, waits = {}, []
        for line in self._file.read_text().splitlines():
            seconds, what, whom = line.split()
            if what == kind:
                begun[whom] = float(seconds)
            elif _ENDS.get(what) == kind and whom in begun:
                waits.append(Wait(begun.pop(whom), float(seconds)))
        now = time.monotonic()
        return waits + [Wait(begin, now) for begin in begun.values()]


def longest(waits):
    """The longest of them in seconds; 0 where there was none."""
    return max((wait.seconds for wait in waits), default=0.0)
