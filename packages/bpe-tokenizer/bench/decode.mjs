// Decoding beside the tokenizers that npm has, as text that is new and as the same text again:
//   X_RIVALS_DIR=... node bench/decode.mjs [--encodings cl100k,o200k] [--sections english,cjk]    (rivals: see rivals.mjs)
// "new": a section's ids in lists of 1,000, cut elsewhere in every pass, so that no list comes twice. "again": 32 lists, over and
// over; who remembers whole lists only compares them then. "short": 20 ids, another 20 each time. Million ids a second of CPU time,
// the best of three; every string is read once, since V8 joins parts of strings only then.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Tokenizer } from '../dist/index.js';
import { corpus, ranksOf } from './reference.mjs';

const { values: flags } = parseArgs({
  options: {
    encodings: { type: 'string', default: 'cl100k,o200k' },
    sections: { type: 'string', default: 'english,code,cjk,multilingual,web' },
  },
});
const rivals = process.env.X_RIVALS_DIR;
const require = createRequire(join(rivals ?? '.', 'package.json'));
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const RANKS = { cl100k: 'cl100k_base', o200k: 'o200k_base' };
const utf8 = new TextDecoder();

const CONTENDERS = {
  'x (ours)': (_encoding, ours) => (ids) => ours.decode(ids),
  hypertok: async (encoding) => {
    const folder = join(rivals, 'node_modules', '@hypertok', `vocab-${encoding}`);
    if (!existsSync(folder)) return undefined;
    const { fromBytes } = await load('hypertok');
    const { vocabulary } = await import(pathToFileURL(require.resolve(`@hypertok/vocab-${encoding}`)).href);
    const t = await fromBytes(readFileSync(vocabulary), { tier: 'single' });
    return (ids) => t.decode(ids);
  },
  'gpt-tokenizer': async (encoding) => {
    const m = await load(`gpt-tokenizer/encoding/${RANKS[encoding]}`);
    return (ids) => m.decode(ids);
  },
  tiktoken: (encoding) => {
    const t = require('tiktoken').get_encoding(RANKS[encoding]);
    return (ids) => utf8.decode(t.decode(ids));
  },
};

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
let seen = 0;
/** Million ids a second over the lists. */
function rate(decode, lists) {
  collect(); // of loading and of whoever came before
  const start = cpuSeconds();
  let count = 0;
  for (const ids of lists) {
    const text = decode(ids);
    seen ^= text.charCodeAt(text.length >> 1);
    count += ids.length;
    if ((count & 0xffff) < ids.length && cpuSeconds() - start > 0.25) break;
  }
  return count / 1e6 / (cpuSeconds() - start);
}
/** Lists of `size` ids from `first` on; views, so that no buffers wait for the garbage collector while time is taken. */
function cut(ids, first, size) {
  const lists = [];
  for (let at = first; at + size <= ids.length; at += size) lists.push(ids.subarray(at, at + size));
  return lists;
}

const { bytes, sections } = corpus();
console.log(`${os.cpus()[0].model}, Node ${process.versions.node}; million ids a second of CPU time\n`);
console.log('| tokenizer | encoding | section | new | again | short |');
console.log('|---|---|---|---:|---:|---:|');
for (const encoding of flags.encodings.split(',')) {
  const ours = Tokenizer.fromRanks(ranksOf(RANKS[encoding]));
  for (const [name, make] of Object.entries(CONTENDERS)) {
    if (name !== 'x (ours)' && !rivals) continue;
    const decode = await make(encoding, ours);
    if (!decode) continue;
    for (const section of flags.sections.split(',')) {
      const [begin, end] = sections.find(([n]) => n === section)[1];
      const ids = ours.encode(bytes.toString('utf8', begin, end), { allowedSpecial: [], disallowedSpecial: [] });
      const best = { fresh: 0, again: 0, short: 0 };
      const few = cut(ids, 0, 1000).slice(0, 32);
      const repeated = Array.from({ length: 20 }, () => few).flat();
      for (let pass = 0; pass < 3; pass++) {
        best.fresh = Math.max(best.fresh, rate(decode, cut(ids, 1 + pass * 97, 1000)));
        best.again = Math.max(best.again, rate(decode, repeated));
        best.short = Math.max(best.short, rate(decode, cut(ids, 1 + pass * 7, 20).slice(0, 10_000)));
      }
      // A list may end in half a character, which gpt-tokenizer keeps for the next call: what it gives first does not count.
      const line = few[0].slice(0, few[0].findLastIndex((id) => ours.decode([id]).endsWith('\n')) + 1);
      decode(line);
      if (decode(line) !== ours.decode(line)) throw new Error(`${name} decodes to another text`);
      const show = (x) => (x >= 100 ? x.toFixed(0) : x.toFixed(1));
      console.log(
        `| ${name} | ${encoding} | ${section} | ${show(best.fresh)} | ${show(best.again)} | ${show(best.short)} |`,
      );
    }
  }
}
if (seen === -1) console.log();
