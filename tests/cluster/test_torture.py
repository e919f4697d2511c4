#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that dawdle, insist or talk nonsense keep nobody else from a scrape."""

import contextlib
import os
import pathlib
import random
import re
import socket
import time

import case
from certificates import Authority
from flood import Flood, client_hello
from namespaces import Client
from waiting import every, wait_until

# From the connect to the last byte, whatever others do.
SCRAPE_SECONDS = 1

ATTACK_SECONDS = 5

# While an attack lasts, one kind of complaint is logged every 10 s.
MOST_LINES = 3

# In bytes, over so many turns of all nonsense, which are hundreds of clients.
MOST_GROWTH = 4 << 20
TURNS = 4

# Until then it has come to rest. An allocator takes its time until each thread has had what it needs of
# each size: AddressSanitizer's of gcc 14 grew by 10, 7, 6, 3, 3, 2, 1, 2, 0, 1, 0, 1, 0, 0, 0 MB. A leak
# never rests.
MOST_TURNS = 20

# More than it takes to have all of the server's threads busy.
MANY_SOURCES = [f'127.0.1.{number}' for number in range(1, 9)]

HALF_A_REQUEST = b'GET /metrics HTTP/1.1\r\nHost: '

# Of AddressSanitizer's: what was freed is not held back, so that a leak can be told from it.
NO_QUARANTINE = ('env', 'ASAN_OPTIONS=' + ':'.join(
    [*filter(None, [os.environ.get('ASAN_OPTIONS')]),
     'quarantine_size_mb=0', 'thread_local_quarantine_size_kb=0']))

REQUEST = b'GET /metrics HTTP/1.1\r\n%b\r\n'


def noise(number):
    source = random.Random(number)
    return source.randbytes(source.choice((1, 10, 1000, 100_000)))


