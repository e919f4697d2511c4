# SPDX-License-Identifier: Apache-2.0
"""A long or bad wire between a node's port and the switch; see slow_wire.py."""

import pathlib
import subprocess

_PROGRAM = pathlib.Path(__file__).parent / 'slow_wire.py'


class Wire:
    """All that goes through the node's port of the link is late, or lost, until remove()."""

    def __init__(self, lab, node, link, delay, loss=0):
        self._lab, self._link = lab, link
        self._port = f'node{node}-link{link}'
        self._name, socket = f'wire{node}-{link}', f'socket{node}-{link}'
        self._switch(f'link add {self._name} type veth peer name {socket}',
                     f'link set {self._name} up', f'link set {socket} up')
        self._carrier = subprocess.Popen(
            lab.switch_command('/usr/bin/python3', _PROGRAM, delay, loss, self._port, self._name),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = self._carrier.stdout.readline()
        if said != 'ready\n':
            raise RuntimeError(f'slow_wire.py said {said!r}')
        self._switch(f'link set {self._port} nomaster', f'link set {socket} master link{link}')

    def remove(self):
        self._carrier.stdin.close()
        status = self._carrier.wait(timeout=20)
        self._carrier.stdout.close()
        if status != 0:
            raise RuntimeError(f'slow_wire.py ended with {status}: nothing went through')
        self._switch(f'link delete {self._name}',
                     f'link set {self._port} master link{self._link}')

    def _switch(self, *commands):
        subprocess.run(self._lab.switch_command('ip', '-batch', '-'), input='\n'.join(commands),
                       check=True, text=True)
