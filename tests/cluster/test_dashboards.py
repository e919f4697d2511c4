#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboards' questions, put to a Prometheus that watches a real cluster in trouble."""

import dataclasses
import json
import pathlib
import re
import time

import case
from prometheus import Prometheus
from waiting import wait_until

DASHBOARDS = pathlib.Path(__file__).resolve().parents[2] / 'dashboards'

# The same nodes twice: without and with a label that names the cluster.
CONF = '''
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: corosync
    static_configs:
      - targets: [{targets}]
  - job_name: labelled
    static_configs:
      - targets: [{targets}]
        labels: {{cluster: site-a}}
'''
CLUSTERS = {('corosync', 'lab'), ('labelled', 'site-a')}

# What has no answer here, whatever happens, and why.
UNANSWERED = {
    ('Corosync / Cluster', 'Its votes', 'A'): 'the lab has no quorum device',
}

# What is shown where it is known.
SOMETIMES = {
    ('Corosync / All clusters', 'Silent nodes', 'A'): {'cluster'},
}

SCRAPED_SECONDS = 5  # from what corosync says to what Prometheus has of it


@dataclasses.dataclass(frozen=True)
class Question:
    dashboard: str
    panel: str
    ref: str
    expression: str
    shown: frozenset  # labels that are shown of each series
    drawn: bool = False  # each series by a name of these labels

    def asked(self, range_seconds, cluster='.*'):
        """The expression as Grafana sends it, with its variables' values."""
        values = {'job': '.+', 'instance': '.+', 'cluster': cluster,
                  '__rate_interval': '5s', '__range': f'{range_seconds:.0f}s'}
        return re.sub(r'\$([a-z_]+)', lambda match: values[match[1]], self.expression)


def questions():
    """All that the dashboards ask, with their marks and variables."""
    for path in sorted(DASHBOARDS.glob('*.json')):
        dashboard = json.loads(path.read_text())
        if 'panels' not in dashboard:
            continue
        title = dashboard['title']
        for panel in dashboard['panels']:
            for number, target in enumerate(panel.get('targets', [])):
                yield Question(title, panel['title'], target['refId'], target['expr'],
                               _shown(panel, target, number), panel['type'] != 'table')
        for mark in dashboard['annotations']['list']:
            yield Question(title, 'mark', mark['name'], mark['expr'], _named_in(mark['textFormat']))
        for variable in dashboard['templating']['list']:
            if match := re.fullmatch(r'query_result\((.*)\)', variable['query']):
                yield Question(title, 'variable', variable['name'], match[1],
                               frozenset({variable['name']}))


def _shown(panel, target, number):
    if panel['type'] != 'table':
        return _named_in(target['legendFormat'])
    # The first question of a table has all of its rows, and the labels that are shown.
    columns = {override['matcher']['options'] for override in panel['fieldConfig']['overrides']}
    return frozenset(column for column in columns if not column.startswith('Value') and number == 0)


def _named_in(text):
    return frozenset(re.findall(r'{{(\w+)}}', text))


