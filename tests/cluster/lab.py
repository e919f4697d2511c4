# SPDX-License-Identifier: Apache-2.0
"""A throwaway cluster, made by deploy/lab, and what its corosync says: the truth."""

import atexit
import dataclasses
import datetime
import pathlib
import re
import subprocess

from waiting import wait_until

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / 'deploy' / 'lab'

# Until a cluster is whole again, about twice what it can take: 5 s as a rule, but where a node ends
# just after a ring was formed and is back at once, its peers form four rings without it first, 17 s.
SETTLE_SECONDS = 40


class Lab:
    """One cluster in a directory of its own. Nodes are numbered from 1."""

    def __init__(self, directory, nodes=3, links=1, **conf):
        self.directory = pathlib.Path(directory)
        self.nodes = range(1, nodes + 1)
        self.links = range(links)
        self._conf = conf
        self._reloaded = False
        self._off = set()  # nodes stopped or killed, and not started again
        self._cut = set()
        self._frozen = set()
        self._deaf = set()  # pairs of nodes
        self._losing = set()

    def up(self):
        self._conf_file.write_text(
            corosync_conf(len(self.nodes), len(self.links), **self._conf))
        # However this process ends, no corosync outlives it.
        atexit.register(self.down)
        self._lab('up', '--nodes', len(self.nodes), '--links', len(self.links),
                  '--conf', self._conf_file)

    def down(self):
        self._lab('down')
        atexit.unregister(self.down)

    # --- what can happen to a node ---

    def start(self, node):
        self._lab('start', node)
        self._off.discard(node)

    def stop(self, node):
        self._lab('stop', node)
        self._off.add(node)

    def kill(self, node):
        self._lab('kill', node)
        self._off.add(node)
        self._frozen.discard(node)

    def freeze(self, node):
        self._lab('freeze', node)
        self._frozen.add(node)

    def thaw(self, node):
        self._lab('thaw', node)
        self._frozen.discard(node)

    def cut(self, node, *link):
        self._lab('cut', node, *link)
        self._cut.add(node)

    def heal(self, node, *link):
        self._lab('heal', node, *link)
        if not link:
            self._cut.discard(node)

    def deafen(self, node, other):
        """Those two do not hear each other; every other node hears both."""
        self._lab('deafen', node, other)
        self._deaf.add((node, other))

    def hear(self, node, other):
        self._lab('hear', node, other)
        self._deaf -= {(node, other), (other, node)}

    def lose(self, node, percent):
        """So many of 100 packets that come to the node are lost; with 0 none is any more."""
        self._lab('lose', node, percent)
        if percent:
            self._losing.add(node)
        else:
            self._losing.discard(node)

    def reload(self, conf):
        """Gives every node another corosync.conf, and has it read."""
        self._reloaded = conf != self.conf()
        for node in self.nodes:
            (self.etc(node) / 'corosync.conf').write_text(conf)
        if self.run(self.nodes[0], 'corosync-cfgtool', '-R') is None:
            raise RuntimeError('corosync-cfgtool -R failed')

    def conf(self):
        """The corosync.conf that the cluster was made with."""
        return self._conf_file.read_text()

    def mend(self):
        """Undoes all of the above, and waits until every node sees every other."""
        for node in list(self._frozen):
            self.thaw(node)
        for node in list(self._cut):
            self.heal(node)
        for pair in list(self._deaf):
            self.hear(*pair)
        for node in list(self._losing):
            self.lose(node, 0)
        for node in sorted(self._off):
            self.start(node)
        if self._reloaded:
            self.reload(self.conf())
        for node in self.nodes:
            wait_until(lambda: self._is_whole(node), SETTLE_SECONDS,
                       f'node {node} sees the whole cluster')

    def _is_whole(self, node):
        if self._conf.get('provider', True):
            status = self.status(node)
            if not (status and status.quorate and status.members == len(self.nodes)):
                return False
        elif members(self.cmap(node)) != set(self.nodes):
            return False
        # One link makes a membership, and tells nothing of the others.
        return len(self.links) == 1 or all(
            link in peer and peer[link].connected
            for peer in self.reachable(node).values() for link in self.links)

    # --- a node from inside ---

    def command(self, node, *command):
        """The command line that runs a command inside a node, in the place of the caller."""
        return [PROGRAM, '--dir', self.directory, 'exec', str(node), *map(str, command)]

    def switch_command(self, *command):
        """The same on the switch between the nodes. There, too, /run is the lab's own."""
        holder = (self.directory / 'switch' / 'holder.pid').read_text().strip()
        return ['nsenter', '--target', holder, '--mount', '--net', '--root', '--wdns=/', '--',
                *map(str, command)]

    def run(self, node, *command):
        """A command's output inside a node; None where it failed."""
        done = subprocess.run(self.command(node, *command),
                              capture_output=True, text=True, timeout=60)
        return done.stdout if done.returncode == 0 else None

    def runs(self, node):
        """Whether its corosync is there, as far as the lab was not touched from elsewhere."""
        return node not in self._off

    def pid(self, node):
        return int(self._lab('pid', node))

    def cpu_seconds(self, node):
        """The processor time that the node's corosync has taken."""
        # Of all its threads, which last as long as it does; in nanoseconds, where its own sum is in
        # steps of ten milliseconds.
        return sum(int((task / 'schedstat').read_text().split()[0])
                   for task in pathlib.Path(f'/proc/{self.pid(node)}/task').iterdir()) * 1e-9

    def holder(self, node):
        """The process that holds the node's namespaces."""
        return int((self.directory / f'node{node}' / 'holder.pid').read_text())

    def etc(self, node):
        """What the node has as /etc/corosync."""
        return self.directory / f'node{node}' / 'etc'

    def shm_files(self, node):
        """The files of libqb's connections in the node's /dev/shm, by the names the node sees."""
        root = pathlib.Path(f'/proc/{self.holder(node)}/root')
        # Corosync's black box lies there too, directly, and outlives it by intention.
        return {f'/{file.relative_to(root)}' for file in root.glob('dev/shm/qb-*/*')}

    def shm_files_in_use(self, node):
        """Of those, the ones that the running corosync has mapped."""
        maps = pathlib.Path(f'/proc/{self.pid(node)}/maps').read_text()
        return set(re.findall(r'/dev/shm/qb-\S+/\S+$', maps, re.MULTILINE))

    # --- the truth ---

    def cmap(self, node):
        """Corosync's configuration map, as {key: value in words}."""
        return self._cmap(node)

    def statistics(self, node, *prefixes):
        """What corosync counts and measures, of the keys with one of the prefixes."""
        # A listing reads each key as what it is. Never one by name, with -g: that asks for the
        # type first, without room for the value, and corosync dies of it.
        return self._cmap(node, '-m', 'stats', *prefixes)

    def _cmap(self, node, *arguments):
        listing = self.run(node, 'corosync-cmapctl', *arguments)
        if listing is None:
            return {}
        return dict(re.findall(r'^(\S+) \(\w+\) = (.*?) *$', listing, re.MULTILINE))

    def requests(self, node, pid):
        """What a client asked corosync: {service: the requests of each of its connections}."""
        requests = {}
        for key, count in self.statistics(node, 'stats.ipcs.service').items():
            if match := re.fullmatch(rf'stats\.ipcs\.service(\d+)\.{pid}\.\w+\.requests', key):
                requests.setdefault(int(match[1]), []).append(int(count))
        return requests

    def reachable(self, node):
        """What corosync-cfgtool -n says: {node: {link: Link}} of the nodes within reach."""
        said = self.run(node, 'corosync-cfgtool', '-n') or ''
        return {int(other): {int(link): Link.of(words) for link, words
                             in re.findall(r'LINK: (\d+) \w+ \(.*?\)(.*)', links)}
                for other, links
                in re.findall(r'^nodeid: (\d+) reachable\n((?: +LINK: .*\n)*)', said, re.MULTILINE)}

    def link_status(self, node):
        """What corosync-cfgtool -s says: {link: {node: word}}."""
        said = self.run(node, 'corosync-cfgtool', '-s') or ''
        return {int(link): {int(other): word for other, word
                            in re.findall(r'nodeid: *(\d+):\s*(.+?) *$', words, re.MULTILINE)}
                for link, words
                in re.findall(r'^LINK ID (\d+).*\n((?:\t.*\n)*)', said, re.MULTILINE)}

    def status(self, node):
        """What corosync-quorumtool says; None while corosync does not answer."""
        # Its exit status is the verdict's, so only the words tell whether it got an answer.
        done = subprocess.run(self.command(node, 'corosync-quorumtool', '-s', '-i'),
                              capture_output=True, text=True, timeout=60)
        return Status.of(done.stdout) if 'Quorate:' in done.stdout else None

    def answers(self, node):
        """Whether corosync takes connections."""
        return self.run(node, 'corosync-cmapctl', '-g', 'totem.cluster_name') is not None

    # --- corosync's log ---

    def log_end(self, node):
        """A position, for log(since=...): what comes from now on."""
        return self.log_file(node).stat().st_size

    def log(self, node, since=0):
        with open(self.log_file(node), 'rb') as file:
            file.seek(since)
            return [line for text in file.read().decode().splitlines()
                    if (line := LogLine.of(text))]

    @property
    def _conf_file(self):
        return self.directory.with_suffix('.conf')

    def log_file(self, node):
        return self.directory / f'node{node}' / 'log' / 'corosync.log'

    def _lab(self, *arguments):
        done = subprocess.run([PROGRAM, '--dir', self.directory, *map(str, arguments)],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f'lab {" ".join(map(str, arguments))}: {done.stderr.strip()}')
        return done.stdout


