# SPDX-License-Identifier: Apache-2.0
"""The program under test, as a process inside one node of a lab."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile

import namespaces
from exposition import Page
from stalls import Stopwatch
from waiting import wait_until

_ROOT = pathlib.Path(__file__).resolve().parents[2]

HANG_SECONDS = 30  # who has not gone so long after SIGTERM never will

_SANITIZER = re.compile(r'^.*(?:ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ).*$',
                        re.MULTILINE)


def program():
    """The program to test: $COROSYNC_EXPORTER, else what was built here."""
    if chosen := os.environ.get('COROSYNC_EXPORTER'):
        return pathlib.Path(chosen)
    built = [_ROOT / 'build' / preset / 'exporter' / 'corosync-exporter'
             for preset in ('check', 'release')]
    return next((path for path in built if path.exists()), built[0])


def built(name):
    """What of tests/cluster has to be compiled, from the build of the program or another."""
    builds = [program().parents[1], *(_ROOT / 'build' / preset for preset in ('check', 'bench'))]
    paths = [build / 'tests' / 'cluster' / name for build in builds]
    return next((path for path in paths if path.exists()), paths[0])


def serves_https():
    """Whether the program was built with an HTTP library that can."""
    with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
        file.write('tls_server_config: {cert_file: none, key_file: none}\n')
        file.flush()
        done = subprocess.run([program(), f'--web.config.file={file.name}'],
                              capture_output=True, text=True)
    return 'cannot serve HTTPS' not in done.stderr


class Exporter:
    def __init__(self, lab, node, *flags, port, stderr, binary=None, run_as=(),
                 client=namespaces.Client()):
        self.node = node
        self.port = port
        self.client = client  # who is let in
        self._holder = lab.holder(node)
        self._stderr = stderr
        self._stopped = False
        self.last_page = '(none)'
        with open(stderr, 'wb') as file:
            self._process = subprocess.Popen(
                lab.command(node, *run_as, binary or program(),
                            f'--web.listen-address=127.0.0.1:{port}', *flags),
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file)

    def wait_until_serving(self):
        wait_until(self._serves, 10, 'the exporter serves')

    def _serves(self):
        code = self._process.poll()
        if code is not None:
            self._stopped = True
            raise RuntimeError(f'the exporter ended at once, with {code}:\n{self.log()}')
        try:
            return self.get('/-/healthy').status == 200
        except ConnectionRefusedError:
            return False

    @property
    def pid(self):
        return self._process.pid

    def log(self):
        return self._stderr.read_text(errors='replace')

    def get(self, path, method='GET', client=None):
        return namespaces.request(self._holder, self.port, path, method,
                                  client=client or self.client)

    def connect(self, source=None):
        """A connection on which nothing has been said yet, not even a handshake."""
        return namespaces.connect(self._holder, self.port, source)

    def scrape(self, client=None):
        """The page, and how many seconds it took to get, by a Stopwatch."""
        watch = Stopwatch()
        answer = self.get('/metrics', client=client)
        seconds = watch.seconds()
        if answer.status != 200:
            raise AssertionError(f'/metrics answered {answer.status}: {answer.body}')
        self.last_page = answer.body
        return Page(answer.body), seconds

    def page(self):
        return self.scrape()[0]

    def hang_up(self):
        """Has it reread its web configuration, as systemctl reload does."""
        self._process.send_signal(signal.SIGHUP)

    def kill(self):
        """Ends it as a crash would."""
        self._stopped = True
        self._process.kill()
        self._process.wait()
        self._look_for_complaints()

    def stop(self):
        """Ends it as systemd would, and raises unless it goes in peace.

        Returns how many seconds that took, by a Stopwatch.
        """
        if self._stopped:
            return 0.0
        self._stopped = True
        watch = Stopwatch()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=HANG_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(
                f'SIGTERM did not end the exporter within {HANG_SECONDS} s') from None
        seconds = watch.seconds()
        self._look_for_complaints()
        if code != 0:
            raise AssertionError(f'after SIGTERM the exporter exited with {code}')
        return seconds

    def _look_for_complaints(self):
        if report := _SANITIZER.search(self.log()):
            raise AssertionError(f'a sanitizer complains: {report[0]}')
