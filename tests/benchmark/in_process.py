# SPDX-License-Identifier: Apache-2.0
"""What the program takes from corosync's word to the page, on a fake of corosync's libraries that
answers at once: all of its threads and its HTTP server, in one process with what measures it."""

import json
import subprocess

import bench

_PROGRAMS = bench.BUILD / 'tests' / 'benchmark'


def said(*words):
    """What the program says: {name: value}, times in microseconds."""
    done = subprocess.run([_PROGRAMS / 'in_process', *map(str, words)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}


def callback(quick):
    events = 200 if quick else 2000
    figures = said('callback', events)
    return '\n\n'.join([
        f'{events:,} times a node leaves or comes back; 4 callbacks each. From before the first '
        'callback until the new state is published, which is what a scrape that begins then shows; '
        'and until the end of the first scrape that shows it.',
        bench.table(['µs', 'p50', 'p99', 'longest'], [
            [title, *(figures[f'{name}.{part}'] for part in ('p50', 'p99', 'max'))]
            for name, title in (
                ('unasked.published', 'published, nobody scrapes'),
                ('asked.published', 'published, somebody scrapes each 0.2 ms'),
                ('asked.shown', 'shown, somebody scrapes each 0.2 ms'),
                ('pressed.published', 'published, somebody scrapes without a pause'),
                ('pressed.shown', 'shown, somebody scrapes without a pause'))])])


MOST_BEHIND = 100_000  # µs


def storm(quick):
    """Fails if something is lost."""
    callbacks = 10_000 if quick else 100_000
    figures = said('storm', callbacks)
    lost = figures['callbacks'] - figures['counted']
    if lost or figures['changes'] != figures['rings'] or figures['behind'] > MOST_BEHIND:
        raise SystemExit(
            f"storm: of {figures['callbacks']:,.0f} callbacks {lost:,.0f} lost, of "
            f"{figures['rings']:,.0f} changes of quorum {figures['changes']:,.0f} counted, "
            f"{_milliseconds(figures['behind'])} behind at most")
    return '\n\n'.join([
        f'{callbacks:,} callbacks as fast as a queue of 1,024 takes them, each fourth with another '
        f"verdict: {figures['callbacks'] / figures['seconds']:,.0f} a second.",
        bench.table(['', ''], [
            ['callbacks lost', f'{lost:.0f}'],
            ['changes of quorum counted, of so many',
             f"{figures['changes']:,.0f} of {figures['rings']:,.0f}"],
            ['behind what was sent, at most', _milliseconds(figures['behind'])],
            ['a timer of the loop late, at most', _milliseconds(figures['loop.longest'])]]),
        bench.table(['a scrape, µs', 'p50', 'p99', 'longest'], [
            [title, *(figures[f'scrape.{name}.{part}'] for part in ('p50', 'p99', 'max'))]
            for name, title in (('before', 'before'), ('during', 'meanwhile'))])])


def growth(quick):
    sizes = [(3, 1), (256, 2)] if quick else [
        (nodes, links) for links in (1, 2, 8) for nodes in (3, 16, 64, 256)]
    rows = []
    for nodes, links in sizes:
        bench.note(f'growth: {nodes} nodes, {links} links')
        figures = said('growth', nodes, links, 10 if quick else 200)
        rows.append([str(nodes), str(links), f"{figures['series']:,.0f}",
                     f"{figures['bytes'] / 1024:,.0f} KiB",
                     *(_milliseconds(figures[name]) for name in (
                         'event.p50', 'event.p99', 'render.p50', 'render.p99', 'scrape.first.p50',
                         'scrape.first.p99', 'scrape.next.p50'))])
    return '\n\n'.join([
        'Medians, and of 100 all but one. An event: a node leaves or comes back, until that is '
        'published. A page is rendered once a state; further scrapes take what there is.',
        bench.table(['nodes', 'links', 'lines with a value', 'page', 'event', 'p99', 'rendering',
                     'p99', 'first scrape after it', 'p99', 'next scrape'], rows)])


def micro(quick):
    done = subprocess.run(
        [_PROGRAMS / 'micro', '--benchmark_format=json',
         f'--benchmark_min_time={0.02 if quick else 0.5}'],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    taken = {}
    for run in json.loads(done.stdout)['benchmarks']:
        name, nodes = run['name'].split('/')
        taken.setdefault(name, {})[int(nodes)] = run['cpu_time'] / 1000
    sizes = sorted(next(iter(taken.values())))
    return '\n\n'.join([
        'CPU in µs of each step, by the number of nodes, each with two links (Google Benchmark).',
        bench.table(['', *map(str, sizes)], [
            [name.replace('_', ' '), *(by_size[size] for size in sizes)]
            for name, by_size in taken.items()])])


def _milliseconds(microseconds):
    return f'{bench.figure(microseconds / 1000)} ms'