def corosync_conf(nodes, links=1, *, named=True, names=None, provider=True, totem=None,
                  quorum=None, device=None, debug=(), realtime=True):
    """The lab's own corosync.conf, with the test's variations."""
    conf = subprocess.run([PROGRAM, 'conf', '--nodes', str(nodes), '--links', str(links)],
                          capture_output=True, text=True, check=True).stdout
    if not named:
        conf = re.sub(r'^ *name: .*\n', '', conf, flags=re.MULTILINE)
    for node, name in (names or {}).items():
        conf = conf.replace(f' name: node{node}\n', f' name: {name}\n')
    if not provider:
        conf = re.sub(r'^ *provider: .*\n', '', conf, flags=re.MULTILINE)
    if not realtime:
        # A priority of 0 would leave it the caller's.
        conf += 'system {\n' + _conf_lines({'sched_rr': 'no', 'priority': 1}, '    ') + '}\n'
    for subsystem in debug:
        conf = conf.replace('logging {\n', 'logging {\n' + _conf_lines(
            {'logger_subsys': {'subsys': subsystem, 'debug': 'on'}}, '    '))
    for key, value in (totem or {}).items():
        conf = re.sub(rf'^    {key}: .*\n', '', conf, flags=re.MULTILINE)
        conf = conf.replace('totem {\n', f'totem {{\n    {key}: {value}\n')
    quorum = dict(quorum or {})
    if device:
        # Corosync itself takes no interest in what the device is.
        quorum['device'] = {'model': 'net', **device}
    return conf.replace('quorum {\n', 'quorum {\n' + _conf_lines(quorum, '    '))


