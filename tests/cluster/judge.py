# SPDX-License-Identifier: Apache-2.0
"""Holds an exporter's pages against what corosync's log says that it was told, and against what
corosync-quorumtool was answered at that time.

At each moment the log allows for few states of an exporter: it may not have read yet what was
sent a moment ago, or never get to, where the connection just ended. The judge keeps all that are
possible (Standing), moves them on from page to page, and drops those that a page contradicts. When
none is left, the page is wrong.
"""

import dataclasses
import math

from stalls import stalled

# A page tells of a notification no later than that: the machine is busy, and so is the exporter.
# It also bounds what a killed corosync had sent and nobody has read: libqb drops it. The time for
# which the machine stood still comes on top.
LATE_SECONDS = 1.0

# Corosync's stamps step by 4 ms, and may be of up to one step before.
STAMP_SECONDS = 0.01

# Between a loss's two ends as logged and as seen: the tolerance of each loss, but for stalls.
LOSS_SECONDS = 0.05

# Corosync lived if a tool had its answer so shortly before.
LOOKED_SECONDS = 0.5

# A request that has waited for so long is taken back.
CALL_LIMIT_SECONDS = 0.25


@dataclasses.dataclass(frozen=True)
class Span:
    """When something happened: somewhere in between."""

    begin: float
    end: float


@dataclasses.dataclass
class Fate:
    """What was done to one node."""

    deaths: list = dataclasses.field(default_factory=list)  # a Span for each of corosync's lives
    freezes: list = dataclasses.field(default_factory=list)  # [frozen, thawed or None], both Spans
    # [begin, end or None]: the exporter may have been unable to connect, for want of descriptors or
    # of shared memory
    starved: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The exporter's own, by its flags."""

    stale_after: float
    poll_interval: float


@dataclasses.dataclass
class Said:
    """What a page says."""

    begin: float  # of the scrape
    end: float
    up: bool
    quorate: bool | None
    members: int | None  # how many
    is_member: dict  # of each node that is shown
    is_named: bool  # all nodes are shown: corosync's map was read
    quorum_changes: int
    quorum_losses: int
    membership_changes: int
    lost_seconds: float
    joins: dict
    leaves: dict
    syncing: bool = False

    @staticmethod
    def by(page, begin, end):
        def by_node(family):
            return {int(dict(labels)['node_id']): value
                    for labels, value in page.series(family).items()}
        up = page.value('corosync_up') == 1
        quorate = page.find('corosync_quorate')
        return Said(
            begin, end, up, None if quorate is None else bool(quorate),
            page.find('corosync_members'), by_node('corosync_node_member'),
            page.find('corosync_exporter_source_up', source='cmap') == 1,
            page.value('corosync_quorum_changes_total'),
            page.value('corosync_quorum_losses_total'),
            page.value('corosync_membership_changes_total'),
            page.value('corosync_quorum_lost_seconds_total'),
            by_node('corosync_node_joins_total'), by_node('corosync_node_leaves_total'),
            page.find('corosync_sync_in_progress') == 1)


@dataclasses.dataclass(frozen=True)
class Tally:
    """What an exporter has to have counted."""

    quorum_changes: int = 0
    quorum_losses: int = 0
    membership_changes: int = 0
    joined: tuple = ()  # every node that did, as often as it did
    left: tuple = ()
    # The time without quorum, but for a loss that lasts. Where nobody knows exactly it is a range.
    lost: Span = Span(0, 0)
    timed: int = 0  # how many losses of that no page has told the length of
    lost_since: Span | None = None
    # What it was told last
    ring: tuple | None = None
    members: tuple = ()
    quorate: bool | None = None

    def after(self, told, when=None):
        """The tally once that was heard: when it was sent, or some other time."""
        if told.ring is not None:
            return dataclasses.replace(
                self, ring=told.ring, members=told.members,
                joined=tuple(sorted(self.joined + told.joined)),
                left=tuple(sorted(self.left + told.left)),
                membership_changes=self.membership_changes + (self.ring not in (None, told.ring)))
        when = when or Span(told.time, told.time)
        changed = self.quorate not in (None, told.quorate)
        tally = dataclasses.replace(
            self, quorate=told.quorate, quorum_changes=self.quorum_changes + changed,
            quorum_losses=self.quorum_losses + (changed and not told.quorate))
        if told.quorate:
            return tally.until(when)
        return dataclasses.replace(tally, lost_since=self.lost_since or when)

    def until(self, when):
        """The tally with the loss that lasts, if any, counted until then and no further."""
        if not self.lost_since:
            return self
        since = self.lost_since
        return dataclasses.replace(
            self, lost_since=None, timed=self.timed + 1,
            lost=Span(self.lost.begin + max(0, when.begin - since.end),
                      self.lost.end + max(0, when.end - since.begin)))


