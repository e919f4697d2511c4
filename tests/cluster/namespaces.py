# SPDX-License-Identifier: Apache-2.0
"""HTTP to a server inside a network namespace, from a process outside of it."""

import contextlib
import ctypes
import dataclasses
import http.client
import socket
import time

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str
    seconds: float  # from the connect to the last byte


@contextlib.contextmanager
def network_of(pid):
    """The calling thread is in the process's network; a socket made meanwhile stays there."""
    with open('/proc/thread-self/ns/net') as own, open(f'/proc/{pid}/ns/net') as other:
        _enter_network(other)
        try:
            yield
        finally:
            _enter_network(own)


def _enter_network(file):
    if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


class _Connection(http.client.HTTPConnection):
    def __init__(self, pid, port, timeout):
        super().__init__('127.0.0.1', port, timeout=timeout)
        self._pid = pid

    def connect(self):
        with network_of(self._pid):
            self.sock = socket.create_connection((self.host, self.port), self.timeout)


def request(pid, port, path, method='GET', timeout=5):
    """Asks 127.0.0.1:port in the network of the process."""
    with contextlib.closing(_Connection(pid, port, timeout)) as connection:
        start = time.monotonic()
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read().decode()
        seconds = time.monotonic() - start
    return Answer(response.status, response.headers, body, seconds)
