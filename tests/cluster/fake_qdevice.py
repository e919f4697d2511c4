#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for corosync-qdevice: it registers with its node's votequorum, and does as told.

Reads one command a line: "vote RING" and "abstain RING" (as corosync-quorumtool writes the ring)
are what a living device says twice a second; "silent" is a device that hangs; "leave" unregisters.
Answers each with "ok". It ends with its input.
"""

import ctypes
import select
import sys

NAME = b'Standin'
CS_OK = 1
POLL_SECONDS = 0.5  # votequorum misses a device after quorum.device.timeout, 10 s by default


class _Ring(ctypes.Structure):
    _fields_ = [('node', ctypes.c_uint32), ('sequence', ctypes.c_uint64)]

    @classmethod
    def of(cls, text):
        node, sequence = text.split('.')
        return cls(int(node), int(sequence, 16))


def _check(code):
    if code != CS_OK:
        sys.exit(f'votequorum says {code}')


def main():
    votequorum = ctypes.CDLL('libvotequorum.so.8')
    handle = ctypes.c_uint64()
    _check(votequorum.votequorum_initialize(ctypes.byref(handle), None))
    _check(votequorum.votequorum_qdevice_register(handle, NAME))
    vote = ring = None
    while True:
        if ring:
            # An answer about a ring that is gone is refused, as a late one of a real device.
            votequorum.votequorum_qdevice_poll(handle, NAME, vote, ring)
        if not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
            continue
        command = sys.stdin.readline().split()
        if not command:
            break
        if command[0] == 'leave':
            _check(votequorum.votequorum_qdevice_unregister(handle, NAME))
        vote = int(command[0] == 'vote')
        ring = _Ring.of(command[1]) if len(command) > 1 else None
        if ring:
            _check(votequorum.votequorum_qdevice_poll(handle, NAME, vote, ring))
        print('ok', flush=True)


if __name__ == '__main__':
    main()
