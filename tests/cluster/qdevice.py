# SPDX-License-Identifier: Apache-2.0
"""The real quorum device of a lab: corosync-qnetd beyond the nodes, corosync-qdevice on each."""

import subprocess

TOOLS = ('corosync-qnetd', 'corosync-qdevice')

ARBITER = '10.77.0.100'

# The device asks its server, and votes, this often; and waits so long at most for either.
TIMEOUT_SECONDS = 3
SYNC_TIMEOUT_SECONDS = 6

# From one connection to the server to the next, and a vote.
VOTE_SECONDS = 5 * TIMEOUT_SECONDS

# For lab.corosync_conf: one side of two nodes gets its vote.
CONF = {
    'votes': 1, 'timeout': TIMEOUT_SECONDS * 1000, 'sync_timeout': SYNC_TIMEOUT_SECONDS * 1000,
    'net': {'host': ARBITER, 'tls': 'off', 'algorithm': 'ffsplit'}}


class Qdevice:
    """Its daemons end with the lab at the latest."""

    def __init__(self, lab, work):
        self._lab = lab
        self._work = work
        self._daemons = {}
        subprocess.run(lab.switch_command(
            'ip', 'address', 'add', f'{ARBITER}/24', 'dev', 'link0'), check=True)

    def start_arbiter(self):
        self._start('arbiter', self._lab.switch_command(
            'sh', '-c', 'mkdir -p /run/corosync-qnetd && exec corosync-qnetd -f -4 -s off'))

    def kill_arbiter(self):
        self._kill('arbiter')

    def start(self, node):
        self._start(f'device {node}', self._lab.command(
            node, 'sh', '-c', 'mkdir -p /run/corosync-qdevice && exec corosync-qdevice -f'))

    def kill(self, node):
        self._kill(f'device {node}')

    def stop(self):
        for name in self._daemons:
            self._kill(name)

    def casting(self):
        """The nodes that cast its vote, as node 1 knows of them."""
        return {node for node, said in self._lab.status(1).device if 'V' in said}

    def _start(self, name, command):
        """Unless it runs. A device ends with its node's corosync."""
        if name in self._daemons and self._daemons[name].poll() is None:
            return
        with open(self._work / f'{name.replace(" ", "-")}.log', 'ab') as log:
            self._daemons[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=subprocess.STDOUT)

    def _kill(self, name):
        self._daemons[name].kill()
        self._daemons[name].wait()
