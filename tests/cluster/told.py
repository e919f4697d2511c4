# SPDX-License-Identifier: Apache-2.0
"""What a corosync told each of its subscribers, read from its log.

The log has to have QUORUM and QB at debug. Of the service's own lines:

    Sync members[2]: 1 2                       a sync begins; so far nobody is told
    Sync joined[1]: 2
    sending nodelist notification to (nil)     it has ended: everyone who tracks is told of it
    This node is within the [non-]primary component and will [NOT] provide ...
    sending quorum notification to (nil)       everyone is told the verdict, new or not
    got trackstart request on 0x...            one tracks from now on, and is told the present first

A sync that another one interrupts ends without a notification. QB says of whom a connection is.
"""

import dataclasses
import re

from lab import LogLine

_OF_USE = (b' [QUORUM] ', b' [MAIN  ] ', b' IPC credentials authenticated ')


@dataclasses.dataclass(frozen=True)
class Told:
    """One notification: of a membership, or of a verdict."""

    time: float
    ring: tuple | None = None  # (life, sync): as good as the ring id, which the log does not show
    members: tuple = ()
    joined: tuple = ()
    left: tuple = ()
    quorate: bool | None = None


@dataclasses.dataclass
class Subscriber:
    """A connection that tracks. The first two notifications are the present at its beginning."""

    pid: int
    life: int  # of corosync, counted from 0
    told: list = dataclasses.field(default_factory=list)
    # When its process came again, for votequorum; and once more, to read: by then it knew what it was
    # told here.
    returns: list = dataclasses.field(default_factory=list)
    gone: float | None = None  # when corosync noticed its end; None too where corosync ended first


class Log:
    """One node's log, read on as it grows."""

    def __init__(self, file):
        self._file = file
        self._position = 0
        self.life = -1
        self.subscribers = []
        self.syncs = []  # [begin, end or None]: corosync answers no client, but on votequorum
        self._client = None  # the pid of the newest one
        self._connections = {}

    def read(self):
        with open(self._file, 'rb') as file:
            file.seek(self._position)
            data = file.read()
        whole = data[:data.rfind(b'\n') + 1]
        self._position += len(whole)
        for text in whole.splitlines():
            if any(word in text for word in _OF_USE):
                # What a killed corosync had begun to write stands before the next one's words.
                if line := LogLine.of(text.decode(errors='replace')):
                    self.take(line)

    def take(self, line):
        text = line.text
        if line.subsystem == 'QB':
            self._client = int(re.search(r'/qb-\d+-(\d+)-', text)[1])
            for subscriber in self._tracking.values():
                if subscriber.pid == self._client:
                    subscriber.returns.append(line.time)
        elif re.fullmatch('Corosync Cluster Engine .* starting up', text):
            self._begin_life(line.time)
        elif text.startswith('Completed service synchronization'):
            self._end_sync(line.time)
        elif match := re.match(r'Sync (members|joined|left)\[\d+\]: (.*)', text):
            self._take_sync(line.time, match[1], tuple(map(int, match[2].split())))
        elif text.startswith('This node is within the '):
            self._quorate = 'non-primary' not in text
        elif match := re.match(r'lib_init_fn: conn=(\w+)', text):
            self._connections[match[1]] = Subscriber(self._client, self.life)
        elif match := re.match(r'got trackstart request on (\w+)', text):
            self._tracking[match[1]] = self._connections[match[1]]
            self.subscribers.append(self._connections[match[1]])
        elif match := re.match(r'got trackstop request on (\w+)', text):
            self._tracking.pop(match[1], None)
        elif match := re.match(r'lib_exit_fn: conn=(\w+)', text):
            self._connections.pop(match[1]).gone = line.time
            self._tracking.pop(match[1], None)
        elif match := re.match(r'sending (nodelist|quorum) notification to (\S+),', text):
            self._take_notification(line.time, *match.groups())

    def _begin_life(self, time):
        self._end_sync(time)
        self.life += 1
        self._sync = 0
        self._quorate = False
        self._connections = {}
        self._tracking = {}
        self._change = {'members': (), 'joined': (), 'left': ()}

    def _take_sync(self, time, what, nodes):
        if what == 'members':
            self._sync += 1
            self._change = {'members': (), 'joined': (), 'left': ()}
            if not self.syncs or self.syncs[-1][1] is not None:
                self.syncs.append([time, None])
        self._change[what] = nodes

    def _end_sync(self, time):
        if self.syncs and self.syncs[-1][1] is None:
            self.syncs[-1][1] = time

    def _take_notification(self, time, kind, whom):
        told = Told(time, quorate=self._quorate)
        if kind == 'nodelist':
            # Who comes is told the members only.
            change = self._change if whom == '(nil)' else {'members': self._change['members']}
            told = Told(time, ring=(self.life, self._sync), **change)
        whose = self._tracking.values() if whom == '(nil)' else [self._connections[whom]]
        for subscriber in whose:
            subscriber.told.append(told)
