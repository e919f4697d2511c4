#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The container image beside a real cluster: small, without rights, and right."""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'cluster'))

import case  # noqa: E402
import image  # noqa: E402
import namespaces  # noqa: E402
from exposition import Page  # noqa: E402
from waiting import wait_until  # noqa: E402

# debian:bookworm-slim has some 75 MB, and all of it is to stay under 110.
ADDED_BYTES = 30e6

# Refused, it asks again every 30 s.
GRANTED_SECONDS = 40


class ImageTest(case.ClusterCase):
    @classmethod
    def setUpClass(cls):
        why = image.missing()
        if why:
            print(f'skipped: {why}')
            sys.exit(case.SKIPPED)
        image.build()
        super().setUpClass()

    def test_it_is_small(self):
        whole, base = image.sizes()
        print(f'{whole / 1e6:.1f} MB, of which {base / 1e6:.1f} MB are the base')
        self.assertLess(whole - base, ADDED_BYTES)

    def test_it_names_itself(self):
        labels = image.config()['Labels']
        self.assertEqual(labels['org.opencontainers.image.title'], 'corosync-exporter')
        self.assertEqual(labels['org.opencontainers.image.revision'], 'tested')

    def test_once_let_in_it_shows_the_cluster_and_it_has_no_rights(self):
        self.start_container()
        wait_until(lambda: self.page().total('corosync_exporter_connect_errors_total'), 10,
                   'corosync refuses it')
        ready = self.request('/-/ready')
        self.assertEqual(ready.status, 503)
        self.assertIn('CS_ERR_ACCESS', ready.body)

        user = image.config()['User'].split(':')[0]
        self.assertIsNotNone(
            self.lab.run(1, 'corosync-cmapctl', '-s', f'uidgid.uid.{user}', 'u8', '1'))
        page = wait_until(self.whole_page, GRANTED_SECONDS, 'three members')
        self.assertEqual(page.value('corosync_quorate'), 1)

        status = self.of_process('status')
        self.assertEqual(status['Uid'].split(), [user] * 4)
        self.assertEqual(int(status['CapEff'], 16), 0)
        self.assertEqual(int(status['CapBnd'], 16), 0)
        self.assertEqual(status['NoNewPrivs'], '1')
        root = next(line for line in self.read('mounts').splitlines() if line.split()[1] == '/')
        self.assertIn('ro', root.split()[3].split(','))

    def test_its_health_is_that_of_the_process(self):
        self.start_container()
        wait_until(self.answers, 10, 'it listens')
        kind, *command = image.config()['Healthcheck']['Test']
        self.assertEqual(kind, 'CMD')
        self.assertEqual(self.exec(*command), 0)
        self.assertNotEqual(self.exec(*(word.replace('-/healthy', 'nowhere') for word in command)), 0)

    # --- the container ---

    def start_container(self):
        log = open(self.work / 'log', 'wb')
        self.addCleanup(log.close)
        self._process = subprocess.Popen(
            self.lab.command(1, *image.command()), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(self._process.wait)
        self.addCleanup(self._process.kill)

    def exec(self, *command):
        return subprocess.run(
            ['nsenter', '--target', str(self._process.pid), '--mount', '--net', '--root', *command],
            capture_output=True, check=False, timeout=30).returncode

    def request(self, path):
        return namespaces.request(self.lab.holder(1), case.FIRST_PORT, path)

    def answers(self):
        try:
            return self.request('/-/healthy').status == 200
        except OSError:
            return False

    def page(self):
        wait_until(self.answers, 10, 'it listens')
        return Page(self.request('/metrics').body)

    def whole_page(self):
        page = self.page()
        return page if page.find('corosync_members') == 3 else None

    def read(self, file):
        return pathlib.Path(f'/proc/{self._process.pid}/{file}').read_text()

    def of_process(self, file):
        return dict(line.split(':\t', 1) for line in self.read(file).splitlines() if ':\t' in line)


if __name__ == '__main__':
    case.main()
