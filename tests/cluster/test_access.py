#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A user whom corosync does not admit, until it does."""

import re
import shutil
import subprocess

import case
import exporter
from waiting import wait_until

# An account of Debian's that corosync knows nothing of.
NOBODY = 65534

# One that runs nothing.
LONER = 64_999

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

    def test_where_it_cannot_have_its_threads_it_ends_and_says_so(self):
        done = subprocess.run(
            ['prlimit', '--nproc=10', 'setpriv', f'--reuid={LONER}', '--clear-groups',
             self._program_for_all(), '--web.listen-address=127.0.0.1:0'],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('no thread for accepting connections can be started', done.stderr)

    def _program_for_all(self):
        # The build may lie where only its owner gets to.
        program = self.work / 'corosync-exporter'
        shutil.copy(exporter.program(), program)
        program.chmod(0o755)
        return program

    def _as_nobody(self):
        return {'binary': self._program_for_all(),
                'run_as': ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups')}

    def _refusals(self, exporter):
        return exporter.page().total('corosync_exporter_connect_errors_total',
                                     error='CS_ERR_ACCESS')


if __name__ == '__main__':
    case.main()