def _conf_lines(section, indent):
    return ''.join(
        f'{indent}{key} {{\n{_conf_lines(value, indent + "    ")}{indent}}}\n'
        if isinstance(value, dict) else f'{indent}{key}: {value}\n'
        for key, value in section.items())


@dataclasses.dataclass(frozen=True)
class Status:
    """corosync-quorumtool's page, in values."""

    provider: str
    node: int
    ring_leader: int
    ring_sequence: int
    quorate: bool
    members: int
    expected: int
    highest_expected: int
    total: int
    required: int
    flags: frozenset
    votes: tuple  # (node id, votes) of each member
    device: tuple  # (node id, what it knows of the quorum device: {'A', 'V', 'MW'}) of each
    device_votes: int  # None on a node without a device

    @staticmethod
    def of(text):
        said = dict(re.findall(r'^(\w[\w ]*): *(.*?) *$', text, re.MULTILINE))
        leader, sequence = said['Ring ID'].split('.')
        rows = [(int(node), int(votes), rest) for node, votes, rest
                in re.findall(r'^ +(\d+) +(\d+) +(.*)', text, re.MULTILINE)]
        with_device = ' Qdevice Name' in text
        device_votes = None
        for node, cast, name in rows:
            # The device is in the list as node 0, also where only another node has one. While it
            # does not vote, its votes stand behind its name.
            if node == 0 and not re.search(r' NR .*\(local\)', text):
                withheld = re.search(r'\(votes (\d+)\)', name)
                device_votes = int(withheld[1]) if withheld else cast
        return Status(
            provider=said['Quorum provider'], node=int(said['Node ID']),
            ring_leader=int(leader), ring_sequence=int(sequence, 16),
            quorate=said['Quorate'] == 'Yes', members=int(said['Nodes']),
            expected=int(said['Expected votes']), highest_expected=int(said['Highest expected']),
            total=int(said['Total votes']), required=int(said['Quorum'].split()[0]),
            flags=frozenset(said['Flags'].split()),
            votes=tuple((node, votes) for node, votes, _ in rows if node),
            device=tuple((node, frozenset(rest.split()[0].split(',')) if with_device else {'NR'})
                         for node, _, rest in rows if node),
            device_votes=device_votes)


