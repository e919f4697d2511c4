# SPDX-License-Identifier: Apache-2.0
"""A storm of faults: which comes next is chance, but for one seed always the same."""

import dataclasses
import random
import time


@dataclasses.dataclass
class Step:
    begin: float
    text: str
    is_fault: bool  # else it undoes one
    end: float | None = None  # None while it is done, and for one that failed
    refused: bool = False  # by corosync: nothing was done


# Of each kind of step: how often it comes, among those that can.
_FAULTS = {
    'kill': 3, 'stop': 2, 'freeze': 4, 'cut off': 3, 'part': 2, 'lengthen': 2,
    'deafen': 2, 'lose': 2, 'set votes': 1, 'expect': 1, 'reload': 1, 'fill shm': 1, 'starve': 1,
    'kill exporter': 1, 'stop exporter': 1,
}
_RELIEFS = {
    'start': 6, 'thaw': 5, 'heal': 5, 'join': 4, 'shorten': 4, 'hear': 3, 'lose none': 3,
    'free shm': 4, 'feed': 4,
}

# Between two steps, in seconds: from no time at all to longer than corosync takes to notice.
_PAUSES = (0, 0, 0.05, 0.3, 1, 2, 4, 8)

_DELAYS = (0.005, 0.05, 0.2)
_LOSSES = (0, 0.02, 0.1, 0.3)
_PERCENTS = (3, 10, 10, 20)


class Storm:
    """Chooses steps and has them done: by `faults`, those to an exporter by `crew`."""

    def __init__(self, seed, faults, crew):
        self._random = random.Random(seed)
        self._faults = faults
        self._crew = crew
        self.steps = []

    def burst(self):
        """Some steps, close together or not."""
        for _ in range(self._random.randint(2, 7)):
            self._step()
            time.sleep(self._random.choice(_PAUSES))

    def wants_calm(self):
        return self._random.random() < 0.4

    def calm(self):
        """Undoes everything."""
        self._do('all is undone', False, self._crew.feed_all)
        self._do('all is whole', False, self._faults.undo)

    def _step(self):
        # All chances are taken here, none from how the cluster is: so a seed says it all.
        possible = {kind: targets for kind, targets in self._possible().items() if targets}
        weights = _FAULTS | _RELIEFS
        kinds = list(possible)
        (kind,) = self._random.choices(kinds, [weights[kind] for kind in kinds])
        target = self._random.choice(possible[kind])
        arguments = self._arguments(kind)
        words = ' '.join(map(str, (kind, 'of', target, *arguments)))
        self._do(words, kind in _FAULTS, self._deeds()[kind], *target, *arguments)

    def _possible(self):
        """The targets of each kind of step as the faults are now."""
        now, nodes = self._faults, self._faults.lab.nodes
        running = [(node,) for node in nodes if node not in now.off]
        awake = [(node,) for node in nodes if node not in now.off | now.frozen]
        wired = [(node,) for node in nodes if node not in now.cut and node not in now.wires]
        pairs = [(one, other) for one in nodes for other in nodes if one != other]
        return {
            'kill': running,
            'stop': awake,
            'freeze': awake,
            'cut off': wired,
            'part': [pair for pair in pairs if pair not in now.parted],
            'lengthen': wired,
            'deafen': [pair for pair in pairs if pair[0] < pair[1] and pair not in now.deaf],
            # One at a time: all others make traffic meanwhile.
            'lose': [] if now.losing else [(node,) for node in nodes],
            'set votes': awake,
            'expect': awake,
            'reload': awake,
            'fill shm': [(node,) for node in nodes if node not in now.full],
            'starve': [(node,) for node in nodes if node not in now.starved],
            'kill exporter': [(node,) for node in nodes],
            'stop exporter': [(node,) for node in nodes],
            'start': [(node,) for node in sorted(now.off)],
            'thaw': [(node,) for node in sorted(now.frozen)],
            'heal': [(node,) for node in sorted(now.cut)],
            'join': sorted(now.parted),
            'shorten': [(node,) for node in sorted(now.wires)],
            'hear': sorted(now.deaf),
            'lose none': [(node,) for node in sorted(now.losing)],
            'free shm': [(node,) for node in sorted(now.full)],
            'feed': [(node,) for node in sorted(now.starved)],
        }

    def _arguments(self, kind):
        chance = self._random
        match kind:
            case 'lengthen':
                return chance.choice(_DELAYS), chance.choice(_LOSSES)
            case 'lose':
                return (chance.choice(_PERCENTS),)
            case 'set votes':
                return (chance.randint(0, 3),)
            case 'expect':
                return (chance.randint(1, 2 * len(self._faults.lab.nodes)),)
            case 'starve':
                return (chance.randint(0, 4),)
        return ()

    def _deeds(self):
        faults, crew = self._faults, self._crew
        return {
            'kill': faults.kill, 'stop': faults.stop, 'start': faults.start,
            'freeze': faults.freeze, 'thaw': faults.thaw,
            'cut off': faults.cut_off, 'heal': faults.heal,
            'part': faults.part, 'join': faults.join,
            'lengthen': faults.lengthen, 'shorten': faults.shorten,
            'deafen': faults.deafen, 'hear': faults.hear,
            'lose': faults.lose, 'lose none': faults.lose_none,
            'set votes': faults.set_votes, 'expect': faults.expect, 'reload': faults.reload,
            'fill shm': faults.fill_shm, 'free shm': faults.free_shm,
            'starve': crew.starve, 'feed': crew.feed,
            'kill exporter': crew.kill, 'stop exporter': crew.stop,
        }

    def _do(self, words, is_fault, deed, *arguments):
        step = Step(time.time(), words, is_fault)
        self.steps.append(step)
        step.refused = deed(*arguments) is False
        step.end = time.time()
