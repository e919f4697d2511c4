#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user whom corosync does not admit, until it does."""

import re
import shutil

import case
import exporter
from waiting import wait_until

# An account of Debian's that corosync knows nothing of.
NOBODY = 65534

# Each refused try writes into corosync's own log, so the exporter tries again only every 30 s.
GRANTED_SECONDS = 35


class AccessTest(case.ClusterCase):
    NODES = 1

    def test_a_refused_user_says_what_is_missing_and_is_right_soon_after_it_is_granted(self):
        refused = self.start_exporter(1, **self._as_nobody())
        wait_until(lambda: self._refusals(refused), 5, 'the refusal is counted')

        self.assert_unknown(refused.page())
        ready = refused.get('/-/ready')
        self.assertEqual(ready.status, 503)
        self.assertIn('CS_ERR_ACCESS', ready.body)
        self.assertEqual(self._refusals(refused), 1, 'it does not insist')

        advice = re.search('run as root: (.*)"', refused.log()).group(1)
        self.assertIsNotNone(self.lab.run(1, 'sh', '-c', advice), advice)
        page = self.assert_agrees(refused, GRANTED_SECONDS)
        self.assertLessEqual(self._refusals(refused), 2)
        self.assertEqual(page.value('corosync_exporter_connects_total'), 1)

    def _as_nobody(self):
        # The build may lie where only its owner gets to.
        program = self.work / 'corosync-exporter'
        shutil.copy(exporter.program(), program)
        program.chmod(0o755)
        return {'binary': program,
                'run_as': ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups')}

    def _refusals(self, exporter):
        return exporter.page().total('corosync_exporter_connect_errors_total',
                                     error='CS_ERR_ACCESS')


if __name__ == '__main__':
    case.main()
