# SPDX-License-Identifier: Apache-2.0
"""Debian's chromium inside a node of a lab, where it sees what an operator would see."""

import json
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def chromium():
    return shutil.which('chromium')


def reason_to_skip():
    for tool in ('chromium', 'node'):
        if not shutil.which(tool):
            return f'{tool} is not installed'
    if not (HERE / 'node_modules' / 'playwright-core').exists():
        return f'playwright-core is missing: npm ci --prefix {HERE}'
    return None


class Browser:
    """One page at a time. What the page does wrong is kept until the next open()."""

    def __init__(self, lab, node):
        self._process = subprocess.Popen(
            lab.command(node, 'node', HERE / 'browser.js', chromium()),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def open(self, url, **how):
        self._ask('open', url=url, **how)

    def evaluate(self, expression):
        return self._ask('evaluate', expression=expression)

    def title(self):
        return self._ask('title')

    def text(self, selector='body'):
        """As a reader sees it: in capitals where the style says so."""
        return self._ask('text', selector=selector)

    def count(self, selector):
        return self._ask('count', selector=selector)

    def faults(self):
        """Errors in the console, refusals by the page's policy among them, and dialogs."""
        return self._ask('faults')

    def screenshot(self, path):
        self._ask('screenshot', path=str(path))

    def _ask(self, request, **options):
        self._process.stdin.write(json.dumps({'request': request, **options}) + '\n')
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'the browser ended at {request}')
        answer = json.loads(line)
        if 'error' in answer:
            raise RuntimeError(f'{request}: {answer["error"]}')
        return answer['result']
