# SPDX-License-Identifier: Apache-2.0
"""From a fault to a bell: faults happen to clusters, each to its own, under the eyes of one
Prometheus and one Alertmanager on the rules and the configuration of deploy/prometheus."""

import concurrent.futures
import contextlib
import dataclasses
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import prometheus
from alertmanager import Alertmanager, Receivers
from tower import Tower
from waiting import wait_until
from watched import WatchedCluster

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / 'deploy' / 'prometheus'

# So many corosyncs, all at realtime priority, do not yet keep each other from the processor.
CLUSTERS = 6

# From a cluster's start on, until all of it is scraped and no alert is even pending.
WELL_SECONDS = 60

# What has been so for an hour: Prometheus looks once a minute for what was put into its storage.
AGES = range(3600 + 300, 3600 - 1500, -15)
LOAD_SECONDS = 100

# How much earlier and later than said an alert may be told.
EARLY_SECONDS = 10
LATE_SECONDS = 40

RECEIVERS = {'critical': 'pager', 'warning': 'team', 'info': 'nobody'}


@dataclasses.dataclass
class Outcome:
    """Of one fault; times are seconds from then on."""

    told: dict  # {(severity, alert): time of the first}
    quiet: dict  # the same of those that fired and were told nobody
    bells: list  # [(time, receiver, labels)], in full


class Watch:
    """Prometheus, every 5 s, and Alertmanager, without its waits; else as the examples are."""

    def __init__(self, work, cleanup):
        self._work = work
        self._tower = Tower()
        cleanup.callback(self._tower.stop)
        self._over = threading.Event()  # nobody waits for an outcome any more
        self._lock = threading.Lock()
        self._targets = {}  # {cluster's name: its targets}
        self._number = 0

        directory = work / 'prometheus'
        shutil.copytree(EXAMPLES, directory)
        self._file = directory / 'prometheus.yml'
        self._file.write_text(self._file.read_text().replace('15s', '5s'))
        self._set_targets('', [])

        self._receivers = Receivers(self._tower.listen())
        cleanup.callback(self._receivers.stop)
        alerts = Alertmanager(self._tower.command, EXAMPLES / 'alertmanager.yml', work,
                              self._receivers)
        cleanup.callback(alerts.stop)
        self._prometheus = prometheus.Prometheus(
            self._tower.holder, self._tower.command, self._file)
        cleanup.callback(self._prometheus.stop)

    def outcomes(self, faults, seconds):
        """What is told of each fault within seconds(fault): {fault's name: Outcome}.

        Who is watched for longest comes first.
        """
        faults = sorted(faults, key=seconds, reverse=True)
        with concurrent.futures.ThreadPoolExecutor(CLUSTERS) as pool:
            stories = {fault.name: pool.submit(self._outcome, fault, seconds(fault))
                       for fault in faults}
            try:
                return {name: story.result() for name, story in stories.items()}
            except BaseException:
                self._over.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _outcome(self, fault, seconds):
        with self._lock:
            self._number += 1
            number = self._number
        with contextlib.ExitStack() as cleanup:
            cluster = WatchedCluster(self._tower, number, self._work / f'cluster-{number}',
                                     nodes=fault.nodes, links=fault.links, conf=fault.conf)
            cleanup.callback(cluster.down)
            cluster.up(fault.prepare)
            self._set_targets(fault.name, cluster.targets())
            cleanup.callback(self._set_targets, fault.name, [])
            if fault.remembered:
                self._remember(fault, cluster)
            self._wait_until_all_is_well(fault, cluster)

            struck = time.time()
            fault.strike(cluster)
            self._set_targets(fault.name, cluster.targets())
            self._over.wait(struck + seconds - time.time())
            return self._told_since(struck, fault)

    def _wait_until_all_is_well(self, fault, cluster):
        exporters = len(cluster.exporters)
        quorate = f'sum(corosync_quorate{{cluster="{fault.name}"}})'
        alerts = f'ALERTS{{cluster="{fault.name}"}}'
        wait_until(lambda: self._prometheus.now(quorate) == [({}, exporters)]
                   and not self._prometheus.now(alerts), WELL_SECONDS,
                   f'{exporters} nodes are quorate, and no alert is pending: {fault.name}')

    def _set_targets(self, name, targets):
        """One entry a cluster, as in the example. Prometheus reads the file as it changes."""
        with self._lock:
            self._targets[name] = targets
            file = self._file.parent / 'targets' / 'corosync.yml'
            new = file.with_suffix('.new')
            new.write_text(json.dumps([{'targets': targets, 'labels': {'cluster': name}}
                                       for name, targets in self._targets.items() if targets]))
            new.rename(file)

    def _remember(self, fault, cluster):
        """Some minutes of an hour ago, in which all was as it is now."""
        now = int(time.time())
        lines = [f'# TYPE {fault.remembered} gauge']
        for instance, page in cluster.pages():
            for labels, value in page.series(fault.remembered).items():
                series = dict(labels) | {
                    'job': 'corosync', 'cluster': fault.name, 'instance': instance}
                text = ','.join(f'{key}="{said}"' for key, said in series.items())
                lines += [f'{fault.remembered}{{{text}}} {value} {now - age}' for age in AGES]
        history = cluster.work / 'history'
        history.write_text('\n'.join([*lines, '# EOF', '']))
        subprocess.run(['promtool', 'tsdb', 'create-blocks-from', 'openmetrics', '--quiet',
                        history, prometheus.storage_of(self._file)], check=True)
        wait_until(lambda: self._prometheus.now(
            f'{fault.remembered}{{cluster="{fault.name}"}} offset 1h'), LOAD_SECONDS,
            'Prometheus remembers')

    def _told_since(self, struck, fault):
        told, quiet = {}, {}
        bells = [(bell.time - struck, bell.receiver, bell.labels)
                 for bell in self._receivers.bells() if bell.labels['cluster'] == fault.name]
        for seconds, receiver, labels in bells:
            if receiver != RECEIVERS[labels['severity']]:
                raise AssertionError(f'{receiver} is told of {labels}')
            told.setdefault((labels['severity'], labels['alertname']), seconds)
        firing = f'ALERTS{{alertstate="firing", cluster="{fault.name}"}}'
        fired = self._prometheus.over(
            f'group by (severity, alertname) ({firing})', struck, time.time())
        for labels, points in fired:
            alert = labels['severity'], labels['alertname']
            if alert not in told:
                quiet[alert] = points[0][0] - struck
        return Outcome(told, quiet, bells)


