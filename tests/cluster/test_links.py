#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two links between the nodes: cut, flapping, slow, added and taken out; and none to speak of."""

import re

import case
import health
from waiting import every, wait_until
from wire import Wire

# Longer than a link takes to go and come back, so that both happen between two polls.
RARELY = '--corosync.poll-interval=10s'
RARELY_SECONDS = 10

DELAY_SECONDS = 0.02

# How long corosync's log is watched after a change of its configuration: several polls.
QUIET_SECONDS = 4

CONNECTED = 'corosync_link_connected'
REACHABLE = 'corosync_node_reachable'
DOWNS = 'corosync_link_downs_total'
UPS = 'corosync_link_ups_total'


class LinksTest(health.HealthCase):
    LINKS = 2

    def test_every_node_says_of_its_links_what_corosync_says(self):
        exporters = [self.start_polling_exporter(node) for node in self.lab.nodes]
        for exporter in exporters:
            with self.subTest(node=exporter.node):
                page = self.assert_health_agrees(exporter)

                self.assertEqual(len(page.series(CONNECTED)), 4, 'two links to two nodes')
                self.assertIsNone(page.find(REACHABLE, node_id=str(exporter.node)),
                                  'none to itself')
                for source in ('votequorum', 'cmap', 'cfg'):
                    self.assertEqual(page.value('corosync_exporter_source_up', source=source), 1)

    def test_a_link_that_is_cut_is_down_while_its_node_stays(self):
        exporter = self.start_polling_exporter(1)
        link = {'node_id': '3', 'node': 'node3', 'link': '1'}
        before = self.assert_health_agrees(exporter)

        self.lab.cut(3, 1)
        self.wait_for_link(exporter, 0, **link)
        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.value(DOWNS, **link), before.value(DOWNS, **link) + 1)
        self.assertEqual(page.value(UPS, **link), before.value(UPS, **link))
        self.assertEqual(page.total(CONNECTED), 3, 'the other links are up')
        self.assertEqual(page.value('corosync_link_enabled', **link), 1)
        self.assertIsNone(page.find('corosync_link_latency_seconds', **link))
        self.assertEqual(page.value(REACHABLE, node_id='3'), 1)
        self.assertEqual(page.value('corosync_node_member', node_id='3'), 1)

        self.lab.heal(3, 1)
        self.wait_for_link(exporter, 1, **link)
        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.value(DOWNS, **link), before.value(DOWNS, **link) + 1)
        self.assertEqual(page.value(UPS, **link), before.value(UPS, **link) + 1)
        self.assertEqual(page.value('corosync_membership_changes_total'), 0)

    def test_a_link_that_flaps_between_two_polls_is_counted(self):
        exporter = self.start_connected_exporter(1, RARELY, '--corosync.stale-after=25s')
        link = {'node_id': '3', 'node': 'node3', 'link': '1'}
        counted = wait_until(lambda: self._turns(exporter.page(), link), case.AGREE_SECONDS,
                             'a first reading of the links')
        wait_until(lambda: self._reading_age(exporter.page()) < 1, RARELY_SECONDS + 1, 'a poll')

        downs, ups = self._turns_of_corosync()
        self.lab.cut(3, 1)
        wait_until(lambda: self._turns_of_corosync() == (downs + 1, ups), health.LINK_SECONDS,
                   'the link goes')
        self.lab.heal(3, 1)
        wait_until(lambda: self._turns_of_corosync() == (downs + 1, ups + 1), health.LINK_SECONDS,
                   'the link comes back')
        page = exporter.page()
        self.assertEqual(self._turns(page, link), counted, 'all of it between two polls')
        self.assertEqual(page.value(CONNECTED, **link), 1)

        page = self.fresh_page(exporter)
        self.assertEqual(page.value(CONNECTED, **link), 1)
        self.assertEqual(self._turns(page, link), (downs + 1, ups + 1))

    def test_a_node_that_is_cut_off_is_out_of_reach_on_all_its_links(self):
        witness, lonely = self.start_polling_exporter(1), self.start_polling_exporter(3)

        self.lab.cut(3)
        for exporter, lost in ((witness, '3'), (lonely, '1'), (lonely, '2')):
            for link in '01':
                self.wait_for_link(exporter, 0, node_id=lost, link=link)
        self.wait_for(witness, 'corosync_members', 2)
        self.wait_for(lonely, 'corosync_members', 1)
        page = self.assert_health_agrees(witness)
        self.assertEqual(page.value(REACHABLE, node_id='3'), 0)
        self.assertEqual(page.value(REACHABLE, node_id='2'), 1)
        self.assertEqual(page.total(CONNECTED), 2)
        self.assertGreater(page.value('corosync_totem_token_losses_total', phase='operational'), 0)
        page = self.assert_health_agrees(lonely)
        self.assertEqual(page.total(REACHABLE), 0)
        self.assertEqual(page.total(CONNECTED), 0)

        self.lab.heal(3)
        self.wait_for(witness, 'corosync_members', 3)
        for link in '01':
            page = self.wait_for_link(witness, 1, node_id='3', link=link)
        self.assertEqual(page.value(REACHABLE, node_id='3'), 1)
        self.assert_health_agrees(witness)

    def test_a_long_way_shows_as_latency(self):
        # The mean is of up to 2048 pings, so that it moves slowly: node 1 begins a new one.
        self.lab.stop(1)
        self.addCleanup(Wire(self.lab, 2, 1, DELAY_SECONDS / 2).remove)  # half of it each way
        self.lab.start(1)
        exporter = self.start_exporter(1, health.OFTEN)
        self.wait_for_link(exporter, 1, node_id='2', link='1')
        self.wait_for(exporter, 'corosync_members', 3)

        self.assert_health_agrees(exporter)

        def assert_shows():
            page = exporter.page()
            latency = page.value('corosync_link_latency_seconds', node_id='2', link='1')
            self.assertGreater(latency, DELAY_SECONDS * 0.75, 'there and back')
            self.assertLess(latency, DELAY_SECONDS * 2)
            self.assertLess(page.value('corosync_link_latency_seconds', node_id='2', link='0'),
                            DELAY_SECONDS / 2, 'the other link is as short as before')
            return True
        # A ping that took long weighs the less, the more follow.
        wait_until(assert_shows, 30, 'the delay shows')

    def test_a_link_that_is_taken_out_goes_and_once_added_appears(self):
        exporter = self.start_polling_exporter(1)
        positions = {node: self.lab.log_end(node) for node in self.lab.nodes}

        self.lab.reload(re.sub(r'^ *ring1_addr: .*\n', '', self.lab.conf(), flags=re.MULTILINE))
        page = self.assert_health_agrees(exporter)
        for family in self.health_of(page, 'corosync_link_'):
            self.assertEqual({dict(key)['link'] for key in page.series(family)}, {'0'}, family)
        self._assert_nobody_complains(exporter, positions)

        self.lab.reload(self.lab.conf())
        for node_id in '23':
            self.wait_for_link(exporter, 1, node_id=node_id, link='1')
        page = self.assert_health_agrees(exporter)
        for family in self.health_of(page, 'corosync_link_'):
            self.assertEqual({dict(key)['link'] for key in page.series(family)}, {'0', '1'}, family)
        self._assert_nobody_complains(exporter, positions)
        self.assert_agrees(exporter)

    def test_a_node_that_is_added_is_out_of_reach_and_once_taken_out_it_is_gone(self):
        exporter = self.start_polling_exporter(1)
        positions = {node: self.lab.log_end(node) for node in self.lab.nodes}
        conf = self.lab.conf()
        node_3 = re.search(r'    node \{[^}]*name: node3\n[^}]*\}\n', conf)[0]
        node_9 = node_3.replace('node3', 'node9').replace('nodeid: 3', 'nodeid: 9')
        node_9 = re.sub(r'(10\.77\.\d)\.3', r'\1.9', node_9)

        # The new one comes first, so that the others' places in the list move.
        self.lab.reload(conf.replace('nodelist {\n', 'nodelist {\n' + node_9))
        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.value(REACHABLE, node_id='9', node='node9'), 0)
        for link in '01':
            self.assertEqual(page.value(CONNECTED, node_id='9', node='node9', link=link), 0)
        self.assertEqual(page.total(CONNECTED), 4, 'the links to the others are up')
        self._assert_nobody_complains(exporter, positions)

        self.lab.reload(conf)
        page = self.assert_health_agrees(exporter)
        self.assertEqual({dict(key)['node_id'] for key in page.series(REACHABLE)}, {'2', '3'})
        self._assert_nobody_complains(exporter, positions)
        self.assert_agrees(exporter)

    def _turns(self, page, link):
        return tuple(page.find(family, **link) for family in (DOWNS, UPS))

    def _turns_of_corosync(self):
        """The same of node 3's link 1 as node 1's corosync counts it."""
        said = self.lab.statistics(1, 'stats.knet.node3.link1.')
        return tuple(int(said[f'stats.knet.node3.link1.{name}'])
                     for name in ('down_count', 'up_count'))

    def _reading_age(self, page):
        return page.value('corosync_exporter_source_age_seconds', source='cfg')

    def _assert_nobody_complains(self, exporter, positions):
        """Neither now nor at the polls to come, in corosync's logs or the exporter's."""
        for _ in every(0.5, QUIET_SECONDS):
            for node, position in positions.items():
                self.assertEqual([line.text for line in self.lab.log(node, position)
                                  if line.level in ('error', 'crit', 'alert', 'emerg')], [])
            self.assertNotRegex(exporter.log(), 'level=(warn|error)')


