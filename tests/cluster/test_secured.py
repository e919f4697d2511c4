#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""--web.config.file: HTTPS, passwords and limits, as real clients meet them, and their renewal."""

import email
import os
import shutil
import subprocess
import threading
import time
import unittest

import case
import exporter
import namespaces
from certificates import Authority, basic, bcrypt, serial_of
from exposition import Page
from prometheus import PrometheusCase
from stalls import Stalls
from waiting import every, wait_until

# The file is looked at every second, and a change is in force once two looks have seen it.
RELOAD_SECONDS = 5

# Who asks for it does not wait for that.
ASKED_SECONDS = 0.5

NAME, PASSWORD = 'prometheus', 'correct horse'

TLS = '''
tls_server_config:
  cert_file: server.crt
  key_file: server.key
'''
CLIENT_CERTIFICATES = '''\
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
'''
USERS = f'''
basic_auth_users:
  {NAME}: {bcrypt(PASSWORD)}
'''
HEADERS = {'Strict-Transport-Security': 'max-age=31536000', 'X-Frame-Options': 'deny'}
WITH_HEADERS = '\nhttp_server_config:\n  headers:\n' + ''.join(
    f'    {name}: {value}\n' for name, value in HEADERS.items())

PROMETHEUS = '''
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: corosync
    scheme: https
    tls_config:
      ca_file: {ca}
      cert_file: {client.certificate}
      key_file: {client.key}
    basic_auth:
      username: {name}
      password: {password}
    static_configs:
      - targets: ['127.0.0.1:{port}']
'''

# curl's exit codes. Where the server closes while curl sends, it is chance which of them it is.
SUCCESS, SSL_CONNECT_ERROR, PEER_NOT_VERIFIED = 0, 35, 60
SEND_ERROR, RECEIVE_ERROR, GOT_NOTHING = 55, 56, 52
CLOSED = {SEND_ERROR, RECEIVE_ERROR, GOT_NOTHING}

# The lowest security level has OpenSSL offer what it otherwise would not.
PAST_TLS = ('--ciphers', 'DEFAULT@SECLEVEL=0', '--tlsv1.0', '--tls-max', '1.1')


