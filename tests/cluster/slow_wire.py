#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A long wire: carries frames from one network interface to another and back, late, or not at all.

Usage: slow_wire.py SECONDS LOSS INTERFACE INTERFACE

LOSS is the share of frames that are lost, from 0 to 1. What tc's netem does, for kernels without it.
Says "ready" once it carries, and ends with its input.
"""

import collections
import os
import random
import select
import socket
import sys
import time

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_VNET_HDR = 15
_FRAME_SIZE = 65536 + 64


def _tap(interface):
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    # With each frame comes and goes what is left to the hardware: between two veths nobody has
    # summed up a packet yet, and who receives it from a wire would drop it.
    tap.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    tap.bind((interface, 0))
    return tap


def main():
    # Corosync runs at realtime priority, and is not to wait for a wire that waits for the processor.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    delay, loss = map(float, sys.argv[1:3])
    ends = [_tap(interface) for interface in sys.argv[3:]]
    others = dict(zip(ends, reversed(ends)))
    under_way = collections.deque()  # (when it arrives, where, what), in that order
    print('ready', flush=True)
    while True:
        timeout = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        readable = select.select([sys.stdin, *ends], [], [], timeout)[0]
        if sys.stdin in readable:
            break
        for end in readable:
            frame, address = end.recvfrom(_FRAME_SIZE)
            if address[2] != socket.PACKET_OUTGOING and random.random() >= loss:
                under_way.append((time.monotonic() + delay, others[end], frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, end, frame = under_way.popleft()
            end.send(frame)


if __name__ == '__main__':
    main()
