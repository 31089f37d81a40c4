// Tokenizers whose characters carry a prefix or a suffix (CLIP and the first GPT), made at random, beside npm `tokenizers`:
// ids, decoded text and offsets of random strings must be equal. Offsets are not compared where bytes stand for unknown characters, whose
// affixes tokenizers 0.23 counts as text, nor where unknown characters are dropped, after which it places tokens too early.
//   X_RIVALS_DIR=rivals node bench/affixes.mjs [--models 300] [--strings 200] [--seed 1]
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Tokenizer } from '../dist/index.js';

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: '300' },
    strings: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
});
const { Tokenizer: HuggingFace } = createRequire(join(process.env.X_RIVALS_DIR ?? '.', 'package.json'))('tokenizers');

let state = Number(flags.seed) >>> 0;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const pick = (list) => list[random(list.length)];

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const split = {
  type: 'Split',
  pattern: { Regex: '\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+' },
  behavior: 'Removed',
  invert: true,
};

/** A vocabulary of letters with and without affixes, and merges of random neighbours that make more of them. */
function model() {
  const bytes = random(2) === 0;
  const prefix = pick(['', '##', 'é', '']);
  const suffix = prefix === '' ? pick(['</w>', 'ẅ', '$']) : pick(['', '', '</w>']);
  const letters = bytes ? ['a', 'b', 'c', 'Ã', '©', 'Ġ'] : ['a', 'b', 'c', 'é', '好', '😀'];
  const vocab = new Map();
  const add = (token) => {
    if (!vocab.has(token)) vocab.set(token, vocab.size);
  };
  add('<unk>');
  for (const letter of letters)
    for (const token of [letter, prefix + letter, letter + suffix, prefix + letter + suffix])
      if (random(8) > 0) add(token);
  const fallback = random(3) === 0;
  if (fallback)
    for (let b = 0; b < 256; b++) if (b < 250 || random(2)) add(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const merges = [];
  const all = () => [...vocab.keys()].slice(1).filter((token) => !token.startsWith('<0x'));
  for (let i = 0; i < 40; i++) {
    const left = pick(all());
    const right = pick(all().filter((token) => token.startsWith(prefix)));
    if (right === undefined || (suffix && left.endsWith(suffix)) || left.length + right.length > 24) continue;
    const joined = left + right.slice(prefix.length);
    if (random(10) === 0 && !vocab.has(joined)) continue;
    add(joined);
    merges.push([left, right]);
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      { id: 0, content: '<unk>', special: true, lstrip: false, rstrip: false, normalized: false, single_word: false },
    ],
    normalizer: pick([null, { type: 'Lowercase' }, { type: 'NFC' }]),
    pre_tokenizer: bytes
      ? pick([BYTE_LEVEL, { type: 'Sequence', pretokenizers: [split, { ...BYTE_LEVEL, use_regex: false }] }])
      : pick([{ type: 'Whitespace' }, { type: 'BertPreTokenizer' }, split]),
    post_processor: null,
    decoder: { type: 'BPEDecoder', suffix: suffix || '</w>' },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: pick(['<unk>', '<unk>', null]),
      continuing_subword_prefix: prefix || null,
      end_of_word_suffix: suffix || null,
      fuse_unk: random(2) === 0,
      byte_fallback: fallback,
      ignore_merges: random(4) === 0,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  };
}

const CHARACTERS = ['a', 'b', 'c', 'a', 'b', 'ab', 'é', 'É', '好', '😀', ' ', '  ', '.', '1', 'x', 'A', 'ẅ', '#', '\n'];
let compared = 0;
let shown = 0;
const differences = { ids: 0, offsets: 0, text: 0 };
for (let m = 0; m < Number(flags.models); m++) {
  const file = model();
  const json = JSON.stringify(file);
  const comparedKeys = file.model.byte_fallback || !file.model.unk_token ? ['ids'] : ['ids', 'offsets'];
  const theirs = HuggingFace.fromString(json);
  const ours = Tokenizer.fromBytes(Buffer.from(json));
  for (let s = 0; s < Number(flags.strings); s++) {
    const text = Array.from({ length: random(24) }, () => pick(CHARACTERS)).join('');
    const expected = await theirs.encode(text, null, { addSpecialTokens: false });
    const got = ours.encodeWithOffsets(text, 'codepoint', { addSpecialTokens: false });
    const want = { ids: expected.getIds().join(), offsets: expected.getOffsets().flat().join() };
    const wrong = comparedKeys.filter((key) => got[key].join() !== want[key]);
    if (ours.encode(text, { addSpecialTokens: false }).join() !== got.ids.join()) wrong.push('ids');
    if (ours.decode(got.ids) !== (await theirs.decode([...got.ids], false))) wrong.push('text');
    compared++;
    for (const key of new Set(wrong)) differences[key]++;
    if (wrong.length > 0 && shown++ < 8)
      console.log(
        `${wrong.join()} of ${JSON.stringify(text)}: ${got.ids.join()} ${got.offsets.join()} ${JSON.stringify(ours.decode(got.ids))}, not ${want.ids} ${want.offsets} ${JSON.stringify(await theirs.decode([...got.ids], false))}\n  ${json.slice(json.indexOf('"normalizer"'), json.indexOf('"vocab"'))} merges ${json.slice(json.indexOf('"merges"')).slice(0, 200)}`,
      );
  }
  ours.dispose();
}
console.log(
  `${compared} strings of ${flags.models} tokenizers; different ids ${differences.ids}, offsets ${differences.offsets}, text ${differences.text}`,
);
if (Object.values(differences).some((n) => n > 0)) process.exitCode = 1;