@dataclasses.dataclass(frozen=True)
class Link:
    """A link to another node, as corosync-cfgtool -n tells of it."""

    enabled: bool
    connected: bool
    mtu: int

    @staticmethod
    def of(words):
        return Link('enabled' in words.split(), 'connected' in words.split(),
                    int(re.search(r'mtu: (\d+)', words)[1]))


def members(cmap):
    """The current members' node ids. Who left stays in the map, as such."""
    joined = re.compile(r'runtime\.members\.(\d+)\.status')
    return {int(match[1]) for key, value in cmap.items()
            if value == 'joined' and (match := joined.fullmatch(key))}


def node_names(cmap):
    """What each configured node is called: its name, else its first address."""
    names = {}
    for key, value in cmap.items():
        if key.startswith('nodelist.node.') and key.endswith('.nodeid'):
            prefix = key.removesuffix('nodeid')
            names[int(value)] = cmap.get(prefix + 'name') or cmap[prefix + 'ring0_addr']
    return names


@dataclasses.dataclass(frozen=True)
class LogLine:
    time: float  # seconds since the epoch; corosync's stamps step by 4 ms
    level: str
    subsystem: str
    text: str

    @staticmethod
    def of(text):
        match = re.match(
            r'(\w{3} +\d+ [\d:]+\.\d+) \[\d+\] \S+ corosync (\w+) *\[(\w+) *\] (.*)', text)
        if not match:
            return None
        stamp, level, subsystem, words = match.groups()
        # The stamp has no year. It is this one, but for a test that runs into a new year.
        now = datetime.datetime.now()
        moment = datetime.datetime.strptime(f'{now.year} {stamp}', '%Y %b %d %H:%M:%S.%f')
        if moment > now + datetime.timedelta(days=1):
            moment = moment.replace(year=now.year - 1)
        return LogLine(moment.timestamp(), level, subsystem, words)


def verdicts(lines):
    """The flips of quorum in a log: [(time, quorate)]."""
    return [(line.time, 'non-primary' not in line.text) for line in lines
            if line.subsystem == 'QUORUM' and line.text.startswith('This node is within the ')]


@dataclasses.dataclass
class Announcement:
    """A new membership, as corosync's subscribers were told of it."""

    time: float = 0.0
    joined: tuple = ()
    left: tuple = ()


def announcements(lines):
    """The memberships that were announced, in order.

    Corosync logs "Sync" lines when a sync begins. One that is aborted is begun again, and only
    the last is announced.
    """
    announced = []
    for line in lines:
        if line.text.startswith('Sync members'):
            begun = Announcement()
        elif match := re.match(r'Sync (joined|left)\[\d+\]: (.*)', line.text):
            setattr(begun, match[1], tuple(map(int, match[2].split())))
        elif line.text.startswith('sending nodelist notification to (nil)'):
            begun.time = line.time
            announced.append(begun)
    return announced


def seconds_not_quorate(flips):
    """The time between each loss and the recovery after it."""
    return sum(end - start for (start, lost), (end, found) in zip(flips, flips[1:])
               if not lost and found)