class DashboardsTest(case.ClusterCase):
    LINKS = 2
    CONF = {'quorum': {'wait_for_all': 1}, 'totem': {'config_version': 7}}

    def test_every_question_has_an_answer_and_the_first_ones_the_right_one(self):
        self._start()
        wait_until(lambda: self._silent_nodes() == set(), 15, 'Prometheus scrapes all nodes')
        self._expect(missing=set(), verdict=1, spare=1, state='Fine')

        self.lab.kill(3)
        self._expect(missing={'node3'}, verdict=1, spare=0, state='At risk')
        self.assertEqual(self._silent_nodes(), {3})

        self.lab.kill(2)
        self._expect(missing={'node2', 'node3'}, verdict=0, spare=-1, state='No quorum')

        self.lab.start(2)
        self.lab.start(3)
        self._expect(missing=set(), verdict=1, spare=1, state='Fine')

        # Frozen until the others miss it, it finds that it was not scheduled.
        self.lab.freeze(2)
        self._expect(missing={'node2'}, verdict=1, spare=0, state='At risk')
        # What it does not answer is taken back, but only a poll asks.
        wait_until(lambda: self._now('Connections made, and errors', 'C'),
                   case.POLL_SECONDS + case.NOTICE_SECONDS, 'a call that was taken back shows')
        self.lab.thaw(2)
        wait_until(lambda: self._now('Scheduling pauses', 'A'), case.NOTICE_SECONDS,
                   'the pause shows')

        # Without its exporter a node is silent, and no less a member.
        self.exporters[3].stop()
        wait_until(lambda: self._silent_nodes() == {3}, case.NOTICE_SECONDS, 'node 3 is silent')
        self._expect(missing=set(), verdict=1, spare=1, state='Look')

        for node in (1, 2):
            self.exporters[node].stop()
        self._expect(missing=set(), verdict=-1, spare=None, state='Unknown')

        self._assert_every_question_was_answered()

    # --- what is asked ---

    def _start(self):
        port = case.FIRST_PORT + 10
        self.exporters = {
            node: self.start_exporter(node, f'--web.listen-address={_address(node)}:{port}')
            for node in self.lab.nodes}
        targets = ', '.join(f'"{_address(node)}:{port}"' for node in self.lab.nodes)
        self.questions = {(question.dashboard, question.panel, question.ref): question
                          for question in questions()}
        self.start = time.time()
        self.prometheus = Prometheus.inside(self.lab, 1, self.work,
                                            CONF.format(targets=targets))
        self.addCleanup(self.prometheus.stop)

    def _now(self, panel, ref, dashboard='Corosync / Cluster', cluster='.*'):
        question = self.questions[dashboard, panel, ref]
        return self.prometheus.now(question.asked(time.time() - self.start + 1, cluster)) or []

    def _fleet(self, ref):
        """A column of the table of clusters, by job and cluster."""
        return {(labels['job'], labels['cluster']): value
                for labels, value in self._now('Clusters, the worst first', ref, 'Corosync / All clusters')}

    def _silent_nodes(self):
        nodes = [{int(re.match(r'10\.77\.0\.(\d+)', labels['instance'])[1])
                  for labels, _ in self._now('Silent nodes', 'A', 'Corosync / All clusters')
                  if labels['job'] == job} for job, _ in CLUSTERS]
        self.assertEqual(nodes[0], nodes[1], 'a label makes no difference')
        return nodes[0]

    def _expect(self, missing, verdict, spare, state):
        """The first panels come to say so, of both clusters and of each when it is chosen."""
        words = {'No quorum': 4, 'Unknown': 3, 'At risk': 2, 'Look': 1, 'Fine': 0}

        def says():
            for job, cluster in CLUSTERS:
                def values(panel):
                    return {(labels['cluster'], labels.get('node')): value
                            for labels, value in self._now(panel, 'A', cluster=cluster)}
                self.assertEqual(values('Have we quorum?'), {(cluster, None): verdict})
                self.assertEqual(values('Votes to spare'),
                                 {} if spare is None else {(cluster, None): spare})
                self.assertEqual(values('Who is missing?'), {(cluster, node): 0 for node in missing})
            for ref, value in (('A', words[state]), ('B', verdict), ('C', spare), ('D', len(missing))):
                self.assertEqual(self._fleet(ref), {} if value is None else
                                 {cluster: value for cluster in CLUSTERS}, ref)
            return True

        wait_until(says, 2 * case.NOTICE_SECONDS + SCRAPED_SECONDS, f'the dashboards say: {state}')

    def _assert_every_question_was_answered(self):
        end = time.time()
        unanswered = set()
        for key, question in self.questions.items():
            # As a reader does: a cluster on its dashboard, and all on the other.
            chosen = 'lab' if question.dashboard == 'Corosync / Cluster' else '.*'
            answer = self.prometheus.over(question.asked(end - self.start, chosen), self.start, end)
            if not answer:
                unanswered.add(key)
            names = []
            for labels, _ in answer:
                self.assertLessEqual(question.shown - SOMETIMES.get(key, set()), labels.keys(), key)
                names.append([labels.get(label) for label in question.shown])
            if question.drawn:
                for name in names:
                    self.assertEqual(names.count(name), 1, f'{key}: several series {name}')
        self.assertEqual(unanswered, set(UNANSWERED))


def _address(node):
    return f'10.77.0.{node}'


if __name__ == '__main__':
    case.main('prometheus')
