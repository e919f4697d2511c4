# SPDX-License-Identifier: Apache-2.0
"""What can happen to a cluster, and who is to be told what of it.

Of each fault exactly these alerts are told, at about these times. What is right is what whoever is
paged at night would want: a page (critical) only where services stop or data is in danger, one
cause told once, and what was planned not at all.
"""

import dataclasses
import re
import shutil
import time
from collections.abc import Callable

import exporter
import qdevice
from waiting import wait_until
from wire import Wire

NOBODY = 65534  # a user whom corosync does not admit

OUTAGE_SECONDS = 5
REBOOT_SECONDS = 45
LOOK_SECONDS = 15  # whether all is well again, before the next
FLAPS = 6
DELAY_SECONDS = 0.02


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    strike: Callable  # on a WatchedCluster; returns once it has happened
    told: dict = dataclasses.field(default_factory=dict)  # {(severity, alert): after how many s}
    quiet: dict = dataclasses.field(default_factory=dict)  # what fires as well, and is inhibited
    nodes: int = 3
    links: int = 1
    conf: dict = dataclasses.field(default_factory=dict)  # variations, see lab.corosync_conf
    prepare: Callable = lambda cluster: None
    remembered: str = ''  # a metric that Prometheus has already known for an hour


def critical(alert, seconds):
    return {('critical', alert): seconds}


def warning(alert, seconds):
    return {('warning', alert): seconds}


def info(alert, seconds):
    return {('info', alert): seconds}


# --- how it is done ------------------------------------------------------------------------------


def _nothing(cluster):
    pass


def _switch_off_3(cluster):
    cluster.switch_off(3)


def _shut_down_3(cluster):
    cluster.shut_down(3)


def _cut_off_2(cluster):
    cluster.lab.cut(2)


def _cut_off_3(cluster):
    cluster.lab.cut(3)


def _switch_off_2_and_3(cluster):
    cluster.switch_off(2)
    cluster.switch_off(3)


def _lose_quorum_for_a_moment(cluster):
    cluster.lab.cut(2)
    cluster.lab.cut(3)
    cluster.wait_for(1, 'corosync_quorate', 0)
    time.sleep(OUTAGE_SECONDS / 2)  # it takes as long again until the nodes have found each other
    cluster.lab.heal(2)
    cluster.lab.heal(3)


def _cut_link_1_of_3(cluster):
    cluster.lab.cut(3, 1)


def _flap_link_1_of_3(cluster):
    for _ in range(FLAPS):
        cluster.lab.cut(3, 1)
        cluster.wait_for(1, 'corosync_link_connected', 0, node_id='3', link='1')
        cluster.lab.heal(3, 1)
        cluster.wait_for(1, 'corosync_link_connected', 1, node_id='3', link='1')


def _lengthen_the_link_of_2(cluster):
    cluster.cleanup.callback(Wire(cluster.lab, 2, 0, DELAY_SECONDS / 2).remove)


def _freeze_3(cluster):
    cluster.lab.freeze(3)


def _kill_3(cluster):
    cluster.lab.kill(3)


def _restart_3(cluster):
    cluster.lab.stop(3)
    cluster.lab.start(3)


def _kill_exporter_3(cluster):
    cluster.exporters[3].kill()


def _restart_exporter_3_as_nobody(cluster):
    # The build may lie where only its owner gets to.
    program = cluster.work / 'corosync-exporter'
    shutil.copy(exporter.program(), program)
    program.chmod(0o755)
    cluster.exporters[3].kill()
    cluster.start_exporter(3, binary=program, run_as=(
        'setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups'))


def _install_a_quorum_device(cluster):
    cluster.device = qdevice.Qdevice(cluster.lab, cluster.work)
    cluster.cleanup.callback(cluster.device.stop)
    cluster.device.start_arbiter()
    for node in cluster.lab.nodes:
        cluster.device.start(node)
    wait_until(lambda: cluster.device.casting() == {1, 2}, qdevice.VOTE_SECONDS,
               'the device votes on each node')


def _kill_the_quorum_devices_server(cluster):
    cluster.device.kill_arbiter()


def _expect_4_votes(cluster):
    cluster.lab.run(3, 'corosync-quorumtool', '-e', 4)


def _begin_without_node_4(cluster):
    conf = re.sub(r'    node \{[^}]*name: node4\n[^}]*\}\n', '', cluster.lab.conf())
    for node in cluster.lab.nodes:
        cluster.lab.stop(node)
    for node in (1, 2, 3):
        (cluster.lab.etc(node) / 'corosync.conf').write_text(conf)
        cluster.lab.start(node)
    wait_until(lambda: (status := cluster.lab.status(1)) and status.members == 3, 30,
               'three nodes are one cluster')


