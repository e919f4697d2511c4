# SPDX-License-Identifier: Apache-2.0
"""HTTP to a server inside a network namespace, from a process outside of it."""

import contextlib
import ctypes
import dataclasses
import http.client
import socket
import ssl
import time

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True)
class Client:
    """Whence a request comes, and what it brings along."""

    source: str | None = None  # None: whatever the kernel takes, 127.0.0.1
    headers: dict = dataclasses.field(default_factory=dict)
    tls: ssl.SSLContext | None = None  # None: plain HTTP


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


def connect(pid, port, source=None, timeout=5):
    """A connection to 127.0.0.1:port in the network of the process."""
    with network_of(pid):
        connection = socket.create_connection(('127.0.0.1', port), timeout,
                                              source_address=source and (source, 0))
    # As all HTTP clients do: or a request waits 40 ms for the handshake to be acknowledged.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class _Connection(http.client.HTTPConnection):
    def __init__(self, pid, port, timeout, client):
        super().__init__('127.0.0.1', port, timeout=timeout)
        self._pid = pid
        self._client = client

    def connect(self):
        self.sock = connect(self._pid, self.port, self._client.source, self.timeout)
        if self._client.tls:
            self.sock = self._client.tls.wrap_socket(self.sock, server_hostname=self.host)


def request(pid, port, path, method='GET', timeout=5, client=Client()):
    """Asks 127.0.0.1:port in the network of the process."""
    with contextlib.closing(_Connection(pid, port, timeout, client)) as connection:
        start = time.monotonic()
        connection.request(method, path, headers=client.headers)
        response = connection.getresponse()
        body = response.read().decode()
        seconds = time.monotonic() - start
    return Answer(response.status, response.headers, body, seconds)
