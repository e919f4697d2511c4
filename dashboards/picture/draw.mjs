// SPDX-License-Identifier: Apache-2.0
// Bundles page.tsx, lets Debian's chromium draw a dashboard with it, and saves the picture.
// Usage: node draw.mjs '{"dashboard": FILE, "picture": FILE, "prometheus": URL, "from": SECONDS, "to": SECONDS,
//                        "scrapeInterval": SECONDS, "variables": {…}, "rows": N, "width": PIXELS}'
import { build } from 'esbuild';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const { picture, width, ...request } = JSON.parse(process.argv[2]);
request.dashboard = JSON.parse(await readFile(request.dashboard, 'utf8'));

// Their other form, .mjs, takes old libraries' default exports for what Node.js would make of them.
const commonJs = (name) => new URL(`node_modules/@grafana/${name}/dist/cjs/index.cjs`, import.meta.url).pathname;

const { outputFiles } = await build({
  entryPoints: [new URL('page.tsx', import.meta.url).pathname],
  bundle: true,
  write: false,
  outdir: '/',
  jsx: 'automatic',
  alias: { '@grafana/data': commonJs('data'), '@grafana/ui': commonJs('ui') },
  loader: { '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl', '.svg': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"', 'global': 'window' },
  logLevel: 'error',
});
const bundled = Object.fromEntries(outputFiles.map(({ path, contents }) => [path, contents]));
const PAGE = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/page.css"><body><script src="/page.js"></script>';

// Grafana's components load their icons from where Grafana's files lie; here there are none.
const server = createServer(({ url }, answer) => {
  const content = url === '/' ? PAGE : bundled[url];
  const kind = { '.css': 'text/css', '.js': 'text/javascript' }[/\.\w+$/.exec(url)?.[0]] ?? 'text/html; charset=utf-8';
  answer.writeHead(content ? 200 : 404, { 'Content-Type': kind }).end(content ?? '');
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox'], // root's browser, on a page of our own
});
try {
  const page = await browser.newPage({ viewport: { width, height: 900 } });
  const faults = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('404')) faults.push(message.text());
  });
  await page.clock.setFixedTime(request.to * 1000); // for what says how long ago
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate((what) => window.draw(what), request);
  await page.waitForFunction(() => document.getAnimations().length === 0);
  await page.screenshot({ path: picture, fullPage: true });
  if (faults.length) {
    console.error(faults.join('\n'));
    process.exitCode = 1;
  }
} finally {
  await browser.close();
  server.close();
}