# What clients may say in place of a request.
NONSENSE = {
    'no method': b' /metrics HTTP/1.1\r\n\r\n',
    'no target': b'GET\r\n\r\n',
    'no version': b'GET /metrics\r\n\r\n',
    'HTTP/0.9': b'GET /metrics\r\n',
    'an empty line': b'\r\n\r\n',
    'blanks': b' ' * 10_000 + b'\r\n\r\n',
    'blanks within': b'GET   /metrics   HTTP/1.1  \r\n\r\n',
    'tabs': b'GET\t/metrics\tHTTP/1.1\r\n\r\n',
    'only a half': HALF_A_REQUEST,
    'lower case': b'get /metrics http/1.1\r\n\r\n',
    'bare LF': b'GET /metrics HTTP/1.1\nHost: x\n\n',
    'bare CR': b'GET /metrics HTTP/1.1\rHost: x\r\r',
    'a NUL in the method': b'G\0T /metrics HTTP/1.1\r\n\r\n',
    'a NUL in the path': b'GET /metrics\0 HTTP/1.1\r\n\r\n',
    'a NUL in a header': REQUEST % b'A: b\0c\r\n',
    'a NUL first': b'\0GET /metrics HTTP/1.1\r\n\r\n',
    'NULs': b'\0' * 100_000,
    'a version of old': b'GET /metrics HTTP/1.0\r\n\r\n',
    'a version to come': b'GET /metrics HTTP/9.9\r\n\r\n',
    'a long version': b'GET /metrics HTTP/1.1' + b'1' * 100_000 + b'\r\n\r\n',
    'HTTP/2': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0',
    'an upgrade': REQUEST % b'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n',
    'a WebSocket': REQUEST % (b'Connection: Upgrade\r\nUpgrade: websocket\r\n'
                              b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n'),
    'TLS': client_hello(),
    'a megabyte of a header': REQUEST % (b'A: ' + b'b' * 1_000_000 + b'\r\n'),
    'a megabyte of a name': REQUEST % (b'a' * 1_000_000 + b': b\r\n'),
    '100 headers': REQUEST % (b'A: b\r\n' * 100),
    '100 000 headers': REQUEST % (b'A: b\r\n' * 100_000),
    'a header without a colon': REQUEST % b'nonsense\r\n',
    'a header without a name': REQUEST % b': b\r\n',
    'a folded header': REQUEST % b'A: b\r\n c\r\n',
    'two hosts': REQUEST % b'Host: a\r\nHost: b\r\n',
    'a negative length': REQUEST % b'Content-Length: -1\r\n',
    'a length beyond 64 bits': REQUEST % b'Content-Length: 99999999999999999999\r\n',
    'a length that is none': REQUEST % b'Content-Length: 1x\r\n',
    'two lengths': REQUEST % b'Content-Length: 5\r\nContent-Length: 6\r\n' + b'12345',
    'a body that is missing': REQUEST % b'Content-Length: 1000000000\r\n',
    'more than was announced': REQUEST % b'Content-Length: 1\r\n' + b'x' * 100_000,
    'chunks of nonsense': REQUEST % b'Transfer-Encoding: chunked\r\n' + b'xyz\r\n\r\n-1\r\n',
    'an endless chunk': REQUEST % b'Transfer-Encoding: chunked\r\n' + b'f' * 100_000,
    'chunked, and a length': (REQUEST % b'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n'
                              + b'0\r\n\r\n'),
    'an unknown encoding': REQUEST % b'Transfer-Encoding: x\r\n',
    'what to wait for': REQUEST % b'Expect: 100-continue\r\nContent-Length: 4\r\n',
    'what nobody can do': REQUEST % b'Expect: nonsense\r\n',
    'ten requests in one': (REQUEST % b'') * 10,
    'ten that want to stay': (REQUEST % b'Connection: keep-alive\r\n') * 10,
    'a body that is a request': REQUEST % b'Content-Length: 5\r\n' + REQUEST % b'',
    'a whole URI': b'GET http://127.0.0.1/metrics HTTP/1.1\r\n\r\n',
    "another's URI": b'GET http://example.com:1/metrics HTTP/1.1\r\nHost: x\r\n\r\n',
    'a URI of nothing': b'GET http:// HTTP/1.1\r\n\r\n',
    'a port beyond all': b'GET http://127.0.0.1:99999999999/metrics HTTP/1.1\r\n\r\n',
    'a proxy': b'CONNECT example.com:443 HTTP/1.1\r\n\r\n',
    'a star': b'OPTIONS * HTTP/1.1\r\n\r\n',
    'no slash': b'GET metrics HTTP/1.1\r\n\r\n',
    '%00': b'GET /metrics%00 HTTP/1.1\r\n\r\n',
    'a broken escape': b'GET /metrics%f HTTP/1.1\r\n\r\n',
    'beyond the root': b'GET /../../etc/passwd HTTP/1.1\r\n\r\n',
    'beyond the root, escaped': b'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n\r\n',
    'bytes beyond ASCII': b'GET /\xff\xfe HTTP/1.1\r\n\r\n',
    'a path of 4 KB': b'GET /' + b'a' * 4000 + b' HTTP/1.1\r\n\r\n',
    'a path of 100 KB': b'GET /' + b'a' * 100_000 + b' HTTP/1.1\r\n\r\n',
    '4 KB of slashes': b'GET ' + b'/' * 4000 + b' HTTP/1.1\r\n\r\n',
    '4 KB of dots': b'GET /' + b'../' * 1300 + b' HTTP/1.1\r\n\r\n',
    'a query of 4 KB': b'GET /metrics?' + b'a=b&' * 1000 + b' HTTP/1.1\r\n\r\n',
    'a password of nonsense': REQUEST % b'Authorization: Basic ====\r\n',
    **{f'noise {number}': noise(number) for number in range(20)},
}

ANSWER = re.compile(rb'HTTP/1\.1 (\d{3}) [ -~]+\r\n'
                    rb'((?:[A-Za-z0-9-]+: [ -~]*\r\n)+)\r\n'
                    rb'(.*)', re.DOTALL)


class TortureTest(case.ClusterCase):
    NODES = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority = Authority(cls.work / 'authority')
        pair = cls.authority.issue('server')
        cls.context = cls.authority.client_context()
        cls.config = cls.work / 'web.yml'
        cls.config.write_text(
            f'tls_server_config: {{cert_file: {pair.certificate}, key_file: {pair.key}}}\n')

    def start_secured_exporter(self, **how):
        return self.start_exporter(1, f'--web.config.file={self.config}',
                                   client=Client(tls=self.context), **how)

    # --- clients that dawdle ---

    def test_silent_clients_delay_nobody(self):
        self._assert_delays_nobody(self.start_exporter(1), 1000, b'')

    def test_silent_clients_of_https_delay_nobody(self):
        self._assert_delays_nobody(self.start_secured_exporter(), 1000, b'')

    def test_clients_that_stop_within_a_handshake_delay_nobody(self):
        hello = client_hello()
        self._assert_delays_nobody(self.start_secured_exporter(), 1000, hello[:len(hello) // 2])

    def test_clients_that_stop_within_a_request_delay_nobody(self):
        self._assert_delays_nobody(self.start_exporter(1), 500, HALF_A_REQUEST)

    def test_clients_that_stop_within_a_request_over_https_delay_nobody(self):
        self._assert_delays_nobody(self.start_secured_exporter(), 500, HALF_A_REQUEST, self.context)

    def _assert_delays_nobody(self, exporter, count, says, tls=None):
        """So many clients say that and no more: others are served, and nothing is left behind."""
        descriptors = self.assert_agrees(exporter).value('process_open_fds')
        elsewhere = Client(source='127.0.0.2', tls=exporter.client.tls)
        with Flood(exporter, count, says, tls=tls):
            slowest = 0
            for _ in every(0.1, ATTACK_SECONDS):
                page, seconds = exporter.scrape(elsewhere)
                slowest = max(slowest, seconds)
        self.assertLess(slowest, SCRAPE_SECONDS)
        refused = page.find('corosync_exporter_http_requests_total', code='429')
        if says:
            self.assertGreater(refused, 0)
        else:
            self.assertIsNone(refused, 'who says nothing has not got past the kernel')
        self.assertLessEqual(exporter.log().count('level=warn'), MOST_LINES)
        self.assertNotIn('level=error', exporter.log())
        self._wait_for_descriptors(exporter, descriptors, elsewhere)

    # --- no more descriptors ---

    def test_without_descriptors_it_waits_without_spinning_and_comes_back(self):
        exporter = self.start_exporter(1, run_as=('prlimit', '--nofile=40'))
        self.assert_agrees(exporter)
        with Flood(exporter, 200, HALF_A_REQUEST, MANY_SOURCES):
            wait_until(lambda: exhaustions(exporter), 5, 'it has no more descriptors')
            started, spent = time.monotonic(), cpu_seconds(exporter)
            wait_until(lambda: time.monotonic() - started > 2, 5, 'some time has passed')
            usage = (cpu_seconds(exporter) - spent) / (time.monotonic() - started)
        self.assertLess(usage, 0.5)

        wait_until(lambda: self._is_answered(exporter), 5, 'it answers again')
        self.assert_agrees(exporter)
        self.assertEqual(exhaustions(exporter), 1)

    def _is_answered(self, exporter):
        with contextlib.suppress(OSError):
            return exporter.scrape()[1] < SCRAPE_SECONDS

    # --- clients that talk nonsense ---

    def test_nonsense_gets_one_answer_or_none(self):
        exporter = self.start_exporter(1, run_as=NO_QUARANTINE)

        self._talk_nonsense(exporter, self._assert_one_answer_or_none)

    def test_nonsense_in_place_of_a_handshake_ends_the_connection(self):
        exporter = self.start_secured_exporter(run_as=NO_QUARANTINE)

        self._talk_nonsense(exporter, lambda answer: self.assertNotIn(b'HTTP', answer))

    def _talk_nonsense(self, exporter, check):
        """All of it, time and again: the exporter answers others, and does not grow."""
        descriptors = self.assert_agrees(exporter).value('process_open_fds')
        with Flood(exporter, 200, HALF_A_REQUEST, MANY_SOURCES):
            pass  # so that each thread has been of use before
        sizes = []
        while len(sizes) < TURNS or sizes[-1] - sizes[-TURNS] > MOST_GROWTH:
            self.assertLess(len(sizes), MOST_TURNS, f'it grows and grows: {sizes}')
            for what, says in NONSENSE.items():
                with self.subTest(what):
                    check(answer_to(exporter, says))
                    self.assertEqual(exporter.page().value('corosync_up'), 1)
            sizes.append(anonymous_bytes(exporter))
        self._wait_for_descriptors(exporter, descriptors)

    def _wait_for_descriptors(self, exporter, count, client=None):
        def are_back():
            page, _ = exporter.scrape(client)
            return page.value('process_open_fds') == count
        wait_until(are_back, 5, f'it has {count:g} descriptors again')

    def _assert_one_answer_or_none(self, answer):
        if not answer:
            return
        match = ANSWER.fullmatch(answer)
        self.assertTrue(match, f'no answer: {answer[:200]}')
        status, headers, body = match.groups()
        self.assertIn(int(status) // 100, (2, 4, 5))
        self.assertNotEqual(status, b'500')
        self.assertIn(b'Content-Length: %d\r\n' % len(body), headers)


def answer_to(exporter, says):
    """All that comes back until the exporter ends the connection; it has 5 s."""
    answer = b''
    with exporter.connect() as connection, contextlib.suppress(ConnectionError):
        with contextlib.suppress(OSError):
            connection.sendall(says)
            connection.shutdown(socket.SHUT_WR)
        while said := connection.recv(65536):
            answer += said
    return answer


def exhaustions(exporter):
    return exporter.log().count('cannot accept connections')


def cpu_seconds(exporter):
    fields = pathlib.Path(f'/proc/{exporter.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def anonymous_bytes(exporter):
    status = pathlib.Path(f'/proc/{exporter.pid}/status').read_text()
    return int(re.search(r'^RssAnon:\s+(\d+) kB$', status, re.MULTILINE)[1]) << 10


if __name__ == '__main__':
    case.main('openssl', 'prlimit', https=True)
