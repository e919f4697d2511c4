#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From a fault to a pager, of the faults that are told within a minute and a half."""

import alert_table
import case
import faults
from alert_matrix import AlertCase

SECONDS = 95

SHORT = [faults.MAJORITY_LOST, faults.QUORUM_LOST_BRIEFLY, faults.ONE_OF_TWO_LINKS_CUT,
         faults.NOTHING]


class AlertsTest(AlertCase):
    def test_a_fault_rings_its_own_bells_and_no_other(self):
        self.assert_told(SHORT, lambda fault: SECONDS)

    def test_the_table_is_of_these_faults_and_alerts(self):
        written = alert_table.FILE.read_text(encoding='utf-8')
        self.assertEqual(alert_table.without_times(written),
                         alert_table.without_times(alert_table.page(faults.ALL, {})))


if __name__ == '__main__':
    case.main('prometheus', 'prometheus-alertmanager', 'promtool')