@dataclasses.dataclass(frozen=True)
class Standing:
    """A state that the exporter may be in."""

    connection: int = -1  # the newest that it had, or passed over
    connected: bool = False
    heard: int = 0  # of what was told there
    tally: Tally = Tally()


class Judge:
    """Of one exporter: one process from its start to its end."""

    def __init__(self, pid, log, fate, settings, stalls=()):
        self._pid = pid
        self._log = log
        self._fate = fate
        self._settings = settings
        self._stalls = stalls  # see stalls.py
        self._possible = [Standing()]

    def hold(self, said, looks=()):
        """A list of what is wrong with the page; the pages come in the order of their time.

        `looks` are those at the node, in their order; see look.py.
        """
        self._looks = looks
        self._connections = [
            subscriber for subscriber in self._log.subscribers
            if subscriber.pid == self._pid and len(subscriber.told) >= 2]
        self._deaf = self._deaf_spans()
        reachable = self._reachable(said)
        complaints = [(self._complaints(standing, said), standing) for standing in reachable]
        if not complaints:
            return ['the log has no state that the exporter could be in; before, there were: '
                    f'{self._possible}']
        # The difference to what it resembles most.
        wrong, _ = min(complaints,
                       key=lambda each: (len(each[0]), each[1].connected != said.up))
        self._possible = [_anchored(standing, said.lost_seconds)
                          for wrong, standing in complaints if not wrong] or reachable
        return wrong

    # --- which states there are ---

    def _reachable(self, said):
        reached, new = [], list(self._possible)
        while new:
            standing = new.pop()
            if standing not in reached:
                reached.append(standing)
                new.extend(self._successors(standing, said))
        return [standing for standing in reached if self._can_last(standing, said)]

    def _successors(self, standing, said):
        number = standing.connection
        if standing.connected:
            connection = self._connections[number]
            if standing.heard < len(connection.told):
                told = connection.told[standing.heard]
                if told.time <= said.end + STAMP_SECONDS:
                    heard = Span(told.time, told.time + self._stalled(told.time))
                    yield dataclasses.replace(standing, heard=standing.heard + 1,
                                              tally=standing.tally.after(told, heard))
            for end in self._ends(connection):
                if end.begin <= said.end and all(
                        self._by(told.time) >= end.begin
                        for told in connection.told[standing.heard:]):
                    tally = standing.tally.until(self._seen_until(end))
                    yield Standing(number, False, 0, tally)
        elif number + 1 < len(self._connections):
            connection = self._connections[number + 1]
            begin = self._begin(connection)
            if begin.begin <= said.end + STAMP_SECONDS:
                tally = standing.tally.after(connection.told[0]).after(connection.told[1], begin)
                yield Standing(number + 1, True, 2, tally)
                if self._may_be_incomplete(connection):
                    yield Standing(number + 1, False, 0, standing.tally)

    def _can_last(self, standing, said):
        """Whether a page of that time may still show it."""
        number = standing.connection
        if standing.connected:
            connection = self._connections[number]
            return (all(self._by(told.time) >= said.begin
                        for told in connection.told[standing.heard:])
                    and said.begin <= self._by(self._over_by(connection)))
        return (number + 1 == len(self._connections)
                or self._by(self._begin(self._connections[number + 1]).end) >= said.begin)

    def _begin(self, connection):
        """When the exporter took in the first words, as it counts time.

        It also subscribes to votequorum before it looks at them, and that may hang in a freeze.
        """
        told = connection.told[1].time
        if len(connection.returns) > 1:
            return Span(told, connection.returns[1])
        for frozen, thawed in self._fate.freezes:
            end = thawed.end if thawed else math.inf
            if frozen.begin <= self._by(told) and told <= end:
                return Span(told, self._by(end))
        return Span(told, told + self._stalled(told))

    def _by(self, moment):
        """When it has to show what happened at that moment."""
        return moment + LATE_SECONDS + self._stalled(moment)

    def _stalled(self, moment):
        """How much later the machine made it."""
        late = 0
        while (more := stalled(self._stalls, moment, moment + LATE_SECONDS + late)) > late:
            late = more
        return late

    def _may_be_incomplete(self, connection):
        """Whether it may have ended before the exporter had all that belongs to it."""
        over = self._over_by(connection)
        return over <= self._by(self._begin(connection).end) or (
            connection.gone is not None and self._is_starved(connection.gone))

    def _ends(self, connection):
        """The spans in one of which the exporter has noticed the connection's end.

        By itself it ends one only where it cannot make it whole, however long corosync is silent.
        """
        died, gone = self._death(connection), connection.gone
        if gone is not None:
            if died and died.begin <= gone:
                yield Span(died.begin, gone)
            elif self._is_starved(gone):
                yield Span(gone - LATE_SECONDS, gone)
        elif died:
            yield died

    def _over_by(self, connection):
        """When it is over in any case."""
        if connection.gone is not None:
            return connection.gone
        died = self._death(connection)
        return died.end if died else math.inf

    def _death(self, connection):
        deaths = self._fate.deaths
        return deaths[connection.life] if connection.life < len(deaths) else None

    def _is_starved(self, moment):
        return any(begin - LATE_SECONDS <= moment <= (end or math.inf) + LATE_SECONDS
                   for begin, end in self._fate.starved)

    # --- silence ---

    def _deaf_spans(self):
        """When corosync answered nobody, or may have: frozen, in a sync, or not run at all."""
        spans = [Span(begin, end or math.inf) for begin, end in self._log.syncs]
        for frozen, thawed in self._fate.freezes:
            spans.append(Span(frozen.begin, thawed.end if thawed else math.inf))
        spans.extend(Span(begin, end) for begin, end in self._stalls if end - begin > LATE_SECONDS)
        # One that connected while it was starved may be without the connections by which it asks. So
        # may one whose requests waited meanwhile: it took them back, and the connections with them.
        waited = [span for span in spans if span.end - span.begin > CALL_LIMIT_SECONDS]
        for begin, end in self._fate.starved:
            end = end + self._settings.poll_interval if end else math.inf
            since = [connection.told[0].time for connection in self._connections]
            since += [max(begin, span.begin) for span in waited if span.end >= begin]
            spans.extend(Span(moment, end) for moment in since if begin <= moment <= end)
        merged = []
        for span in sorted(spans, key=lambda span: span.begin):
            # In a short while between two nobody has to have got a word in.
            if merged and span.begin <= merged[-1].end + LATE_SECONDS:
                merged[-1] = Span(merged[-1].begin, max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return merged

    def _has_to_be_up(self, standing, said):
        """It is connected, and corosync has answered lately."""
        last_word = self._settings.stale_after - self._settings.poll_interval - LATE_SECONDS
        return all(
            said.end < deaf.begin + last_word or said.begin > self._by(deaf.end)
            or deaf.end - deaf.begin < last_word
            for deaf in self._deaf)

    def _is_denied(self, said):
        """Somebody else was answered just before, by a corosync that had not just woken up."""
        if self._is_starved(said.begin):
            return False  # it may have no descriptor, nor space, to ask with
        return any(
            look.answered and look.end <= said.begin <= look.end + LOOKED_SECONDS
            and not any(frozen.begin <= look.end and (thawed is None
                                                      or look.begin < self._by(thawed.end))
                        for frozen, thawed in self._fate.freezes)
            for look in self._looks)

    def _seen_by_looks(self, said):
        """What corosync-quorumtool said before and after; None if that may not be what was then."""
        for before, after in zip(self._looks, self._looks[1:]):
            if (before.end <= said.begin and said.end <= after.begin
                    and before.answered and before.status == after.status
                    and self._by(before.end) <= said.begin
                    and not any(before.begin - LATE_SECONDS <= told.time <= after.end
                                for connection in self._log.subscribers
                                for told in connection.told)):
                return before.status
        return None

    def _has_to_be_down(self, said):
        """Corosync is frozen, and has been for so long."""
        return any(
            self._by(frozen.end + self._settings.stale_after) < said.begin
            and (thawed is None or said.end < thawed.begin)
            for frozen, thawed in self._fate.freezes)

    def _seen_until(self, when):
        """Until when the exporter counts: in a silence, for as long as it is not stale."""
        begin, end = when.begin, when.end
        for deaf in self._deaf:
            if deaf.begin <= begin <= deaf.end + LATE_SECONDS:
                last_word = deaf.begin - self._settings.poll_interval - LATE_SECONDS
                begin = min(begin, last_word + self._settings.stale_after)
        for frozen, thawed in self._fate.freezes:
            if frozen.end <= end and (thawed is None or end < thawed.begin):
                end = min(end, frozen.end + self._settings.stale_after + LATE_SECONDS)
        return Span(begin, max(begin, end))

    # --- the page ---

    def _complaints(self, standing, said):
        tally = standing.tally
        wrong = []

        def compare(what, page, log):
            if page != log:
                wrong.append(f'{what}: the page says {page}, the log {log}')

        if not standing.connected:
            compare('corosync_up', said.up, False)
        elif said.up:
            if self._has_to_be_down(said):
                wrong.append('corosync_up is 1 for a corosync that is frozen for longer than '
                             '--corosync.stale-after')
            compare('corosync_quorate', said.quorate, tally.quorate)
            compare('corosync_members', said.members, len(tally.members))
            for node, is_member in said.is_member.items():
                compare(f'corosync_node_member of node {node}', is_member, node in tally.members)
            if said.is_named:
                compare('members without corosync_node_member',
                        set(tally.members) - set(said.is_member), set())
        elif self._has_to_be_up(standing, said):
            wrong.append('corosync_up is 0 for a corosync that answers')
        elif self._is_denied(said):
            wrong.append('corosync_up is 0 for a corosync that answered corosync-quorumtool')
        if said.up and not said.syncing and (seen := self._seen_by_looks(said)):
            for what, page, tool in (('corosync_quorate', said.quorate, seen.quorate),
                                     ('corosync_members', said.members, seen.members)):
                if page != tool:
                    wrong.append(f'{what}: the page says {page}, corosync-quorumtool {tool}')
        if not said.up:
            compare('corosync_quorate while unknown', said.quorate, None)
            compare('corosync_members while unknown', said.members, None)
            compare('corosync_node_member while unknown', said.is_member, {})
        compare('corosync_quorum_changes_total', said.quorum_changes, tally.quorum_changes)
        compare('corosync_quorum_losses_total', said.quorum_losses, tally.quorum_losses)
        compare('corosync_membership_changes_total', said.membership_changes,
                tally.membership_changes)
        for family, counts, nodes in (('corosync_node_joins_total', said.joins, tally.joined),
                                      ('corosync_node_leaves_total', said.leaves, tally.left)):
            for node, count in counts.items():
                compare(f'{family} of node {node}', count, nodes.count(node))
            # A node has no series before its name was looked up.
            if said.is_named:
                compare(f'nodes without {family}', {*tally.members, *nodes} - set(counts), set())
        lost = tally.until(self._seen_until(Span(said.begin, said.end)))
        slack = lost.timed * LOSS_SECONDS
        if not lost.lost.begin - slack <= said.lost_seconds <= lost.lost.end + slack:
            wrong.append(
                f'corosync_quorum_lost_seconds_total: the page says {said.lost_seconds:.3f}, the '
                f'log {lost.lost.begin:.3f} to {lost.lost.end:.3f}, {lost.timed} losses since the '
                'last known')
        return wrong


def _anchored(standing, lost_seconds):
    """The standing of which a page was true: between two losses it tells how long those took.

    Else the tolerances of all of an exporter's losses would add up.
    """
    tally = standing.tally
    if tally.lost_since:
        return standing
    tally = dataclasses.replace(tally, lost=Span(lost_seconds, lost_seconds), timed=0)
    return dataclasses.replace(standing, tally=tally)
