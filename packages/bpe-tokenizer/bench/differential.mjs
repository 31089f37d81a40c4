// Random Unicode strings through our tokenizers and the ones we claim to equal, until the count is reached or they differ:
//   X_RIVALS_DIR=... node bench/differential.mjs [--strings 200000] [--seed 1] [--only cl100k_base,llama3.2]
// (rivals.mjs says how to install the rivals: npm `tiktoken` for rank files, npm `tokenizers` for tokenizer.json files.)
// Prints one line a tokenizer, and for a difference the string, both results and exit code 1.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Tokenizer } from '../dist/index.js';

const { values: flags } = parseArgs({
  options: {
    strings: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const require = createRequire(join(process.env.X_RIVALS_DIR ?? '.', 'package.json'));
const assets = join(process.env.X_REFERENCE_DIR ?? '../../../shared', 'reference', 'bpe', 'assets');
const asset = (name) => gunzipSync(readFileSync(join(assets, name)));
const meta = JSON.parse(readFileSync(join(assets, 'tiktoken', 'meta.json'), 'utf8'));

/** xorshift32: the same strings for the same seed everywhere. */
function generator(seed) {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

// Kinds of code points, mixed so that every rule of every pattern meets every other.
const WORDS = [
  "'s",
  "'LL",
  "'ſ",
  "don't",
  'the',
  'The',
  'HELLO',
  ' a',
  '  ',
  '\n',
  '\r\n',
  '\n\n ',
  '\t',
  '123',
  '4567890',
  '٣',
  '½',
  'Ⅷ',
  '你好',
  'こんにちは',
  'カタカナ',
  '한국어',
  'हिन्दी',
  'עברית',
  'é',
  'é',
  'ﬁ',
  'ǅ',
  'ʰ',
  '\u200d',
  '\u200b',
  '\u00a0',
  '\u3000',
  '\u2028',
  '\u0085',
  '\ufeff',
  '👍🏽',
  '👩‍👩‍👧',
  '🇩🇪',
  '...',
  '!!!',
  '/',
  '//\n',
  '#include <',
  '_',
  '▁',
  '▁▁a',
  'Ġ',
  '<s>',
  '</s>',
  '<|',
  '|>',
  '<unk>',
  '\u0000',
  '\u001b',
  '\u007f',
  '\u0301',
  '\u0345',
  'ß',
  'İ',
  'K',
  'Σς',
];
function randomText(random) {
  let text = '';
  const parts = 1 + random(12);
  for (let i = 0; i < parts; i++) {
    switch (random(6)) {
      case 0:
      case 1:
        text += WORDS[random(WORDS.length)];
        break;
      case 2:
        for (let n = random(8); n >= 0; n--) text += String.fromCharCode(32 + random(95));
        break;
      case 3:
        for (let n = random(4); n >= 0; n--) text += String.fromCodePoint(random(0xd800));
        break;
      case 4:
        text += String.fromCodePoint(0x10000 + random(0x20000));
        break;
      default:
        for (let n = random(6); n >= 0; n--) text += String.fromCharCode(0x61 + random(26));
    }
    if (random(4) === 0) text += ' '.repeat(1 + random(3));
  }
  return text;
}

const PAIRS = [
  ...['gpt2', 'p50k_base', 'cl100k_base', 'o200k_base'].map((name) => [
    name,
    () => {
      const { pat_str: pattern, special_tokens: specialTokens } = meta[name];
      const file = name === 'gpt2' ? 'r50k_base' : name;
      const ours = Tokenizer.fromRanks({ ranks: asset(`tiktoken/${file}.tiktoken.gz`), pattern, specialTokens });
      const theirs = require('tiktoken').get_encoding(name);
      const options = { allowedSpecial: [], disallowedSpecial: [] };
      return [(s) => ours.encode(s, options), (s) => theirs.encode(s, [], []), (ids) => ours.decode(ids)];
    },
  ]),
  ...[
    'gpt2',
    'gpt_neox',
    'llama2',
    'mistral01',
    'mistral03',
    'mistral_nemo',
    'llama3.2',
    'qwen2.5',
    'gemma3',
    'deepseek_v3',
    'modernbert',
    'mpt',
  ].map((name) => [
    `${name} (tokenizer.json)`,
    () => {
      const bytes = asset(`tokenizer_json/${name}.json.gz`);
      const ours = Tokenizer.fromBytes(bytes);
      const theirs = require('tokenizers').Tokenizer.fromString(bytes.toString());
      return [
        (s) => ours.encode(s),
        async (s) => (await theirs.encode(s, null, { addSpecialTokens: true })).getIds(),
        (ids) => ours.decode(ids),
      ];
    },
  ]),
].filter(([name]) => !flags.only || flags.only.split(',').some((wanted) => name.startsWith(wanted)));

if (!existsSync(assets)) throw new Error(`reference data is not there: ${assets}`);
const same = (a, b) => a.length === b.length && Array.prototype.every.call(a, (x, i) => x === b[i]);
let differences = 0;
for (const [name, make] of PAIRS) {
  const [ours, theirs, decode] = make();
  const random = generator(Number(flags.seed));
  const total = Number(flags.strings);
  let bad = 0;
  const started = performance.now();
  for (let done = 0; done < total; ) {
    const texts = Array.from({ length: Math.min(2000, total - done) }, () => randomText(random));
    const expected = await Promise.all(texts.map((text) => theirs(text)));
    for (const [i, text] of texts.entries()) {
      const got = ours(text);
      if (same(got, expected[i])) continue;
      if (bad++ < 3)
        console.log(
          `${name}: ${JSON.stringify(text)}\n  ours   ${Array.from(got).join(' ')}\n  theirs ${Array.from(expected[i]).join(' ')}\n  (${JSON.stringify(decode(got))})`,
        );
    }
    done += texts.length;
  }
  differences += bad;
  console.log(`${name}: ${total} strings, ${bad} differences, ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
process.exitCode = differences ? 1 : 0;
