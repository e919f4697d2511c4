#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The judge of the truth test: it takes what is true, and nothing that is not."""

import dataclasses
import datetime
import tempfile
import unittest

from judge import Fate, Judge, Said, Settings, Span
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


def verdicts(story=tuple(STORY), pages=tuple(PAGES), pid=PID, starved=()):
    """What the judge says to each page."""
    with tempfile.NamedTemporaryFile('w') as file:
        for seconds, subsystem, text in story:
            at = MIDNIGHT + datetime.timedelta(seconds=seconds)
            file.write(f'{at:%b %d %H:%M:%S}.{at.microsecond // 1000:03} [7] vm corosync debug   '
                       f'[{subsystem:6}] {text}\n')
        file.flush()
        log = Log(file.name)
        log.read()
    fate = Fate([span(DEATH)], [[span(FROZEN), span(THAWED)]], list(starved))
    judge = Judge(pid, log, fate, SETTINGS)
    return [judge.hold(said) for said in pages]


def is_noticed(**doctored):
    return any(verdicts(**doctored))


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
        # Each loss so far may be off by 50 ms, and one that lasts by as much.
        yield 'lost_seconds', said.lost_seconds + 0.21
        yield 'lost_seconds', said.lost_seconds - 0.21
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
        for seconds, late in ((4.5, PAGES[1]), (12, PAGES[2]), (15, PAGES[4]), (22, PAGES[5]),
                              (32, PAGES[7])):
            with self.subTest(seconds=seconds):
                pages = sorted([*PAGES, dataclasses.replace(
                    late, begin=moment(seconds), end=moment(seconds + 0.01))],
                    key=lambda said: said.begin)
                self.assertTrue(is_noticed(pages=pages))

    def test_a_log_with_another_story_is_noticed(self):
        for index, (seconds, _, text) in enumerate(STORY):
            # A tool's are nobody's business here, nor is what no page can tell.
            if '0xb' in text or '-43-' in text or text.startswith((
                    'Completed', 'sending initial', 'Corosync', 'lib_exit')):
                continue
            if seconds in (1, 12, 26) or (seconds == 53 and 'quorum notification' in text):
                continue
            with self.subTest(f'without {text!r} at {seconds}'):
                try:
                    self.assertTrue(is_noticed(story=STORY[:index] + STORY[index + 1:]))
                except KeyError:
                    pass  # it makes no sense at all

    def test_a_connection_that_ends_without_a_reason_is_noticed(self):
        again = [(6.0, subsystem, text) for seconds, subsystem, text in STORY if seconds == 2]
        story = sorted([*STORY, (5.9, 'QUORUM', 'lib_exit_fn: conn=0xa'), *again],
                       key=lambda line: line[0])
        self.assertTrue(is_noticed(story=story))
        starved = [[moment(5), moment(7)]]
        self.assertFalse(is_noticed(story=story, starved=starved))

    def test_the_story_of_another_exporter_is_noticed(self):
        self.assertTrue(is_noticed(pid=43))


if __name__ == '__main__':
    unittest.main()