class NoLinksTest(health.HealthCase):
    """A transport that does not watch its links, and has but one."""

    NODES = 2
    TRANSPORT = 'udpu'
    CONF = {'totem': {'transport': TRANSPORT}}

    def test_without_links_there_is_nothing_of_them_and_nothing_fails(self):
        exporter = self.start_polling_exporter(1)
        position = self.lab.log_end(1)

        page = self.assert_health_agrees(exporter)
        self.assertEqual(page.labels('corosync_cluster_info')['transport'], self.TRANSPORT)
        self.assertEqual(self.health_of(page, health.LINK_FAMILIES), set())

        self.lab.kill(2)
        self.wait_for(exporter, 'corosync_members', 1)
        page = self.assert_health_agrees(exporter)
        self.assertEqual(self.health_of(page, health.LINK_FAMILIES), set())
        for source in ('votequorum', 'cmap', 'cfg'):
            self.assertEqual(page.value('corosync_exporter_source_up', source=source), 1)
        self.assertNotRegex(exporter.log(), 'level=error')
        self.assertEqual([line.text for line in self.lab.log(1, position)
                          if line.level == 'error'], [])


class NoLinksByMulticastTest(NoLinksTest):
    TRANSPORT = 'udp'
    CONF = {'totem': {'transport': TRANSPORT}}


if __name__ == '__main__':
    case.main()