def _add_node_4(cluster):
    cluster.lab.reload(cluster.lab.conf().replace('config_version: 1', 'config_version: 2'))
    cluster.lab.start(4)
    cluster.start_exporter(4)


def _reboot_one_after_the_other(cluster):
    for node in cluster.lab.nodes:
        cluster.shut_down(node)
        time.sleep(REBOOT_SECONDS)
        cluster.boot(node)
        cluster.wait_for(node, 'corosync_members', len(cluster.lab.nodes))
        time.sleep(LOOK_SECONDS)


# --- what is told --------------------------------------------------------------------------------

NOTHING = Fault('nothing at all', _nothing)

MAJORITY_LOST = Fault(
    'two of three machines lose their current', _switch_off_2_and_3,
    critical('CorosyncClusterQuorumLost', 73) | warning('CorosyncExporterDown', 305),
    quiet=critical('CorosyncQuorumLost', 132))

QUORUM_LOST_BRIEFLY = Fault(
    f'no quorum for some {OUTAGE_SECONDS} s', _lose_quorum_for_a_moment,
    warning('CorosyncQuorumLostBriefly', 20))

ONE_OF_TWO_LINKS_CUT = Fault(
    'one of two links of a node is cut', _cut_link_1_of_3,
    warning('CorosyncLastLink', 70), quiet=warning('CorosyncLinkDown', 70), links=2)

ALL = [
    Fault('a machine of three loses its current', _switch_off_3,
          warning('CorosyncMemberMissing', 190) | warning('CorosyncQuorumAtRisk', 132),
          quiet=warning('CorosyncExporterDown', 305)),
    Fault('a machine of three is shut down', _shut_down_3,
          warning('CorosyncMemberMissing', 185) | warning('CorosyncQuorumAtRisk', 125),
          quiet=warning('CorosyncExporterDown', 305)),
    Fault('a node of three is cut off', _cut_off_3,
          critical('CorosyncQuorumLost', 132) | warning('CorosyncQuorumAtRisk', 132),
          quiet=warning('CorosyncMemberMissing', 190)),
    MAJORITY_LOST,
    QUORUM_LOST_BRIEFLY,
    Fault('the only link between two nodes is cut (two_node)', _cut_off_2,
          critical('CorosyncSplitBrain', 102), quiet=warning('CorosyncMemberMissing', 190),
          nodes=2, conf={'quorum': {'two_node': 1}}),
    ONE_OF_TWO_LINKS_CUT,
    Fault(f'one of two links of a node goes and comes {FLAPS} times', _flap_link_1_of_3,
          warning('CorosyncLinkFlapping', 30), links=2),
    Fault(f'the link of a node takes {DELAY_SECONDS * 1000:g} ms', _lengthen_the_link_of_2,
          warning('CorosyncLinkLatencyHigh', 320),
          remembered='corosync_link_latency_seconds'),
    Fault('corosync freezes on a node of three', _freeze_3,
          critical('CorosyncHung', 78) | warning('CorosyncQuorumAtRisk', 132),
          quiet=warning('CorosyncMemberMissing', 190)),
    Fault('corosync is killed on a node of three', _kill_3,
          warning('CorosyncDown', 125) | warning('CorosyncQuorumAtRisk', 132),
          quiet=warning('CorosyncMemberMissing', 190)),
    Fault('corosync is restarted on a node of three', _restart_3,
          info('CorosyncQuorumLostBriefly', 12)),
    Fault('the exporter is killed on a node', _kill_exporter_3,
          warning('CorosyncExporterDown', 305)),
    Fault('corosync refuses the exporter of a node', _restart_exporter_3_as_nobody,
          warning('CorosyncDown', 125)),
    Fault('the quorum device of two nodes loses its server', _kill_the_quorum_devices_server,
          warning('CorosyncQuorumAtRisk', 130) | warning('CorosyncQdeviceNotVoting', 310),
          nodes=2, conf={'device': qdevice.CONF}, prepare=_install_a_quorum_device),
    Fault('a vote too many is expected of three nodes (corosync-quorumtool -e 4 on one)',
          _expect_4_votes, warning('CorosyncQuorumAtRisk', 125)),
    Fault('a fourth node is added', _add_node_4, nodes=4, prepare=_begin_without_node_4),
    Fault(f'all machines are rebooted, each for {REBOOT_SECONDS} s, one after the other',
          _reboot_one_after_the_other),
    NOTHING,
]
