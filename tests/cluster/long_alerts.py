#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From a fault to a pager, of every fault; takes a quarter of an hour.

UPDATE_GOLDEN=1 writes docs/alert-matrix.md, which test_alerts.py holds against the faults.
"""

import os

import alert_table
import case
import faults
import qdevice
from alert_matrix import LATE_SECONDS, AlertCase

# In which an alert too many may come: the most of them wait for up to two minutes.
LEAST_SECONDS = 150


def _seconds(fault):
    return max([LEAST_SECONDS, *[time + LATE_SECONDS
                                 for time in (fault.told | fault.quiet).values()]])


class AllAlertsTest(AlertCase):
    def test_every_fault_rings_its_own_bells_and_no_other(self):
        outcomes = self.assert_told(faults.ALL, _seconds)
        if os.environ.get('UPDATE_GOLDEN'):
            alert_table.FILE.write_text(alert_table.page(faults.ALL, outcomes), encoding='utf-8')


if __name__ == '__main__':
    case.main('prometheus', 'prometheus-alertmanager', 'promtool', *qdevice.TOOLS)
