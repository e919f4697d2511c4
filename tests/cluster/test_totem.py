#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The totem protocol and corosync itself: counted, measured, frozen for moments; or left alone."""

import os
import signal

import case
import health
from waiting import every, wait_until

CONFIG_VERSION = 7

# The shortest that the exporter takes.
INTERVAL_SECONDS = 0.1

# As often corosync is frozen in the middle of a reading, within so long.
FREEZES = 8
FREEZES_SECONDS = 30

# Corosync takes note of a pause longer than 0.8 times the token timeout.
PAUSE_SECONDS = 3

# Services, by their numbers in corosync's statistics.
CMAP, CFG, VOTEQUORUM = 0, 1, 5


class TotemTest(health.HealthCase):
    LINKS = 2
    CONF = {'totem': {'config_version': CONFIG_VERSION}}

    def test_the_configuration_in_force_is_shown(self):
        exporter = self.start_polling_exporter(1)
        page = self.assert_health_agrees(exporter)

        self.assertEqual(page.value('corosync_config_version'), CONFIG_VERSION)
        # Three nodes: the 1 s of corosync.conf, and 0.65 s for the third; consensus is 1.2 of it.
        self.assertEqual(page.value('corosync_config_token_timeout_seconds'), 1.65)
        self.assertEqual(page.value('corosync_config_consensus_timeout_seconds'), 1.98)

        self.lab.reload(self.lab.conf().replace(
            f'config_version: {CONFIG_VERSION}', f'config_version: {CONFIG_VERSION + 1}').replace(
            'token: 1000', 'token: 2000'))
        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.value('corosync_config_version'), CONFIG_VERSION + 1)
        self.assertEqual(page.value('corosync_config_token_timeout_seconds'), 2.65)

    def test_a_lost_token_and_what_follows_is_counted(self):
        exporter = self.start_polling_exporter(1)
        before = self.assert_health_agrees(exporter)

        self.lab.kill(3)
        self.wait_for(exporter, 'corosync_members', 2)
        page = self.assert_health_agrees(exporter)
        for family, label in (('corosync_totem_token_losses_total', {'phase': 'operational'}),
                              ('corosync_totem_phase_entries_total', {'phase': 'gather'}),
                              ('corosync_totem_phase_entries_total', {'phase': 'recovery'}),
                              ('corosync_totem_messages_transmitted_total', {'message': 'join'})):
            self.assertGreater(page.value(family, **label), before.value(family, **label), family)

    def test_a_corosync_that_was_not_scheduled_tells_when_and_how_long(self):
        exporter = self.start_polling_exporter(2)

        self.lab.freeze(2)
        wait_until(lambda: self._in_flight(exporter) > PAUSE_SECONDS, PAUSE_SECONDS + 5,
                   'a call hangs')
        self.lab.thaw(2)
        self.wait_for(exporter, 'corosync_members', 3)

        page = self.assert_health_agrees(exporter)
        self.assertGreater(page.value('corosync_scheduling_pause_last_seconds'), PAUSE_SECONDS)
        self.assert_agrees(exporter)

    def test_frozen_in_the_middle_of_a_reading_corosync_is_read_right_afterwards(self):
        exporter = self.start_connected_exporter(
            1, f'--corosync.poll-interval={INTERVAL_SECONDS * 1000:.0f}ms')
        before = self.assert_health_agrees(exporter)
        corosync = self.lab.pid(1)
        self.addCleanup(os.kill, corosync, signal.SIGCONT)

        hits = 0
        for _ in every(0.001, FREEZES_SECONDS):
            if self._in_flight(exporter) > 0:
                os.kill(corosync, signal.SIGSTOP)
                hits += self._hangs_in_the_middle_of_a_reading(exporter)
                os.kill(corosync, signal.SIGCONT)
            if hits == FREEZES:
                break
        self.assertEqual(hits, FREEZES)

        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.value('corosync_exporter_connects_total'), 1)
        for source in ('votequorum', 'cmap', 'cfg'):
            self.assertEqual(page.value('corosync_exporter_source_up', source=source), 1)
        self.assertEqual(self.health_of(page), self.health_of(before))
        self.assertNotRegex(exporter.log(), 'level=(warn|error)')
        self.assert_agrees(exporter)

    def test_what_is_turned_off_is_not_shown_and_not_asked_for(self):
        no_links, no_totem = '--no-collector.links', '--no-collector.totem'
        # Seldom enough for the four of them to rest while corosync is asked about each, twice.
        seldom = '--corosync.poll-interval=5s'
        exporters = [self.start_connected_exporter(1, seldom, *off) for off
                     in ((), (no_links,), (no_totem,), (no_links, no_totem))]

        def shown(families):
            return [self.health_of(exporter.page(), families) for exporter in exporters]
        wait_until(lambda: shown(health.LINK_FAMILIES)[2] and shown(health.TOTEM_FAMILIES)[1], 5,
                   'what is not turned off was read')
        links, totem = shown(health.LINK_FAMILIES), shown(health.TOTEM_FAMILIES)
        self.assertTrue(links[0])
        self.assertEqual(links[1:], [set(), links[0], set()])
        self.assertTrue(totem[0])
        self.assertEqual(totem[1:], [totem[0], set(), set()])

        all_of_it, links_off, totem_off, both_off = self._calls_per_reading(exporters)
        # Corosync is asked for its own id, and for the links to each other node.
        self.assertEqual([calls[CFG] for calls in (all_of_it, links_off, totem_off, both_off)],
                         [3, 1, 3, 1])
        # With neither there is no connection to the map of statistics.
        self.assertEqual([len(self.lab.requests(1, exporter.pid)[CMAP]) for exporter in exporters],
                         [2, 2, 2, 1])
        self.assertLess(both_off[CMAP], 10)
        # Four links, and the counters of totem.
        self.assertGreater(all_of_it[CMAP] - links_off[CMAP], 4 * 20)
        self.assertGreater(all_of_it[CMAP] - totem_off[CMAP], 20)
        self.assertAlmostEqual(all_of_it[CMAP] - links_off[CMAP],
                               totem_off[CMAP] - both_off[CMAP])

    def _hangs_in_the_middle_of_a_reading(self, exporter):
        """Whether the call that hangs follows others of the same reading.

        If so, one of the sources was read with success right before it; if not, the last was read
        an interval before.
        """
        def hanging_page():
            page = exporter.page()
            return page if self._in_flight_on(page) > INTERVAL_SECONDS / 4 else None
        page = wait_until(hanging_page, 5, 'a call hangs')
        youngest = min(page.series('corosync_exporter_source_age_seconds').values())
        return youngest - self._in_flight_on(page) < INTERVAL_SECONDS / 2

    def _calls_per_reading(self, exporters):
        """[{service: calls}], of all the exporters at once."""
        start = self._calls(exporters)

        def some_readings():
            calls = [{service: now[service] - then[service] for service in (CMAP, CFG, VOTEQUORUM)}
                     for now, then in zip(self._calls(exporters), start)]
            return calls if all(count[VOTEQUORUM] > 10 for count in calls) else None
        # Each reading asks votequorum for the own node and for each of the three.
        return [{service: count / (calls[VOTEQUORUM] / 4) for service, count in calls.items()}
                for calls in wait_until(some_readings, 120, 'some readings')]

    def _calls(self, exporters):
        def between_readings():
            first, second = (
                [{service: sum(requests) for service, requests
                  in self.lab.requests(1, exporter.pid).items()} for exporter in exporters]
                for _ in range(2))
            return first if first == second else None
        return wait_until(between_readings, 60, 'no exporter reads')

    def _in_flight(self, exporter):
        return self._in_flight_on(exporter.page())

    def _in_flight_on(self, page):
        return page.value('corosync_exporter_call_in_flight_seconds')


if __name__ == '__main__':
    case.main()
