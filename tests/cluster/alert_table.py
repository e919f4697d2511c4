# SPDX-License-Identifier: Apache-2.0
"""docs/alert-matrix.md: what is told of which fault, and after how long."""

import pathlib
import re

FILE = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'alert-matrix.md'

_HEAD = '''\
# From fault to alert

What [the rules](../deploy/prometheus/README.md) tell of what can happen to a cluster, and how many seconds after it happened.
What to do about each alert: [runbook.md](runbook.md).

Measured on real clusters: three nodes unless a row says otherwise, an exporter on each, corosync's default `token` of 3 s,
network namespaces for machines, each of which Prometheus reaches over a network of its own that no cut concerns. The rules
are as they are shipped, with their own `for` and windows. But Prometheus scrapes and evaluates every 5 s, and
Alertmanager, with the inhibitions as shipped, waits for one second before it tells, where the example has ten or thirty.
With the examples' intervals all of it takes up to a minute longer. Times end at the webhook.

| what happens | critical: wakes somebody | warning: for today | info: told nobody | fires, but is inhibited |
| --- | --- | --- | --- | --- |
'''

_FOOT = '''
`UPDATE_GOLDEN=1 tests/cluster/long_alerts.py` writes this page; the test fails where anything more is told, or less.
'''


def page(faults, outcomes):
    """As the faults say; with the times of the outcomes, {fault's name: Outcome}, that there are."""
    return _HEAD + ''.join(_row(fault, outcomes.get(fault.name)) for fault in faults) + _FOOT


def without_times(text):
    return re.sub(r' \d+ s\b(?=,| \|)', '', text)


def _row(fault, outcome):
    told, quiet = (outcome.told, outcome.quiet) if outcome else ({}, {})
    cells = [[_said(which, told) for which in fault.told if which[0] == severity]
             for severity in ('critical', 'warning', 'info')]
    cells.append([_said(which, quiet) for which in fault.quiet])
    return f'| {" | ".join([fault.name, *map(", ".join, cells)])} |\n'


def _said(which, times):
    return f'{which[1]} {times[which]:.0f} s' if which in times else which[1]
