# SPDX-License-Identifier: Apache-2.0
"""Clients that mean no good: they open connections, leave them half done, and open more."""

import contextlib
import itertools
import multiprocessing
import resource
import select
import ssl

from waiting import wait_until


class Flood:
    """Holds so many connections to an exporter, from a process of its own, while a block lasts.

    Each says the same on each connection and then nothing; one that is refused or closed is
    replaced, without end. `tls`, where there is one, shakes hands first.
    """

    def __init__(self, exporter, count, says, sources=(None,), tls=None):
        self._exporter = exporter
        self._count = count
        self._says = says
        self._sources = itertools.cycle(sources)
        self._tls = tls
        self._tried = multiprocessing.Value('Q')
        self._process = multiprocessing.get_context('fork').Process(target=self._run, daemon=True)

    def __enter__(self):
        self._process.start()
        wait_until(lambda: self._tried.value >= self._count, 10, 'the flood is there')
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.join()

    def _run(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        held = {}
        poll = select.poll()
        parent = multiprocessing.parent_process()
        while parent.is_alive():  # a killed test takes its flood with it
            for source in itertools.islice(self._sources, self._count - len(held)):
                with contextlib.suppress(OSError):
                    connection = self._open(source)
                    held[connection.fileno()] = connection
                    poll.register(connection, select.POLLIN)
                self._tried.value += 1
            for descriptor, _ in poll.poll(10):
                poll.unregister(descriptor)
                held.pop(descriptor).close()

    def _open(self, source):
        connection = self._exporter.connect(source)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_hostname='127.0.0.1')
        connection.send(self._says)
        return connection


def client_hello():
    """What a TLS client says first."""
    said = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), said, server_hostname='host')
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()
