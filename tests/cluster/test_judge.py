#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of the truth test: it takes what is true, and nothing that is not."""

import dataclasses
import datetime
import tempfile
import unittest

from judge import Fate, Judge, Said, Settings, Span
from look import Look
from told import Log

SETTINGS = Settings(stale_after=5, poll_interval=1)
PID = 42

# Seconds of the story, and what node 1's corosync logs then. It starts alone; the exporter
# subscribes; the others come; they go and quorum with them; one of them is back in a sync that is
# interrupted; both are back; a tool asks it. It is stopped at 20, started at 25, and frozen from 40
# to 52.
STORY = [
    (0.0, 'MAIN', 'Corosync Cluster Engine 3.1.7 starting up'),
    (1.0, 'QUORUM', 'Sync members[1]: 1'),
    (1.0, 'QUORUM', 'Sync joined[1]: 1'),
    (1.0, 'QUORUM', 'sending nodelist notification to (nil), length = 60'),
    (1.0, 'QUORUM', 'sending quorum notification to (nil), length = 52/60'),
    (1.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (2.0, 'QB', 'IPC credentials authenticated (/dev/shm/qb-7-42-30-abcdef/qb)'),
    (2.0, 'QUORUM', 'lib_init_fn: conn=0xa'),
    (2.0, 'QUORUM', 'got trackstart request on 0xa'),
    (2.0, 'QUORUM', 'sending initial status to 0xa'),
    (2.0, 'QUORUM', 'sending nodelist notification to 0xa, length = 60'),
    (2.0, 'QUORUM', 'sending quorum notification to 0xa, length = 52/60'),
    (3.0, 'QUORUM', 'Sync members[3]: 1 2 3'),
    (3.0, 'QUORUM', 'Sync joined[2]: 2 3'),
    (3.0, 'QUORUM', 'sending nodelist notification to (nil), length = 76'),
    (3.0, 'QUORUM', 'This node is within the primary component and will provide service.'),
    (3.0, 'QUORUM', 'sending quorum notification to (nil), length = 60/68'),
    (3.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (10.0, 'QUORUM', 'Sync members[1]: 1'),
    (10.0, 'QUORUM', 'Sync left[2]: 2 3'),
    (10.0, 'QUORUM', 'sending nodelist notification to (nil), length = 60'),
    (10.0, 'QUORUM', 'This node is within the non-primary component and will NOT provide any '
                     'services.'),
    (10.0, 'QUORUM', 'sending quorum notification to (nil), length = 52/60'),
    (10.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (12.0, 'QUORUM', 'Sync members[2]: 1 2'),
    (12.0, 'QUORUM', 'Sync joined[1]: 2'),
    (13.0, 'QUORUM', 'Sync members[3]: 1 2 3'),
    (13.0, 'QUORUM', 'Sync joined[2]: 2 3'),
    (13.0, 'QUORUM', 'sending nodelist notification to (nil), length = 76'),
    (13.0, 'QUORUM', 'This node is within the primary component and will provide service.'),
    (13.0, 'QUORUM', 'sending quorum notification to (nil), length = 60/68'),
    (13.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (15.0, 'QB', 'IPC credentials authenticated (/dev/shm/qb-7-43-30-abcdef/qb)'),
    (15.0, 'QUORUM', 'lib_init_fn: conn=0xb'),
    (15.0, 'QUORUM', 'got trackstart request on 0xb'),
    (15.0, 'QUORUM', 'sending nodelist notification to 0xb, length = 60'),
    (15.0, 'QUORUM', 'sending quorum notification to 0xb, length = 52/60'),
    (15.0, 'QUORUM', 'lib_exit_fn: conn=0xb'),
    (20.1, 'QUORUM', 'lib_exit_fn: conn=0xa'),
    (20.1, 'MAIN', 'Corosync Cluster Engine exiting normally'),
    (25.0, 'MAIN', 'Corosync Cluster Engine 3.1.7 starting up'),
    (26.0, 'QUORUM', 'Sync members[1]: 1'),
    (26.0, 'QUORUM', 'Sync joined[1]: 1'),
    (26.0, 'QUORUM', 'sending nodelist notification to (nil), length = 60'),
    (26.0, 'QUORUM', 'sending quorum notification to (nil), length = 52/60'),
    (26.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (27.0, 'QB', 'IPC credentials authenticated (/dev/shm/qb-8-42-30-abcdef/qb)'),
    (27.0, 'QUORUM', 'lib_init_fn: conn=0xa'),
    (27.0, 'QUORUM', 'got trackstart request on 0xa'),
    (27.0, 'QUORUM', 'sending nodelist notification to 0xa, length = 60'),
    (27.0, 'QUORUM', 'sending quorum notification to 0xa, length = 52/60'),
    (30.0, 'QUORUM', 'Sync members[3]: 1 2 3'),
    (30.0, 'QUORUM', 'Sync joined[2]: 2 3'),
    (30.0, 'QUORUM', 'sending nodelist notification to (nil), length = 76'),
    (30.0, 'QUORUM', 'This node is within the primary component and will provide service.'),
    (30.0, 'QUORUM', 'sending quorum notification to (nil), length = 60/68'),
    (30.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
    (53.0, 'QUORUM', 'Sync members[3]: 1 2 3'),
    (53.0, 'QUORUM', 'Sync joined[2]: 2 3'),
    (53.0, 'QUORUM', 'Sync left[2]: 2 3'),
    (53.0, 'QUORUM', 'sending nodelist notification to (nil), length = 84'),
    (53.0, 'QUORUM', 'sending quorum notification to (nil), length = 60/68'),
    (53.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
]
DEATH, FROZEN, THAWED = Span(20, 20.1), Span(40, 40.1), Span(52, 52.1)

MIDNIGHT = datetime.datetime.combine(datetime.date.today(), datetime.time())


def moment(seconds):
    return (MIDNIGHT + datetime.timedelta(seconds=seconds)).timestamp()


def span(seconds):
    return Span(moment(seconds.begin), moment(seconds.end))


ALL, ALONE = {1, 2, 3}, {1}


def page(seconds, members, changes, losses, memberships, lost, joins, leaves, up=True):
    """Joins and leaves are those of node 2; they are node 3's too."""
    return Said(
        moment(seconds), moment(seconds + 0.01), up, len(members) > 1 if up else None,
        len(members) if up else None, {node: node in members for node in ALL} if up else {}, True,
        changes, losses, memberships, lost, {1: 0, 2: joins, 3: joins},
        {1: 0, 2: leaves, 3: leaves})


# What a true exporter says meanwhile.
PAGES = [
    page(1.5, ALONE, 0, 0, 0, 0, 0, 0, up=False),
    page(2.5, ALONE, 0, 0, 0, 0.5, 0, 0),
    page(5, ALL, 1, 0, 1, 1, 1, 0),
    page(10.5, ALONE, 2, 1, 2, 1.5, 1, 1),
    page(12.5, ALONE, 2, 1, 2, 3.5, 1, 1),
    page(16, ALL, 3, 1, 3, 4, 2, 1),
    page(22, ALL, 3, 1, 3, 4, 2, 1, up=False),
    page(28.5, ALONE, 4, 2, 4, 5.5, 2, 1),
    page(36, ALL, 5, 2, 5, 7, 3, 1),
    page(43, ALL, 5, 2, 5, 7, 3, 1),
    page(48, ALL, 5, 2, 5, 7, 3, 1, up=False),
    page(55, ALL, 5, 2, 6, 7, 4, 2),
]


# However long corosync is frozen, the connection stands, and is told what was missed.
LONG_FREEZE = [Span(40, 40.1), Span(100, 100.1)]
LONG_FREEZE_STORY = [line for line in STORY if line[0] < 40] + [
    (101.0, 'QUORUM', 'Sync members[3]: 1 2 3'),
    (101.0, 'QUORUM', 'Sync joined[2]: 2 3'),
    (101.0, 'QUORUM', 'Sync left[2]: 2 3'),
    (101.0, 'QUORUM', 'sending nodelist notification to (nil), length = 84'),
    (101.0, 'QUORUM', 'sending quorum notification to (nil), length = 60/68'),
    (101.0, 'MAIN', 'Completed service synchronization, ready to provide service.'),
]
LONG_FREEZE_PAGES = PAGES[:-1] + [
    page(90, ALL, 5, 2, 5, 7, 3, 1, up=False),
    page(103.5, ALL, 5, 2, 6, 7, 4, 2),
]

# In it, the exporter ended that connection, and made another one.
GIVEN_UP = [
    (100.2, 'QUORUM', 'lib_exit_fn: conn=0xa'),
    (102.0, 'QB', 'IPC credentials authenticated (/dev/shm/qb-8-42-30-abcdef/qb)'),
    (102.0, 'QUORUM', 'lib_init_fn: conn=0xc'),
    (102.0, 'QUORUM', 'got trackstart request on 0xc'),
    (102.0, 'QUORUM', 'sending nodelist notification to 0xc, length = 76'),
    (102.0, 'QUORUM', 'sending quorum notification to 0xc, length = 60/68'),
]


@dataclasses.dataclass(frozen=True)
class Seen:
    """What of corosync-quorumtool's page counts here."""

    quorate: bool
    members: int


def look(seconds, status=Seen(True, 3)):
    return Look(moment(seconds - 0.1), moment(seconds), status)


def verdicts(story=tuple(STORY), pages=tuple(PAGES), pid=PID, freeze=(FROZEN, THAWED), starved=(),
             stalls=(), looks=()):
    """What the judge says to each page."""
    with tempfile.NamedTemporaryFile('w') as file:
        for seconds, subsystem, text in story:
            at = MIDNIGHT + datetime.timedelta(seconds=seconds)
            file.write(f'{at:%b %d %H:%M:%S}.{at.microsecond // 1000:03} [7] vm corosync debug   '
                       f'[{subsystem:6}] {text}\n')
        file.flush()
        log = Log(file.name)
        log.read()
    fate = Fate([span(DEATH)], [list(map(span, freeze))], list(starved))
    judge = Judge(pid, log, fate, SETTINGS, [(moment(begin), moment(end)) for begin, end in stalls])
    return [judge.hold(said, looks) for said in pages]


def is_noticed(**doctored):
    return any(verdicts(**doctored))


def again(said, seconds):
    """The same page at a later time; a loss goes on."""
    lost = 0 if said.quorate else moment(seconds) - said.begin
    return dataclasses.replace(said, begin=moment(seconds), end=moment(seconds + 0.01),
                               lost_seconds=said.lost_seconds + lost)


def late(index, seconds):
    """The pages of an exporter that says the same until then."""
    return [*PAGES[:index + 1], again(PAGES[index], seconds),
            *(said for said in PAGES if said.begin > moment(seconds))]


class JudgeTest(unittest.TestCase):
    def test_the_truth_is_taken(self):
        self.assertEqual(verdicts(), [[]] * len(PAGES))

    def test_a_page_with_a_wrong_value_is_noticed(self):
        for index, said in enumerate(PAGES):
            for field, value in self._wrong_values(said):
                with self.subTest(page=index, field=field, value=value):
                    pages = PAGES[:]
                    pages[index] = dataclasses.replace(said, **{field: value})
                    self.assertTrue(is_noticed(pages=pages))

    def _wrong_values(self, said):
        for field in ('quorum_changes', 'quorum_losses', 'membership_changes'):
            yield field, getattr(said, field) + 1
            yield field, getattr(said, field) - 1
        for field in ('joins', 'leaves'):
            counts = getattr(said, field)
            yield field, counts | {2: counts[2] + 1}
            yield field, counts | {1: 1}
            # Before the first connection no node has a name.
            if said is not PAGES[0]:
                yield field, {}
        # At most one loss is new since the page before.
        yield 'lost_seconds', said.lost_seconds + 0.07
        yield 'lost_seconds', said.lost_seconds - 0.07
        if said.up:
            yield 'quorate', not said.quorate
            yield 'members', said.members - 1
            yield 'is_member', said.is_member | {2: not said.is_member[2]}
            yield 'is_member', {node: is_member for node, is_member in said.is_member.items()
                                if node != 1}
        else:
            yield 'quorate', True
            yield 'members', 1
            yield 'is_member', {1: True}

    def test_a_page_that_is_up_or_not_at_the_wrong_time_is_noticed(self):
        for index, said in enumerate(PAGES):
            # At 43 s the last word may be 5 s old, or not.
            if said.begin == moment(43):
                continue
            with self.subTest(page=index):
                pages = PAGES[:]
                doctored = {'up': False, 'quorate': None, 'members': None, 'is_member': {}}
                if not said.up:
                    doctored = {'up': True, 'quorate': True, 'members': 3,
                                'is_member': dict.fromkeys(ALL, True)}
                pages[index] = dataclasses.replace(said, **doctored)
                self.assertTrue(is_noticed(pages=pages))

    def test_a_page_that_is_late_is_noticed(self):
        for index, seconds in ((1, 4.5), (2, 11.5), (4, 15), (5, 22), (7, 32)):
            with self.subTest(seconds=seconds):
                self.assertTrue(is_noticed(pages=late(index, seconds)))

    def test_a_page_is_as_late_as_the_machine_stood_still_and_no_later(self):
        pages = late(2, 11.5)  # half a second more than it may
        for stalls, is_excused in (
                ([], False), ([(10.2, 10.9)], True), ([(10.2, 10.4), (10.5, 10.9)], True),
                ([(10.2, 10.6)], False), ([(8.5, 9.9)], False), ([(11.2, 12.5)], False)):
            with self.subTest(stalls=stalls):
                self.assertEqual(not is_noticed(pages=pages, stalls=stalls), is_excused)

    def test_who_is_called_silent_though_a_tool_was_answered_is_noticed(self):
        # A sync that does not end: a request may wait, and so long it may be silent.
        story = [*STORY, (60.0, 'QUORUM', 'Sync members[3]: 1 2 3')]
        pages = [*PAGES, page(70, ALL, 5, 2, 6, 7, 4, 2, up=False)]
        for looks, is_excused in (
                ([], True), ([look(69.8)], False), ([look(69.8, None)], True),
                ([look(69)], True), ([look(70.2)], True)):
            with self.subTest(looks=looks):
                self.assertEqual(not is_noticed(story=story, pages=pages, looks=looks), is_excused)
        starved = [[moment(69), moment(72)]]
        self.assertFalse(is_noticed(story=story, pages=pages, looks=[look(69.8)], starved=starved))

    def test_who_has_just_woken_up_may_be_called_silent_for_a_moment(self):
        for seconds, is_excused in ((52.3, True), (52.9, True), (53.6, False)):
            pages = [*PAGES[:-1], page(seconds + 0.1, ALL, 5, 2, 5, 7, 3, 1, up=False), PAGES[-1]]
            if seconds > 53:
                pages[-2] = page(seconds + 0.1, ALL, 5, 2, 6, 7, 4, 2, up=False)
            with self.subTest(seconds=seconds):
                self.assertEqual(not is_noticed(pages=pages, looks=[look(seconds)]), is_excused)

    def test_a_page_that_a_tool_contradicts_is_noticed(self):
        # Both before and after it, and nothing came in between.
        for before, after, is_excused in (
                (look(6), look(9), True), (look(6, Seen(False, 3)), look(9, Seen(False, 3)), False),
                (look(6, Seen(True, 2)), look(9, Seen(True, 2)), False),
                (look(6, Seen(True, 2)), look(9), True),
                (look(6, Seen(True, 2)), look(11, Seen(True, 2)), True),
                (look(7.5, Seen(True, 2)), look(9, Seen(True, 2)), True),
                (look(6, None), look(9, None), True)):
            pages = [*PAGES[:3], again(PAGES[2], 8), *PAGES[3:]]
            with self.subTest(before=before, after=after):
                self.assertEqual(not is_noticed(pages=pages, looks=[before, after]), is_excused)

    def test_each_loss_has_a_tolerance_of_its_own(self):
        story, pages = STORY[:], PAGES[:]
        for number in range(1, 31):
            begin = 50 + 10 * number
            for seconds, verdict in ((begin, 'the non-primary component and will NOT'),
                                     (begin + 2, 'the primary component and will')):
                story += [(seconds, 'QUORUM', f'This node is within {verdict} provide'),
                          (seconds, 'QUORUM', 'sending quorum notification to (nil), length = 60')]
            pages.append(page(begin + 5, ALL, 5 + 2 * number, 2 + number, 6,
                              7 + 2.04 * number, 4, 2))
        self.assertFalse(is_noticed(story=story, pages=pages))
        for error in (0.3, -0.3):
            last = dataclasses.replace(pages[-1], lost_seconds=pages[-1].lost_seconds + error)
            self.assertTrue(is_noticed(story=story, pages=[*pages[:-1], last]))
        # Between two losses the time does not move at all.
        moved = again(pages[-1], 358)
        self.assertFalse(is_noticed(story=story, pages=[*pages, moved]))
        moved = dataclasses.replace(moved, lost_seconds=moved.lost_seconds + 0.001)
        self.assertTrue(is_noticed(story=story, pages=[*pages, moved]))

    def test_a_connection_outlasts_a_long_freeze(self):
        long = {'story': LONG_FREEZE_STORY, 'freeze': LONG_FREEZE}
        self.assertFalse(is_noticed(pages=LONG_FREEZE_PAGES, **long))
        for doctored in ({'joins': {1: 0, 2: 3, 3: 3}}, {'membership_changes': 5}, {'up': False}):
            with self.subTest(doctored):
                last = dataclasses.replace(LONG_FREEZE_PAGES[-1], **doctored)
                self.assertTrue(is_noticed(pages=[*LONG_FREEZE_PAGES[:-1], last], **long))
        # Given up, it is told the members only.
        story = sorted([*LONG_FREEZE_STORY, *GIVEN_UP], key=lambda line: line[0])
        missed = dataclasses.replace(LONG_FREEZE_PAGES[-1], joins={1: 0, 2: 3, 3: 3},
                                     leaves={1: 0, 2: 1, 3: 1})
        for last in (LONG_FREEZE_PAGES[-1], missed):
            self.assertTrue(is_noticed(story=story, freeze=LONG_FREEZE,
                                       pages=[*LONG_FREEZE_PAGES[:-1], last]))

    def test_nodes_are_missed_once_they_have_names(self):
        for index, said in enumerate(PAGES[1:], 1):
            pages = PAGES[:]
            pages[index] = dataclasses.replace(said, is_member={}, joins={}, leaves={})
            with self.subTest(page=index):
                self.assertTrue(is_noticed(pages=pages))
                pages[index].is_named = False
                self.assertFalse(is_noticed(pages=pages))
                # Those that are there are held to the log all the same.
                pages[index].joins = {2: said.joins[2] + 1}
                self.assertTrue(is_noticed(pages=pages))

    def test_a_log_with_another_story_is_noticed(self):
        for index, (seconds, _, text) in enumerate(STORY):
            # A tool's are nobody's business here, nor is what no page can tell. Without lib_init
            # the rest makes no sense at all.
            if '0xb' in text or '-43-' in text or text.startswith((
                    'Completed', 'sending initial', 'Corosync', 'lib_exit', 'lib_init')):
                continue
            if seconds in (1, 12, 26) or (seconds == 53 and 'quorum notification' in text):
                continue
            with self.subTest(f'without {text!r} at {seconds}'):
                self.assertTrue(is_noticed(story=STORY[:index] + STORY[index + 1:]))

    def test_a_connection_that_ends_without_a_reason_is_noticed(self):
        anew = [(6.0, subsystem, text) for seconds, subsystem, text in STORY if seconds == 2]
        story = sorted([*STORY, (5.9, 'QUORUM', 'lib_exit_fn: conn=0xa'), *anew],
                       key=lambda line: line[0])
        self.assertTrue(is_noticed(story=story))
        starved = [[moment(5), moment(7)]]
        self.assertFalse(is_noticed(story=story, starved=starved))

    def test_an_exporter_that_connected_while_starved_may_be_silent(self):
        silent = page(9, ALL, 1, 0, 1, 1, 1, 0, up=False)
        pages = [*PAGES[:3], silent, *PAGES[3:]]
        for starved, is_excused in (([], False), ([[moment(1.5), moment(9.5)]], True),
                                    ([[moment(2.5), moment(9.5)]], False),
                                    ([[moment(1.5), moment(6)]], False)):
            with self.subTest(starved=starved):
                self.assertEqual(not is_noticed(pages=pages, starved=starved), is_excused)

    def test_the_story_of_another_exporter_is_noticed(self):
        self.assertTrue(is_noticed(pid=43))


if __name__ == '__main__':
    unittest.main()
