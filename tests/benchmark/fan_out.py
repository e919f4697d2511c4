#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Serves a few exporters' pages as those of many: any address that leads to this machine answers
with the page of one of them.

Usage: fan_out.py PORT EXPORTER...

Listens on PORT of all addresses. On 127.x.y.N it is the Nth EXPORTER (host:port), read anew each
second: what moves there moves here. While an exporter does not answer, neither do its addresses.
"""

import asyncio
import sys
import urllib.request

READ_SECONDS = 1


class Pages:
    """The newest answer of each exporter, headers included; None while it gives none."""

    def __init__(self, exporters):
        self._urls = [f'http://{exporter}/metrics' for exporter in exporters]
        self._answers = [None] * len(exporters)

    def of_address(self, address):
        return self._answers[int(address.rpartition('.')[2]) - 1]

    async def keep_reading(self):
        while True:
            self._answers = await asyncio.gather(
                *(asyncio.to_thread(answer_of, url) for url in self._urls))
            await asyncio.sleep(READ_SECONDS)


def answer_of(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            body = answer.read()
            kind = answer.headers['Content-Type']
    except OSError:
        return None
    return (f'HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n'
            .encode() + body)


class Connection(asyncio.Protocol):
    """Answers every request alike, and stays open as long as the client likes."""

    def __init__(self, pages):
        self._pages = pages
        self._asked = b''

    def connection_made(self, transport):
        self._transport = transport
        self._address = transport.get_extra_info('sockname')[0]

    def data_received(self, data):
        self._asked += data
        if not self._asked.endswith(b'\r\n\r\n'):
            return
        self._asked = b''
        answer = self._pages.of_address(self._address)
        if answer is None:
            self._transport.abort()
        else:
            self._transport.write(answer)


async def serve(port, exporters):
    pages = Pages(exporters)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(pages), '0.0.0.0', port, backlog=4096)
    async with server:
        await pages.keep_reading()


if len(sys.argv) < 3:
    sys.exit(__doc__)
asyncio.run(serve(int(sys.argv[1]), sys.argv[2:]))