class SecuredTest(PrometheusCase):
    NODES = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.work / 'authority')
        cls.server = cls.authority.issue('server')
        cls.client = cls.authority.issue('client')
        cls.stranger = Authority(cls.work / 'strangers').issue('stranger')
        cls.context = cls.authority.client_context(cls.client)

    def setUp(self):
        super().setUp()
        self.home = self.work / self.id()
        self.home.mkdir()
        shutil.copy(self.authority.certificate, self.home / 'ca.crt')
        self.install(self.server)

    # --- what is installed ---

    def install(self, pair):
        self.replace('server.crt', pair.certificate.read_text())
        self.replace('server.key', pair.key.read_text())

    def replace(self, name, text):
        """At one moment, as all that renews certificates does."""
        fresh = self.home / (name + '.new')
        fresh.write_text(text)
        os.replace(fresh, self.home / name)

    def start_secured(self, config, *flags, headers=None):
        """An exporter of that configuration, and a client that it lets in."""
        self.replace('web.yml', config)
        return self.start_exporter(
            1, f'--web.config.file={self.home / "web.yml"}', *flags,
            client=namespaces.Client(tls=self.context if TLS in config else None,
                                     headers=basic(NAME, PASSWORD) if headers is None else headers))

    def wait_for_reload(self, exporter, succeeded):
        return self.wait_for(exporter, 'corosync_exporter_web_config_last_reload_successful',
                             float(succeeded), RELOAD_SECONDS)

    # --- real clients ---

    def curl(self, url, *options):
        """By HTTPS: its exit code, and the answer's status and headers if there is one."""
        done = subprocess.run(
            self.lab.command(1, 'curl', '--disable', '--silent', '--show-error', '--max-time', '10',
                             '--proto-default', 'https', '--output', '/dev/null',
                             '--dump-header', '-', *options, url),
            capture_output=True, text=True)
        first, _, rest = done.stdout.partition('\n')
        status = int(first.split()[1]) if first.startswith('HTTP/1.1 ') else None
        return done.returncode, status, email.message_from_string(rest)

    def test_prometheus_scrapes_with_a_certificate_and_a_password(self):
        exporter = self.start_secured(TLS + CLIENT_CERTIFICATES + USERS)
        self.assert_agrees(exporter)
        self.start_prometheus(PROMETHEUS.format(
            ca=self.authority.certificate, client=self.client, name=NAME, password=PASSWORD,
            port=exporter.port))

        wait_until(lambda: self.query('up{job="corosync"}') == [1], 15, 'Prometheus scrapes')
        wait_until(lambda: self.query('corosync_quorate') == [1], 5, 'the verdict is in')

    def test_who_comes_wrongly_is_refused_in_the_right_way(self):
        exporter = self.start_secured(TLS + CLIENT_CERTIFICATES + USERS)
        url = f'127.0.0.1:{exporter.port}/metrics'
        trust = ('--cacert', self.authority.certificate)
        show = ('--cert', self.client.certificate, '--key', self.client.key)
        strange = ('--cert', self.stranger.certificate, '--key', self.stranger.key)
        user = ('--user', f'{NAME}:{PASSWORD}')
        tls12 = ('--tls-max', '1.2')

        # In TLS 1.3 a client has ended its handshake before the server looks at its certificate.
        answered, refused, later = {SUCCESS}, {SSL_CONNECT_ERROR}, {SEND_ERROR, RECEIVE_ERROR}
        for what, options, codes, status in (
                ('TLS 1.3', (*trust, *show, *user, '--tlsv1.3'), answered, 200),
                ('TLS 1.2', (*trust, *show, *user, *tls12), answered, 200),
                ('TLS 1.1', (*trust, *show, *user, *PAST_TLS), refused, None),
                ('no certificate', (*trust, *user), later, None),
                ('no certificate, TLS 1.2', (*trust, *user, *tls12), refused, None),
                ('a stranger', (*trust, *strange, *user), later, None),
                ('a stranger, TLS 1.2', (*trust, *strange, *user, *tls12), refused, None),
                ('no trust in the server', (*show, *user), {PEER_NOT_VERIFIED}, None),
                ('no password', (*trust, *show), answered, 401),
                ('a wrong password', (*trust, *show, '--user', f'{NAME}:wrong'), answered, 401),
                ('an unknown user', (*trust, *show, '--user', f'nobody:{PASSWORD}'), answered, 401),
                ('plain HTTP', (*user, '--proto-default', 'http'), CLOSED, None)):
            with self.subTest(what):
                code, said, headers = self.curl(url, *options)
                self.assertIn(code, codes)
                self.assertEqual(said, status)
                if status == 401:
                    self.assertRegex(headers['WWW-Authenticate'], '^Basic ')
        self.assertEqual(exporter.get('/metrics').status, 200, 'others are served all the same')

    def test_tls_of_the_past_is_taken_where_it_is_configured(self):
        """So that it is the server which refuses it above."""
        exporter = self.start_secured(TLS + '  min_version: TLS10\n')

        code, status, _ = self.curl(f'127.0.0.1:{exporter.port}/metrics',
                                    '--cacert', self.authority.certificate, *PAST_TLS)
        self.assertEqual((code, status), (SUCCESS, 200))

    def test_every_answer_has_the_headers(self):
        exporter = self.start_secured(TLS + WITH_HEADERS + USERS)
        user = ('--user', f'{NAME}:{PASSWORD}')

        for path, options, expected in (
                ('/metrics', user, 200),
                ('/metrics', (*user, '--head'), 200),
                ('/nothing', user, 404),
                ('/metrics', (*user, '--request', 'PUT'), 405),
                ('/metrics', (), 401)):
            with self.subTest(path=path, options=options):
                code, status, headers = self.curl(
                    f'127.0.0.1:{exporter.port}{path}', '--cacert', self.authority.certificate,
                    *options)
                self.assertEqual((code, status), (SUCCESS, expected))
                self.assertLessEqual(HEADERS.items(), dict(headers).items())

    @unittest.skipUnless(os.path.exists('/proc/net/if_inet6'), 'this machine has no IPv6')
    def test_every_address_is_secured(self):
        second = case.FIRST_PORT + 100
        exporter = self.start_secured(TLS, f'--web.listen-address=[::1]:{second}')

        for host in (f'127.0.0.1:{exporter.port}', f'[::1]:{second}'):
            for scheme, expected in (('https', 200), ('http', None)):
                with self.subTest(host, scheme=scheme):
                    _, status, _ = self.curl(f'{scheme}://{host}/metrics',
                                             '--cacert', self.authority.certificate)
                    self.assertEqual(status, expected)

    # --- limits ---

    def test_beyond_the_rate_it_answers_429_without_headers_and_counts_it(self):
        # Its first request has told that the exporter serves.
        exporter = self.start_secured(
            WITH_HEADERS + 'rate_limit: {interval: 5s, burst: 4}\n', headers={})
        answers = [exporter.get('/-/healthy') for _ in range(8)]

        self.assertEqual([answer.status for answer in answers], 3 * [200] + 5 * [429])
        for answer in answers:
            self.assertEqual(HEADERS.items() <= dict(answer.headers).items(), answer.status == 200)
        refused = 5

        def page():
            nonlocal refused
            answer = exporter.get('/metrics')
            refused += answer.status == 429
            return answer.status == 200 and Page(answer.body)
        page = wait_until(page, 10, 'another request is allowed')
        self.assertEqual(page.value('corosync_exporter_http_requests_total', code='429'), refused)

    def test_an_unknown_user_takes_as_long_as_a_wrong_password(self):
        # Some 200 ms, of which nothing else here takes more than a few.
        cost = 12
        exporter = self.start_secured(f'basic_auth_users:\n  {NAME}: {bcrypt(PASSWORD, cost)}\n')
        seconds = {NAME: [], 'nobody': []}
        # All clients together have ten tries, and the right password has taken one.
        for turn in range(4):
            for number, name in enumerate(seconds):
                answer = exporter.get('/metrics', client=namespaces.Client(
                    source=f'127.0.1.{10 * turn + number + 1}',
                    headers=basic(name, f'wrong {turn}')))
                self.assertEqual(answer.status, 401)
                seconds[name].append(answer.seconds)

        known, unknown = map(min, seconds.values())  # the rest is this machine's doing
        self.assertLess(max(known, unknown) / min(known, unknown), 2, seconds)

    # --- renewal ---

    def test_a_certificate_renewed_under_load_loses_no_scrape(self):
        exporter = self.start_secured(TLS + USERS)
        with Load(exporter) as load:
            for number in range(3):
                renewed = self.authority.issue(f'renewed-{number}')
                self.install(renewed)
                wait_until(lambda: self.shown_serial(exporter) == serial_of(renewed.certificate),
                           RELOAD_SECONDS, 'the newest certificate is shown')

            # What it may come upon between the two.
            last = self.authority.issue('last')
            self.replace('server.crt', last.certificate.read_text())
            self.wait_for_reload(exporter, False)
            self.assertEqual(self.shown_serial(exporter), serial_of(renewed.certificate))
            self.replace('server.key', last.key.read_text())
            page = self.wait_for_reload(exporter, True)
            self.assertEqual(self.shown_serial(exporter), serial_of(last.certificate))

        self.assertEqual(load.failures, [])
        self.assertGreater(load.scrapes, 50, 'or there was no load')
        # At least the one that was waited for.
        failures = page.value('corosync_exporter_web_config_reload_failures_total')
        self.assertGreaterEqual(failures, 1)
        self.assertEqual(len(complaints(exporter)), failures, 'a line each')

    def test_users_are_replaced_with_the_file(self):
        exporter = self.start_secured(USERS)
        old = namespaces.Client(headers=basic(NAME, PASSWORD))
        new = namespaces.Client(headers=basic(NAME, 'new'))
        self.assertEqual([exporter.get('/metrics', client=client).status for client in (old, new)],
                         [200, 401])

        self.replace('web.yml', f'basic_auth_users:\n  {NAME}: {bcrypt("new")}\n')
        wait_until(lambda: exporter.get('/metrics', client=new).status == 200, RELOAD_SECONDS,
                   'the new password is taken')
        self.assertEqual(exporter.get('/metrics', client=old).status, 401)

    def test_what_clients_need_not_show_any_more_is_told(self):
        named = TLS + CLIENT_CERTIFICATES + '  client_allowed_sans: [localhost]\n'
        exporter = self.start_secured(named)
        self.replace('web.yml', named.replace('localhost', 'elsewhere'))
        wait_until(lambda: exporter.log().count('web configuration reloaded') == 1,
                   RELOAD_SECONDS, 'another name is demanded')
        self.assertNotIn('lets in more', exporter.log())

        for number, config in enumerate((
                TLS + CLIENT_CERTIFICATES, TLS + CLIENT_CERTIFICATES.replace('ca.crt', '""'),
                TLS), start=1):
            self.replace('web.yml', config)
            wait_until(lambda: exporter.log().count('lets in more') == number, RELOAD_SECONDS,
                       f'it is told of {config}')

    def test_a_wrong_file_leaves_the_old_one_in_force_and_is_told_once(self):
        exporter = self.start_secured(TLS + USERS)
        self.assertEqual(self.reloads(exporter), (1, 0))

        self.replace('web.yml', TLS + USERS + 'basic_auth_user: {}\n')
        self.wait_for_reload(exporter, False)
        for _ in every(0.5, 3):
            self.assertEqual(self.reloads(exporter), (0, 1))
        stranger = namespaces.Client(tls=self.context)
        self.assertEqual(exporter.get('/metrics', client=stranger).status, 401)
        (complaint,) = complaints(exporter)
        self.assertIn('web.yml:8: basic_auth_user: ', complaint)

        self.replace('web.yml', TLS + USERS)
        self.wait_for_reload(exporter, True)
        self.assertEqual(self.reloads(exporter), (1, 1))
        self.assertEqual(len(complaints(exporter)), 1)

    def test_a_hangup_brings_what_has_changed_into_force_at_once(self):
        exporter = self.start_secured(TLS + USERS)
        before = PASSWORD
        for number in range(1, 4):
            password = f'password {number}'
            renewed = self.authority.issue(f'asked-for-{number}')
            self.install(renewed)
            self.replace('web.yml', f'{TLS}\nbasic_auth_users:\n  {NAME}: {bcrypt(password)}\n')
            stalls, start = Stalls(), time.monotonic()
            exporter.hang_up()
            wait_until(lambda: exporter.log().count('web configuration reloaded') == number,
                       RELOAD_SECONDS, 'it is reloaded')
            seconds = time.monotonic() - start
            stalls.stop()
            self.assertLess(seconds - stalls.seconds(), ASKED_SECONDS)
            self.assertEqual(self.shown_serial(exporter), serial_of(renewed.certificate))
            self.assertEqual([self.status_with(exporter, text) for text in (password, before)],
                             [200, 401])
            before = password

        exporter.hang_up()
        wait_until(lambda: 'nothing has changed' in exporter.log(), RELOAD_SECONDS, 'it is told')

    def test_a_hangup_with_a_wrong_file_is_told_each_time_and_ends_nothing(self):
        exporter = self.start_secured(TLS + USERS)
        self.replace('web.yml', TLS + USERS + 'basic_auth_user: {}\n')
        for _ in range(3):
            told = len(complaints(exporter))
            exporter.hang_up()
            wait_until(lambda: len(complaints(exporter)) > told, RELOAD_SECONDS, 'it is told')
        for complaint in complaints(exporter):
            self.assertIn('web.yml:8: basic_auth_user: ', complaint)
        self.wait_for_reload(exporter, False)
        self.assertEqual(self.reloads(exporter), (0, 1))

        self.replace('web.yml', TLS + USERS)
        exporter.hang_up()
        self.wait_for_reload(exporter, True)
        self.assertEqual(self.reloads(exporter), (1, 1))
        self.assertEqual([self.status_with(exporter, text) for text in (PASSWORD, 'wrong')],
                         [200, 401])

    def status_with(self, exporter, password):
        client = namespaces.Client(tls=self.context, headers=basic(NAME, password))
        return exporter.get('/metrics', client=client).status

    def reloads(self, exporter):
        page = exporter.page()
        return (page.value('corosync_exporter_web_config_last_reload_successful'),
                page.value('corosync_exporter_web_config_reload_failures_total'))

    def shown_serial(self, exporter):
        with self.context.wrap_socket(exporter.connect(), server_hostname='127.0.0.1') as shown:
            return shown.getpeercert()['serialNumber']

    # --- the start ---

    def test_a_wrong_file_at_the_start_is_named_in_one_line(self):
        (self.home / 'strange.key').write_text(self.stranger.key.read_text())
        file = self.home / 'web.yml'
        for what, config, complaint in (
                ('an unknown key', TLS + 'tls_server_confg: {}\n',
                 f'{file}:5: tls_server_confg: '),
                ('no such certificate', TLS.replace('server.crt', 'missing.crt'),
                 f'{file}:2: tls_server_config: cert_file {self.home}/missing.crt: '),
                ("another's key", TLS.replace('server.key', 'strange.key'),
                 f'{file}:2: tls_server_config: key_file {self.home}/strange.key: '),
                ('a password as it is', f'basic_auth_users:\n  {NAME}: {PASSWORD}\n',
                 f'{file}:2: basic_auth_users.{NAME}: '),
                ('no such file', None, f'{file}: ')):
            with self.subTest(what):
                file.unlink(missing_ok=True)
                if config is not None:
                    file.write_text(config)
                done = subprocess.run(
                    self.lab.command(1, exporter.program(), f'--web.config.file={file}',
                                     f'--web.listen-address=127.0.0.1:{case.FIRST_PORT}'),
                    capture_output=True, text=True, timeout=10)
                self.assertEqual((done.returncode, done.stdout), (2, ''), done.stderr)
                self.assertRegex(done.stderr, r'\A[^\n]+\n\Z')
                self.assertIn(complaint, done.stderr)
                self.assertNotIn(PASSWORD, done.stderr)


class Load:
    """Scrapes without a pause, on some threads, for as long as a block lasts."""

    THREADS = 3

    def __init__(self, exporter):
        self.scrapes = 0
        self.failures = []
        self._exporter = exporter
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._scrape) for _ in range(self.THREADS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _scrape(self):
        while not self._ends.is_set():
            try:
                self._exporter.scrape()
            except Exception as error:  # whatever it is, a scrape was lost
                self.failures.append(error)
            self.scrapes += 1


def complaints(exporter):
    return [line for line in exporter.log().splitlines() if 'level=error' in line]


if __name__ == '__main__':
    case.main('curl', 'openssl', 'prometheus', https=True)
