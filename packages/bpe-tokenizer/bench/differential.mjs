// Random Unicode strings through our tokenizers and the ones we claim to equal, until the count is reached or they differ:
//   X_RIVALS_DIR=... node bench/differential.mjs [--strings 200000] [--seed 1] [--only cl100k_base,llama3.2]
// (rivals.mjs says how to install the rivals: npm `tiktoken` for rank files, npm `tokenizers` for tokenizer.json files.)
// Prints one line a tokenizer, and for a difference the string, both results and exit code 1.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.js';
import { ranksOf, referencePath, tokenizerJson } from './reference.mjs';

const { values: flags } = parseArgs({
  options: {
    strings: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const require = createRequire(join(process.env.X_RIVALS_DIR ?? '.', 'package.json'));

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
// Tokens that are special in some tokenizer, whole, cut short, and with blanks that they may swallow.
const SPECIAL = [
  '<|endoftext|>',
  '<|endofprompt|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|begin_of_text|>',
  '<|eot_id|>',
  '<s>',
  '</s>',
  '<unk>',
  '<bos>',
  '<eos>',
  '<pad>',
  '<mask>',
  '[MASK]',
  '[CLS]',
  '[SEP]',
  '[INST]',
  '[/INST]',
  '<tool_call>',
  '<｜begin▁of▁sentence｜>',
  '<start_of_turn>',
  '<|fim_prefix|>',
  '<|reserved_special_token_0|>',
  '  ',
  '    ',
  '\n\n\n',
  '<0x0A>',
  '<0xE4>',
];
/** First and last code points of blocks whose letters, digits, marks and punctuation the expressions tell apart. */
const BLOCKS = [
  [0x20, 0x7e],
  [0xa0, 0x24f],
  [0x300, 0x36f],
  [0x370, 0x3ff],
  [0x400, 0x52f],
  [0x590, 0x6ff],
  [0x900, 0xdff],
  [0xe00, 0xeff],
  [0x10a0, 0x10ff],
  [0x1100, 0x11ff],
  [0x1680, 0x16ff],
  [0x1d00, 0x1dbf],
  [0x1e00, 0x1fff],
  [0x2000, 0x206f],
  [0x2070, 0x218f],
  [0x2460, 0x24ff],
  [0x2c00, 0x2dff],
  [0x3000, 0x30ff],
  [0x3400, 0x9fff],
  [0xa640, 0xa7ff],
  [0xac00, 0xd7ff],
  [0xe000, 0xe0ff],
  [0xf900, 0xffff],
  [0x10400, 0x104ff],
  [0x1d400, 0x1d7ff],
  [0x1f000, 0x1faff],
  [0x20000, 0x2a6ff],
  [0xe0000, 0xe01ff],
  [0, 0x1f],
  [0x7f, 0xa0],
];
function randomText(random) {
  let text = '';
  const parts = 1 + random(12);
  const home = BLOCKS[random(BLOCKS.length)]; // texts keep to a script mostly
  for (let i = 0; i < parts; i++) {
    switch (random(10)) {
      case 0:
      case 1:
        text += WORDS[random(WORDS.length)];
        break;
      case 2:
        for (let n = random(8); n >= 0; n--) text += String.fromCharCode(32 + random(95));
        break;
      case 3:
      case 4: {
        const [first, last] = random(3) ? home : BLOCKS[random(BLOCKS.length)];
        for (let n = random(8); n >= 0; n--) text += String.fromCodePoint(first + random(last - first + 1));
        break;
      }
      case 5:
        text += String.fromCodePoint(random(0x110000)); // surrogates among them
        break;
      case 6: {
        const token = SPECIAL[random(SPECIAL.length)];
        text += random(4) ? token : token.slice(0, 1 + random(token.length));
        break;
      }
      case 7:
        if (random(8) === 0) text += WORDS[random(WORDS.length)].repeat(1 + random(60));
        else text += String.fromCharCode(0xd800 + random(0x800));
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
      const ours = Tokenizer.fromRanks(ranksOf(name));
      const theirs = require('tiktoken').get_encoding(name);
      const options = { allowedSpecial: [], disallowedSpecial: [] };
      const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
      return [
        (s) => ours.encode(s, options),
        (s) => theirs.encode(s, [], []),
        (ids) => ours.decode(ids),
        (ids) => utf8.decode(theirs.decode(Uint32Array.from(ids))),
      ];
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
      const bytes = tokenizerJson(name);
      const ours = Tokenizer.fromBytes(bytes);
      const theirs = require('tokenizers').Tokenizer.fromString(bytes.toString());
      return [
        (s) => ours.encode(s),
        async (s) => (await theirs.encode(s, null, { addSpecialTokens: true })).getIds(),
        (ids) => ours.decode(ids),
        (ids) => theirs.decode(Array.from(ids), false),
      ];
    },
  ]),
].filter(([name]) => !flags.only || flags.only.split(',').some((wanted) => name.startsWith(wanted)));

if (!existsSync(referencePath())) throw new Error(`reference data is not there: ${referencePath()}`);
const same = (a, b) => a.length === b.length && Array.prototype.every.call(a, (x, i) => x === b[i]);
let differences = 0;
for (const [name, make] of PAIRS) {
  const [ours, theirs, decode, theirDecode] = make();
  const random = generator(Number(flags.seed));
  const total = Number(flags.strings);
  let bad = 0;
  const started = performance.now();
  for (let done = 0; done < total; ) {
    const texts = Array.from({ length: Math.min(2000, total - done) }, () => randomText(random));
    const expected = await Promise.all(texts.map((text) => theirs(text)));
    for (const [i, text] of texts.entries()) {
      const got = ours(text);
      // Of every sixteenth text the ids are turned back as well.
      const texts16 = i % 16 === 0 && same(got, expected[i]) ? [decode(got), await theirDecode(expected[i])] : ['', ''];
      if (same(got, expected[i]) && texts16[0] === texts16[1]) continue;
      if (bad++ < 3)
        console.log(
          `${name}: ${JSON.stringify(text)}\n  ours   ${Array.from(got).join(' ')}\n  theirs ${Array.from(expected[i]).join(' ')}\n  (${JSON.stringify(decode(got))}${texts16[0] === texts16[1] ? '' : `, theirs ${JSON.stringify(texts16[1])}`})`,
        );
    }
    done += texts.length;
  }
  differences += bad;
  console.log(`${name}: ${total} strings, ${bad} differences, ${((performance.now() - started) / 1000).toFixed(0)} s`);
}
process.exitCode = differences ? 1 : 0;
