#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The status page in a real browser, beside real clusters."""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'cluster'))

import browser  # noqa: E402
import case  # noqa: E402
from waiting import every, wait_until  # noqa: E402

SCREENSHOTS = HERE.parents[1] / 'build' / 'screenshots'

# The page asks every 2 s, and shows what is new with the answer after that: here with this machine
# busy elsewhere.
FOLLOW_SECONDS = 8
# For as long it is to be seen that it does not ask.
QUIET_SECONDS = 6

HOSTILE = '<img src=x onerror=alert(1)>'


class PageCase(case.ClusterCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        cls.browser = browser.Browser(cls.lab, 1)
        cls.addClassCleanup(cls.browser.close)

    def open(self, exporter, **how):
        self.browser.open(f'http://127.0.0.1:{exporter.port}/', **how)

    def verdict(self):
        return self.browser.text('h1').upper()

    def wait_for_page(self, condition, what, seconds=FOLLOW_SECONDS):
        return wait_until(condition, seconds, f'the page: {what}')

    def wait_for_verdict(self, exporter, verdict, seconds=case.NOTICE_SECONDS):
        """Until the exporter's JSON says so; then the page has to follow by itself."""
        wait_until(lambda: self.status(exporter)['verdict'] == verdict, seconds,
                   f'the exporter says {verdict}')
        words = verdict.upper().replace('_', ' ')
        self.wait_for_page(lambda: self.verdict() == words, f'follows with {words}')

    def status(self, exporter):
        return json.loads(exporter.get('/api/v1/status').body)

    def shot(self, name):
        self.browser.screenshot(SCREENSHOTS / f'{name}.png')

    def assert_no_fault(self):
        self.assertEqual(self.browser.faults(), [])


class StatusPageTest(PageCase):
    LINKS = 2

    def test_it_follows_a_loss_of_quorum_and_its_end(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter)
        self.assertEqual(self.verdict(), 'QUORATE')
        self.assertEqual(self.browser.title(), '✓ Quorate · node1 · lab · Corosync')
        self.assertIn('3 of 3 votes, 2 needed', self.browser.text('.votes'))
        self.assertEqual(self.browser.count('tbody tr'), 3)
        self.assertEqual(self.browser.count('.link.good'), 4)
        self.shot('quorate')

        self.lab.cut(1)
        self.wait_for_verdict(exporter, 'not_quorate')
        self.assertEqual(self.browser.title(), '✕ Not quorate · node1 · lab · Corosync')
        self.assertIn('1 more brings quorum back', self.browser.text('.votes'))
        self.assertEqual(self.browser.count('tr.missing'), 2)
        self.assertIn('node2 and node3 are missing', self.browser.text('.verdict'))
        self.assertRegex(self.browser.text('.timeline'), r'Quorum lost.*\n?.*for \d+ s so far')
        self.shot('not-quorate')

        self.lab.heal(1)
        self.wait_for_verdict(exporter, 'quorate')
        told = self.browser.text('.timeline')
        lasted = re.search(r'Quorum lost for ([\d.]+) s', told)
        self.assertTrue(lasted, told)
        self.assertAlmostEqual(float(lasted[1]), self.status(exporter)['quorum_lost_seconds'],
                               delta=0.01)
        self.assertIn('Quorum regained after', told)
        self.shot('quorate-again')
        self.assert_no_fault()

    def test_it_says_that_corosync_is_not_heard(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter, dark=True)
        self.lab.kill(1)
        self.wait_for_verdict(exporter, 'unknown')
        self.assertIn('Not connected to corosync', self.browser.text('.verdict'))
        self.assertNotIn('member', self.browser.text('.nodes tbody'))
        self.shot('corosync-killed-dark')
        self.assert_no_fault()

    def test_it_says_that_the_exporter_is_not_heard(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter)
        self.assertFalse(self.browser.evaluate('document.body.classList.contains("old")'))
        exporter.stop()
        self.wait_for_page(lambda: 'No answer from the exporter for' in self.browser.text(),
                           'says that it is old', seconds=8)
        self.assertTrue(self.browser.title().startswith('(old) '))
        self.assertLess(float(self.browser.evaluate(
            'getComputedStyle(document.querySelector("main")).opacity')), 1)
        self.shot('exporter-stopped')

    def test_what_the_reader_selected_stays(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter)
        self.browser.evaluate('''(() => {
            window.marked = document.querySelector('tbody .name');
            getSelection().selectAllChildren(window.marked);
        })()''')
        before = self.browser.evaluate('document.querySelector("main").dataset.shows')
        wait_until(lambda: self.browser.evaluate('document.querySelector("main").dataset.shows')
                   != before, 12, 'the page takes over a newer state')
        self.assertEqual(self.browser.evaluate('getSelection().toString()'), 'node1')
        self.assertTrue(self.browser.evaluate('window.marked.isConnected'))
        self.assert_no_fault()

    def asked(self):
        """How often the script asked for the status, and for the page."""
        return self.browser.evaluate('''(() => {
            const asked = performance.getEntriesByType("resource").map(({name}) => name);
            return [asked.filter((name) => name.endsWith("/api/v1/status")).length,
                    asked.filter((name) => name.endsWith("/")).length];
        })()''')

    def test_it_asks_for_the_page_only_where_there_is_news(self):
        exporter = self.start_connected_exporter(
            1, '--no-collector.links', '--no-collector.totem', '--corosync.poll-interval=1s')
        self.open(exporter)
        self.wait_for_page(lambda: self.asked()[1] > 0, 'is compared once')
        before, generation = self.asked(), self.status(exporter)['generation']
        wait_until(lambda: self.asked()[0] >= before[0] + 4, 15, 'it goes on asking')
        self.assertGreater(self.status(exporter)['generation'], generation)
        self.assertLessEqual(self.asked()[1], before[1] + 1, 'but where both answers differed')
        self.lab.kill(3)
        self.wait_for_page(lambda: 'node3 left' in self.browser.text('.timeline'), 'tells the news',
                           case.NOTICE_SECONDS + FOLLOW_SECONDS)
        self.assertGreater(self.asked()[1], before[1])
        self.assert_no_fault()

    def set_hidden(self, hidden):
        self.browser.evaluate(f'''(() => {{
            const value = {json.dumps(hidden)};
            Object.defineProperty(document, "hidden", {{value, configurable: true}});
            document.dispatchEvent(new Event("visibilitychange"));
        }})()''')

    def test_it_asks_nothing_while_nobody_looks(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter)
        self.wait_for_page(lambda: self.asked()[0] > 0, 'asks')
        self.set_hidden(True)
        asked = self.asked()[0]
        self.lab.cut(1)
        wait_until(lambda: self.status(exporter)['verdict'] == 'not_quorate', case.NOTICE_SECONDS,
                   'the exporter says not_quorate')
        for _ in every(0.5, QUIET_SECONDS):
            self.assertEqual(self.verdict(), 'QUORATE')
            self.assertLessEqual(self.asked()[0], asked + 1, 'but for one that was under way')
        self.set_hidden(False)
        self.wait_for_page(lambda: self.verdict() == 'NOT QUORATE', 'is renewed for who comes back')
        self.assert_no_fault()

    def test_it_can_be_read_without_javascript(self):
        exporter = self.start_connected_exporter(1)
        self.open(exporter, script=False)
        self.assertEqual(self.verdict(), 'QUORATE')
        self.assertIn('UTC', self.browser.text('.timeline'))
        self.assertEqual(self.browser.count('meta[http-equiv=refresh]'), 1)
        self.shot('without-javascript')
        self.assert_no_fault()

    def test_it_fits_a_phone(self):
        exporter = self.start_connected_exporter(1)
        for dark in (False, True):
            self.open(exporter, width=390, height=844, dark=dark)
            self.assertLessEqual(
                self.browser.evaluate('document.documentElement.scrollWidth'), 390)
            self.shot('phone-dark' if dark else 'phone')
        self.assert_no_fault()


class HostileNameTest(PageCase):
    NODES = 2
    CONF = {'names': {2: HOSTILE}}

    def test_a_name_is_text_wherever_it_is_shown(self):
        exporter = self.start_exporter(1)
        wait_until(lambda: any(node['name'] == HOSTILE for node in self.status(exporter)['nodes']),
                   case.NOTICE_SECONDS, 'the name is known')
        self.open(exporter)
        self.assertIn(HOSTILE, self.browser.text('.nodes'))

        self.lab.kill(2)  # it comes into the verdict and the timeline, by the script's hand
        self.wait_for_page(lambda: HOSTILE in self.browser.text('.timeline'), 'tells who left',
                           seconds=case.NOTICE_SECONDS + FOLLOW_SECONDS)
        self.assertIn(HOSTILE, self.browser.text('.verdict'))
        self.assertEqual(self.browser.count('img'), 0)
        self.shot('hostile-name')
        self.assert_no_fault()


if __name__ == '__main__':
    if reason := browser.reason_to_skip():
        print(f'skipped: {reason}')
        sys.exit(case.SKIPPED)
    case.main()