class AlertCase(unittest.TestCase):
    """Tests that faults are told of as they say themselves."""

    def assert_told(self, faults, seconds):
        """Each within its seconds(fault). Returns {fault's name: Outcome}."""
        with tempfile.TemporaryDirectory(prefix='corosync-exporter-alerts-') as directory:
            work = pathlib.Path(directory)
            work.chmod(0o755)  # a program that runs as another user is started from here
            with contextlib.ExitStack() as cleanup:
                outcomes = Watch(work, cleanup).outcomes(faults, seconds)
        wrong = [complaint for fault in faults
                 for complaint in _complaints(fault, outcomes[fault.name], seconds(fault))]
        if wrong:
            self.fail('\n'.join(wrong))
        return outcomes


def _complaints(fault, outcome, seconds):
    wrong = []
    for how, said, found in (('told', fault.told, outcome.told),
                             ('inhibited', fault.quiet, outcome.quiet)):
        said = {alert: time for alert, time in said.items() if time < seconds}
        wrong += [f'not {how}: {alert}' for alert in said.keys() - found.keys()]
        wrong += [f'{how}, after {time:.0f} s: {alert}' for alert, time in found.items()
                  if alert not in said
                  or not -EARLY_SECONDS < time - said[alert] < LATE_SECONDS]
    if wrong:
        wrong.insert(0, f'{fault.name}:')
        wrong += [f'    {time:.0f} s, {receiver}: {labels}'
                  for time, receiver, labels in outcome.bells]
    return wrong
