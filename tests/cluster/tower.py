# SPDX-License-Identifier: Apache-2.0
"""Where many clusters are watched from: a network namespace that reaches every node's exporter.

The nodes' addresses there, 10.78.C.N, have nothing to do with those that corosync uses: as with a
network for the machines' management, a node that is cut off from the others is watched on.
"""

import socket
import subprocess

import namespaces

_SETUP = '''
ip link set lo up
ip link add nodes type bridge stp_state 0 forward_delay 0
ip address add 10.78.0.1/16 dev nodes
ip link set nodes up
echo ready
exec cat
'''


class Tower:
    """Lasts until stop(), or until this process ends."""

    def __init__(self):
        self._process = subprocess.Popen(['unshare', '--net', 'sh', '-euc', _SETUP],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != 'ready\n':
            raise RuntimeError('there is no network to watch from')

    def stop(self):
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    @property
    def holder(self):
        return self._process.pid

    def command(self, *command):
        """The command line that runs a command there, in the place of the caller."""
        return ['nsenter', f'--target={self.holder}', '--net', '--', *map(str, command)]

    def listen(self):
        """A socket that listens on a free port of its loopback."""
        with namespaces.network_of(self.holder):
            return socket.create_server(('127.0.0.1', 0))

    def plug_in(self, holder, cluster, node):
        """Connects a node, of which the holder is a process. Returns the node's address."""
        port, address = _port(cluster, node), f'10.78.{cluster}.{node}'
        _ip(self.holder, f'link add {port} type veth peer name watched netns {holder}',
            f'link set {port} master nodes up')
        _ip(holder, f'address add {address}/16 dev watched', 'link set watched up')
        return address

    def pull_out(self, cluster, node):
        """The node is not heard any more, as a machine without current."""
        _ip(self.holder, f'link set {_port(cluster, node)} down')

    def put_back(self, cluster, node):
        _ip(self.holder, f'link set {_port(cluster, node)} up')


def _port(cluster, node):
    return f'cluster{cluster}-{node}'


def _ip(holder, *commands):
    subprocess.run(['nsenter', f'--target={holder}', '--net', 'ip', '-batch', '-'],
                   input='\n'.join(commands), check=True, text=True)
