# SPDX-License-Identifier: Apache-2.0
"""Prometheus's text format, read without mercy: what other readers forgive is an error here."""

import re

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"')
_SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
_NUMBER = re.compile(r'[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN')
_ESCAPES = {'\\\\': '\\', '\\"': '"', '\\n': '\n'}


class Malformed(AssertionError):
    """The page breaks a rule of the format, or one of the contract that holds for every page."""


class Page:
    """One page of /metrics: families in order of appearance, and each series' value."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.values = {}
        helped = set()
        family = None
        if not text.endswith('\n'):
            raise Malformed('the last line does not end')
        for number, line in enumerate(text[:-1].split('\n'), 1):
            try:
                if line.startswith('# HELP '):
                    _, _, family, words = line.split(' ', 3)
                    _require(words.strip(), 'empty HELP')
                    _require(family not in helped, 'a second HELP, or a family in two places')
                    helped.add(family)
                elif line.startswith('# TYPE '):
                    _, _, name, kind = line.split(' ')
                    _require(name == family, 'TYPE without its HELP right before')
                    _require(name not in self.types, 'a second TYPE')
                    _require((kind == 'counter') == name.endswith('_total'),
                             'counters end in _total, and nothing else does')
                    _require(kind in ('counter', 'gauge'), 'neither a counter nor a gauge')
                    self.types[name] = kind
                else:
                    self._read_sample(line, family)
            except ValueError as error:
                raise Malformed(f'line {number}: {error}: {line!r}') from None
        for name in self.types:
            if name not in self.families():
                raise Malformed(f'{name} is announced, but has no series')

    def _read_sample(self, line, family):
        match = _SAMPLE.fullmatch(line)
        _require(match, 'not a sample')
        name, labels, number = match.groups()
        _require(name == family, 'a sample outside of its family')
        _require(name in self.types, 'a sample without a TYPE')
        _require(_NUMBER.fullmatch(number), 'not a number')
        key = name, _read_labels(labels)
        _require(key not in self.values, 'the same series again')
        value = float(number)
        _require(self.types[name] == 'gauge' or value >= 0, 'a negative counter')
        self.values[key] = value

    def families(self):
        return {name for name, _ in self.values}

    def series(self, name):
        """The series of a family: {labels as a dictionary's sorted items: value}."""
        return {labels: value for (family, labels), value in self.values.items() if family == name}

    def find(self, name, **labels):
        """The value of the one series with at least these labels, or None where there is none."""
        found = [value for have, value in self.series(name).items()
                 if labels.items() <= dict(have).items()]
        if len(found) > 1:
            raise AssertionError(f'{name}{labels} is {len(found)} series')
        return found[0] if found else None

    def value(self, name, **labels):
        value = self.find(name, **labels)
        if value is None:
            raise AssertionError(f'{name}{labels or ""} is not on the page')
        return value

    def total(self, name, **labels):
        """The sum over a family's series with at least these labels; 0 where there is none."""
        return sum(value for have, value in self.series(name).items()
                   if labels.items() <= dict(have).items())

    def labels(self, name):
        """The labels of a family that has exactly one series."""
        (labels,) = self.series(name)
        return dict(labels)


def labels(**pairs):
    """The key of a series within its family, as Page.series has it."""
    return tuple(sorted((name, str(value)) for name, value in pairs.items()))


def _read_labels(text):
    if not text:
        return ()
    pairs = []
    position = 0
    while True:
        match = _LABEL.match(text, position)
        _require(match, 'malformed labels')
        name, value = match.groups()
        pairs.append((name, re.sub(r'\\.', lambda escape: _ESCAPES[escape[0]], value)))
        position = match.end()
        if position == len(text):
            break
        _require(text[position] == ',', 'malformed labels')
        position += 1
    _require(len(dict(pairs)) == len(pairs), 'the same label twice')
    return tuple(sorted(pairs))


def _require(condition, complaint):
    if not condition:
        raise ValueError(complaint)
