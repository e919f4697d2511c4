#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian package on machines with systemd and corosync: installed, upgraded, removed, purged;
and what becomes of the service meanwhile.

Usage: test_package.py [bookworm|trixie] [UNITTEST-ARGUMENT...]
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'cluster'))

import machine
import namespaces
from certificates import basic, bcrypt
from machine import PACKAGE, SERVICE
from waiting import every, wait_until

SKIPPED = 77  # ctest's SKIP_RETURN_CODE

SUITES = ('bookworm', 'trixie')

# What the package promises: from the end of its installation to metrics.
SERVE_SECONDS = 10
# Far more than anything else takes.
PATIENCE_SECONDS = 30

WATCHDOG_SECONDS = 5
WEB_CONFIG = '/etc/corosync-exporter.yml'
UIDGID = '/etc/corosync/uidgid.d'
DEFAULTS = f'/etc/default/{PACKAGE}'


class PackageTest(unittest.TestCase):
    directory = None  # for what is made meanwhile
    package_file = None
    root = None  # of the machine

    @classmethod
    def setUpClass(cls):
        cls.machine = machine.Machine(cls.root, cls.directory / 'boot.log')
        cls.addClassCleanup(cls.machine.down)
        cls.version = machine.field(cls.package_file, 'Version')
        cls.package = cls.machine.give(cls.package_file)
        cls.former = cls.machine.give(machine.build_package(cls.directory / 'former', '0.0.1'))
        # Nobody else starts it so often.
        cls.machine.configure('corosync.service', '[Unit]\nStartLimitIntervalSec=0\n')

    # Each test begins on a machine that never saw the package, with corosync running.
    def setUp(self):
        self.run_in('dpkg', '--purge', PACKAGE)
        self.run_in('systemctl', 'restart', 'corosync')

    def run_in(self, *command):
        return self.machine.read(*command)

    def install(self, package=None):
        self.run_in('dpkg', '--install', package or self.package)

    # --- what there is to see ---

    def wait_for_quorate(self, seconds=SERVE_SECONDS):
        def quorate():
            page = self.machine.page()
            self.assertEqual(page.value('corosync_up'), 1)
            self.assertEqual(page.value('corosync_quorate'), 1)
            return True
        wait_until(quorate, seconds, 'the exporter shows that corosync is quorate')

    def wait_for_down(self):
        wait_until(lambda: self.machine.page().value('corosync_up') == 0, PATIENCE_SECONDS,
                   'the exporter shows that corosync is down')

    def main_pid(self, service=SERVICE):
        return int(self.machine.property('MainPID', service))

    def admitted_now(self):
        """The keys by which the running corosync lets others than root in."""
        return {line.split()[0] for line in self.run_in('corosync-cmapctl').splitlines()
                if line.startswith('uidgid.')}

    def admitted_later(self):
        """The files that say whom the next one will."""
        return {file.name: file.read_text() for file in self.machine.path(UIDGID).glob('*')}

    def number(self):
        return self.run_in('id', '-u', 'corosync-exporter')

    def assert_let_in(self):
        number = self.number()
        keys = {f'uidgid.uid.{number}', f'uidgid.config.uid.{number}'}  # as told, and from the file
        self.assertTrue(self.admitted_now() and self.admitted_now() <= keys, self.admitted_now())
        self.assertEqual(self.admitted_later(),
                         {'corosync-exporter': f'uidgid {{\n    uid: {number}\n}}\n'})

    def assert_not_let_in(self):
        self.assertEqual((self.admitted_now(), self.admitted_later()), (set(), {}))

    def assert_corosync_restarts(self):
        self.run_in('systemctl', 'restart', 'corosync')
        self.assertEqual(self.machine.property('ActiveState', 'corosync'), 'active')

    # --- the stories ---

    def test_installed_it_serves_with_no_further_step(self):
        self.install()
        self.wait_for_quorate()
        self.assert_let_in()
        pid = self.main_pid()
        self.assertEqual(self.run_in('stat', '--format=%U', f'/proc/{pid}'), 'corosync-exporter')
        self.assertIn(self.version, self.run_in('corosync-exporter', '--version'))
        self.assertEqual(self.machine.property('StatusText'), 'quorate, 1 member')
        self.assertEqual(self.run_in('systemctl', 'is-enabled', SERVICE), 'enabled')
        self.assertEqual(self.main_pid('corosync-exporter.service'), pid, 'its other name')
        self.assert_corosync_restarts()
        self.wait_for_quorate(PATIENCE_SECONDS)
        self.assert_let_in()
        self.assertEqual(self.main_pid(), pid)

    def test_it_may_be_there_before_corosync_runs(self):
        self.run_in('systemctl', 'stop', 'corosync')
        self.install()
        self.wait_for_down()
        self.run_in('systemctl', 'start', 'corosync')
        self.wait_for_quorate(PATIENCE_SECONDS)
        self.assert_let_in()

    def test_it_outlives_corosync(self):
        self.install()
        self.wait_for_quorate()
        pid = self.main_pid()
        for end in (['kill', '--signal=KILL'], ['stop']):
            with self.subTest(end):
                self.run_in('systemctl', *end, 'corosync')
                self.wait_for_down()
                wait_until(lambda: self.machine.property('StatusText').startswith('not connected'),
                           PATIENCE_SECONDS, 'systemctl status says it')
                self.run_in('systemctl', 'start', 'corosync')
                self.wait_for_quorate(PATIENCE_SECONDS)
        self.assertEqual(self.main_pid(), pid)
        self.assertEqual(self.machine.property('NRestarts'), '0')

    def test_who_hangs_is_restarted_and_a_corosync_that_hangs_is_not_mistaken_for_it(self):
        self.install()
        self.machine.configure(SERVICE, f'[Service]\nWatchdogSec={WATCHDOG_SECONDS}s\n')
        self.addCleanup(self.machine.configure, SERVICE, '')
        self.run_in('systemctl', 'restart', SERVICE)
        self.wait_for_quorate()
        pid = self.main_pid()

        self.run_in('systemctl', 'kill', '--signal=STOP', 'corosync')
        for _ in every(0.5, 3 * WATCHDOG_SECONDS):
            self.assertEqual(self.machine.page().value('corosync_exporter_connects_total'), 1)
        self.run_in('systemctl', 'kill', '--signal=CONT', 'corosync')
        self.assertEqual((self.main_pid(), self.machine.property('NRestarts')), (pid, '0'))

        self.run_in('systemctl', 'kill', '--signal=STOP', SERVICE)
        wait_until(lambda: self.machine.property('NRestarts') == '1', PATIENCE_SECONDS,
                   'systemd starts another')
        self.wait_for_quorate(PATIENCE_SECONDS)
        self.assertNotEqual(self.main_pid(), pid)
        self.assertIn('watchdog', self.run_in('journalctl', '--unit', SERVICE).lower())

    def test_reloaded_it_has_another_password(self):
        self.install()
        self.machine.path(DEFAULTS).write_text(f'ARGS="--web.config.file={WEB_CONFIG}"\n')
        self.addCleanup(self.machine.path(WEB_CONFIG).unlink)
        self.write_password('old')
        self.run_in('systemctl', 'restart', SERVICE)
        wait_until(lambda: self.status_with('old') == 200, SERVE_SECONDS, 'it serves')
        pid = self.main_pid()

        self.write_password('new')
        self.run_in('systemctl', 'reload', SERVICE)
        wait_until(lambda: 'web configuration reloaded' in self.journal(), PATIENCE_SECONDS,
                   'it is reloaded')
        self.assertEqual([self.status_with(word) for word in ('new', 'old')], [200, 401])

        self.run_in('systemctl', 'reload', SERVICE)
        wait_until(lambda: 'nothing has changed' in self.journal(), PATIENCE_SECONDS, 'it is told')
        self.machine.path(WEB_CONFIG).write_text('basic_auth_user: {}\n')
        self.run_in('systemctl', 'reload', SERVICE)
        wait_until(lambda: f'{WEB_CONFIG}:1: basic_auth_user: ' in self.journal(), PATIENCE_SECONDS,
                   'what is wrong is told')
        self.assertEqual(self.status_with('new'), 200)
        self.assertEqual((self.main_pid(), self.machine.property('NRestarts')), (pid, '0'))
        self.assertEqual(self.machine.property('ActiveState'), 'active')

    def write_password(self, password):
        self.machine.path(WEB_CONFIG).write_text(
            f'basic_auth_users:\n  prometheus: {bcrypt(password)}\n')

    def status_with(self, password):
        client = namespaces.Client(headers=basic('prometheus', password))
        try:
            return namespaces.request(self.machine.pid, machine.PORT, '/metrics',
                                      client=client).status
        except OSError:
            return None

    def journal(self):
        return self.run_in('journalctl', '--unit', SERVICE)

    def test_a_hangup_without_a_web_configuration_does_nothing(self):
        self.install()
        self.wait_for_quorate()
        pid = self.main_pid()
        self.run_in('systemctl', 'reload', SERVICE)
        wait_until(lambda: 'nothing to reread' in self.journal(), PATIENCE_SECONDS, 'it is told')
        self.wait_for_quorate()
        self.assertEqual((self.main_pid(), self.machine.property('NRestarts')), (pid, '0'))

    def test_upgraded_it_keeps_what_was_set(self):
        self.install(self.former)
        self.wait_for_quorate()
        number = self.number()
        self.machine.path(DEFAULTS).write_text('ARGS="--log.level=warn"\n')
        pid = self.main_pid()
        self.assertEqual(self.package_state(), '0.0.1 installed')

        self.run_in('dpkg', '--install', '--force-confold', self.package)
        self.wait_for_quorate()
        self.assertEqual(self.package_state(), f'{self.version} installed')
        self.assertNotEqual(self.main_pid(), pid)
        self.assertIn('--log.level=warn', self.command_line())
        self.assertEqual(self.number(), number)
        self.assert_let_in()
        self.assert_corosync_restarts()
        self.wait_for_quorate(PATIENCE_SECONDS)

    def test_removed_it_leaves_corosync_as_it_was(self):
        self.install()
        self.wait_for_quorate()
        number = self.number()

        self.run_in('dpkg', '--remove', PACKAGE)
        self.assert_not_let_in()
        self.assertEqual(self.machine.property('ActiveState'), 'inactive')
        self.assertEqual(self.package_state(), f'{self.version} config-files')
        self.assertTrue(self.machine.path(DEFAULTS).exists())
        self.assert_corosync_restarts()

        self.run_in('dpkg', '--purge', PACKAGE)
        self.assert_not_let_in()
        self.assertFalse(self.machine.path(DEFAULTS).exists())
        self.assertTrue(self.machine.path(UIDGID).is_dir(), "corosync's own")
        self.assertEqual(self.run_in('find', '/etc/systemd', '-name', '*corosync-exporter*'), '')
        self.assertEqual(self.number(), number, 'nobody else gets it')
        self.assert_corosync_restarts()

        self.install()
        self.wait_for_quorate()
        self.assert_let_in()
        self.assert_corosync_restarts()
        self.wait_for_quorate(PATIENCE_SECONDS)

    def test_purged_at_once_it_is_gone(self):
        self.install()
        self.wait_for_quorate()
        self.run_in('systemctl', 'stop', 'corosync')  # nobody to be told
        self.run_in('dpkg', '--purge', PACKAGE)
        self.assertEqual(self.admitted_later(), {})
        self.run_in('systemctl', 'start', 'corosync')
        self.assert_not_let_in()

    def test_what_corosync_had_from_the_file_it_keeps_until_it_reads_anew(self):
        self.install()
        self.assert_corosync_restarts()
        self.assert_let_in()
        said = self.run_in('dpkg', '--purge', PACKAGE)
        self.assertIn('corosync-cfgtool -R', said)
        self.assertEqual(self.admitted_later(), {})
        self.run_in('corosync-cfgtool', '-R')
        self.assert_not_let_in()

    def test_access_can_be_taken_back_and_granted_by_hand(self):
        self.install()
        access = f'/usr/share/{PACKAGE}/corosync-access'
        for _ in range(2):
            self.run_in(access, 'withdraw')
            self.assert_not_let_in()
        self.assert_corosync_restarts()
        wait_until(lambda: 'CS_ERR_ACCESS' in self.machine.property('StatusText'), PATIENCE_SECONDS,
                   'the exporter is refused')
        for _ in range(2):
            self.run_in(access, 'grant')
            self.assert_let_in()
        self.run_in('systemctl', 'restart', SERVICE)
        self.wait_for_quorate()

    def test_a_wrong_flag_is_told_once(self):
        self.install()
        self.machine.path(DEFAULTS).write_text('ARGS="--no-such-flag"\n')
        self.machine.run('systemctl', 'restart', SERVICE, check=False)
        self.assertEqual(self.machine.property('ActiveState'), 'failed')
        self.assertEqual(self.machine.property('ExecMainStatus'), '2')
        self.assertEqual(self.machine.property('NRestarts'), '0')

    def package_state(self):
        return self.run_in('dpkg-query', '--show',
                           '--showformat=${Version} ${db:Status-Status}', PACKAGE)

    def command_line(self):
        return self.machine.path(f'/proc/{self.main_pid()}/cmdline').read_text().replace('\0', ' ')


def main():
    suite = sys.argv.pop(1) if sys.argv[1:2] in ([name] for name in SUITES) else SUITES[0]
    if reason := machine.why_not():
        print(f'skipped: {reason}')
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as directory:
        PackageTest.directory = pathlib.Path(directory)
        PackageTest.package_file = machine.build_package(PackageTest.directory / 'new')
        try:
            PackageTest.root = machine.root_of(suite,
                                               machine.dependencies(PackageTest.package_file))
        except OSError as error:
            print(f'skipped: {error}')
            sys.exit(SKIPPED)
        unittest.main()


if __name__ == '__main__':
    main()
