// Every example of the README runs as it stands there.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const here = dirname(fileURLToPath(import.meta.url));
// Inside the package, where vitest compiles what it imports; git does not see it.
const folder = join(here, '..', '.test', 'readme');
const scratch = mkdtempSync(join(tmpdir(), 'readme-'));

const readme = readFileSync(join(here, '..', 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map((match) => match[1]!);
/** An example without imports goes on where the first one ended. */
const examples = blocks.map((block) => (block.includes('import ') ? block : `${blocks[0]}\n${block}`));

beforeAll(() => mkdirSync(folder, { recursive: true }));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(scratch, { recursive: true, force: true });
});

test('the README has its examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(5);
});

test.each(examples.map((code, i) => [i + 1, code] as const))('example %i of the README runs', async (i, code) => {
  const path = join(folder, `example-${i}.mjs`);
  const entry = JSON.stringify(join(here, 'index.ts'));
  const saved = JSON.stringify(join(scratch, 'consensus.json'));
  writeFileSync(path, code.replaceAll("'@x/thermo-consensus'", entry).replaceAll("'consensus.json'", saved));
  const shown: unknown[][] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...values) => void shown.push(values));
  try {
    await import(/* @vite-ignore */ pathToFileURL(path).href);
  } finally {
    log.mockRestore();
  }
  // Whatever an example promises in a comment behind console.log it also shows.
  for (const [, promised] of code.matchAll(/^console\.log\([^\n]*\); \/\/ (Int32Array .*)$/gm)) {
    const texts = shown.map((values) =>
      values.map((v) => (v instanceof Int32Array ? `Int32Array [${[...v].join(', ')}]` : String(v))).join(' '),
    );
    expect(texts).toContain(promised);
  }
});
