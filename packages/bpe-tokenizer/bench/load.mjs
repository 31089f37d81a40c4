// How long tokenizers take to load from their files and from the images that `save` writes:
//   node bench/load.mjs [--runs 9]
// Wall-clock milliseconds from the call to a usable tokenizer, the least and the median of the runs; files are in the page cache.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.js';
import { ranksOf, tokenizerJson } from './reference.mjs';

const { values: flags } = parseArgs({ options: { runs: { type: 'string', default: '9' } } });
const folder = mkdtempSync(join(os.tmpdir(), 'bpe-load-'));

function times(load) {
  const all = [];
  for (let i = 0; i < Number(flags.runs); i++) {
    const start = performance.now();
    const tokenizer = load();
    const ids = tokenizer.encode('hello world').length;
    all.push(performance.now() - start);
    tokenizer.dispose();
    if (ids === 0) throw new Error('nothing was encoded');
  }
  all.sort((a, b) => a - b);
  return [all[0], all[all.length >> 1]];
}

console.log(`${os.cpus()[0].model}, Node ${process.versions.node}; ms, least / median of ${flags.runs}\n`);
console.log('| tokenizer | file, MB | from the file | image, MB | from the image |');
console.log('|---|---:|---:|---:|---:|');
const show = ([least, median]) => `${least.toFixed(1)} / ${median.toFixed(1)}`;
const megabytes = (path) => (statSync(path).size / 1e6).toFixed(1);
for (const name of ['gpt2', 'cl100k_base', 'o200k_base', 'llama3.2', 'qwen2.5', 'llama2', 'gemma3', 'deepseek_v3']) {
  const ranks = ranksOf(name);
  const path = join(folder, name);
  writeFileSync(path, ranks ? ranks.ranks : tokenizerJson(name));
  const load = () =>
    ranks ? Tokenizer.fromRanks({ ...ranks, ranks: readFileSync(path) }) : Tokenizer.fromFileSync(path);
  const image = `${path}.bpe`;
  await load().save(image);
  const from = times(load);
  const mapped = times(() => Tokenizer.fromFileSync(image));
  console.log(
    `| ${name}${ranks ? ' (ranks)' : ''} | ${megabytes(path)} | ${show(from)} | ${megabytes(image)} | ${show(mapped)} |`,
  );
}
rmSync(folder, { recursive: true });
