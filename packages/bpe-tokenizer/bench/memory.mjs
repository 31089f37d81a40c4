// Memory while distinct text is encoded: the cache of pieces must stay within its limit, and the process with it.
//   node bench/memory.mjs [--megabytes 1000] [--tokenizer o200k_base] [--cache 64]
// The text is random letters in random words, so that nearly every piece is new. Prints a line every sixteenth, and exits with 1
// when the cache outgrew its limit or the process grew by more than the limit and 64 MB between the first line and the last.
import os from 'node:os';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.js';
import { ranksOf, tokenizerJson } from './reference.mjs';

const { values: flags } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '1000' },
    tokenizer: { type: 'string', default: 'o200k_base' },
    cache: { type: 'string' },
  },
});
const ranks = ranksOf(flags.tokenizer);
const tokenizer = ranks ? Tokenizer.fromRanks(ranks) : Tokenizer.fromBytes(tokenizerJson(flags.tokenizer));
if (flags.cache) tokenizer.setCacheLimit(Number(flags.cache) * 1e6);

let state = 1;
const block = Buffer.alloc(1_000_000);
/** Words of 2 to 17 letters; a block of them is never met again. */
function nextBlock() {
  for (let at = 0; at < block.length; ) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const end = Math.min(block.length, at + 2 + (state & 15));
    for (let bits = state >>> 4; at < end; at++) {
      block[at] = 97 + (bits % 26);
      bits = bits > 26 ? (bits / 26) | 0 : (state ^ (at * 0x9e3779b1)) >>> 3;
    }
    if (at < block.length) block[at++] = 32;
  }
  return block.latin1Slice();
}

const total = Number(flags.megabytes);
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
console.log(`${os.cpus()[0].model}, Node ${process.versions.node}, ${flags.tokenizer}\n`);
console.log('| encoded, MB | RSS, MB | cache, MB of limit | entries | of the look-ups new |');
console.log('|---:|---:|---:|---:|---:|');
let ids = 0;
let first = 0;
let ok = true;
let rss = 0;
const start = process.cpuUsage();
for (let i = 1; i <= total; i++) {
  ids += tokenizer.encode(nextBlock()).length;
  if (i % Math.ceil(total / 16) > 0 && i < total) continue;
  rss = process.memoryUsage.rss();
  first ||= rss;
  const cache = tokenizer.cacheStats();
  ok &&= cache.bytes <= cache.limit;
  const share = ((100 * cache.misses) / cache.lookups).toFixed(0);
  console.log(
    `| ${i} | ${megabytes(rss)} | ${megabytes(cache.bytes)} of ${megabytes(cache.limit)} | ${cache.entries} | ${share} % |`,
  );
}
const { user, system } = process.cpuUsage(start);
ok &&= rss - first <= tokenizer.cacheStats().limit + 64e6;
console.log(
  `\n${ids} ids, ${((user + system) / 1e6).toFixed(0)} s of CPU with making the text; ${ok ? 'within' : 'BEYOND'} the bound`,
);
process.exitCode = ok ? 0 : 1;
