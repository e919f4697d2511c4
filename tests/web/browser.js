// SPDX-License-Identifier: Apache-2.0
// A browser at the end of a pipe: one request a line on stdin, one answer a line on stdout, both
// JSON, in order. browser.py is its other end.
'use strict';

const readline = require('node:readline');
const {chromium} = require('playwright-core');

let browser;
let context;
let page;
let faults;

const requests = {
  // Another page in a fresh context, at `url`.
  async open({url, script = true, width = 1280, height = 900, dark = false}) {
    await context?.close();
    context = await browser.newContext({
      javaScriptEnabled: script,
      viewport: {width, height},
      colorScheme: dark ? 'dark' : 'light',
    });
    page = await context.newPage();
    faults = [];
    // What the browser itself says of a refused style or script comes here too.
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
    page.on('dialog', (dialog) => {
      faults.push(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    await page.goto(url);
  },

  evaluate: ({expression}) => page.evaluate(expression),
  title: () => page.title(),
  text: ({selector}) => page.locator(selector).first().innerText({timeout: 2000}),
  count: ({selector}) => page.locator(selector).count(),
  faults: () => faults,
  screenshot: async ({path}) => {
    await page.screenshot({path, fullPage: true, caret: 'initial'});
  },
};

async function main() {
  browser = await chromium.launch({
    executablePath: process.argv[2],
    args: ['--no-sandbox'],  // root's browser, on a page of our own
  });
  for await (const line of readline.createInterface({input: process.stdin})) {
    const {request, ...options} = JSON.parse(line);
    let answer;
    try {
      answer = {result: (await requests[request](options)) ?? null};
    } catch (error) {
      answer = {error: String(error)};
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await browser.close();
}

main();
