// SPDX-License-Identifier: Apache-2.0
// Writes the dashboards into a directory. Usage: generate DIRECTORY
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { render } from './render';

const [directory] = process.argv.slice(2);
if (!directory) {
  throw new Error('usage: generate DIRECTORY');
}
for (const [file, text] of render()) {
  writeFileSync(join(directory, file), text);
}
