// Small valid inputs for the fuzz targets of the tokenizer domain, from which mutation finds its way further than from nothing:
//   node fuzz/seeds.mjs OUT      # OUT/<target>/<seed>
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const out = process.argv[2] ?? 'seeds';
const put = (target, name, bytes) => {
  mkdirSync(join(out, target), { recursive: true });
  writeFileSync(join(out, target, name), bytes);
};

// ---- tokenizer.json ----
const vocab = Object.fromEntries(
  ['a', 'b', 'c', 'Ġ', 'x', 'ab', 'abab', '<unk>', '▁', 'h', 'e', 'he', '<0x0A>', 'Ċ'].map((token, id) => [token, id]),
);
const model = { type: 'BPE', vocab, merges: ['a b', 'ab ab', ['h', 'e']] };
const added_tokens = [
  { id: 20, content: '<s>', special: true, lstrip: true, rstrip: true, normalized: false, single_word: false },
  { id: 21, content: '  ', special: false, lstrip: false, rstrip: false, normalized: true, single_word: true },
];
const byteLevel = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true };
const split = (Regex, behavior) => ({ type: 'Split', pattern: { Regex }, behavior, invert: false });
const special_tokens = { '<s>': { id: '<s>', ids: [20], tokens: ['<s>'] } };
const JSONS = {
  'byte-level': {
    model,
    added_tokens,
    pre_tokenizer: byteLevel,
    decoder: byteLevel,
    post_processor: byteLevel,
    normalizer: { type: 'NFC' },
  },
  split: {
    model: { ...model, ignore_merges: true },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [split('\\p{N}{1,3}|[\\p{L}--[a-c]]+(?!b)', 'Isolated'), { ...byteLevel, use_regex: false }],
    },
    decoder: byteLevel,
  },
  characters: {
    model: { ...model, byte_fallback: true, fuse_unk: true, unk_token: '<unk>' },
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
      special_tokens,
    },
    added_tokens,
    truncation: { direction: 'Right', max_length: 5, strategy: 'LongestFirst', stride: 1 },
    padding: {
      strategy: { Fixed: 4 },
      direction: 'Left',
      pad_to_multiple_of: 8,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: 'a',
    },
  },
  many: {
    model,
    normalizer: {
      type: 'Sequence',
      normalizers: ['NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'BertNormalizer'].map((type) => ({
        type,
      })),
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first', split: true },
        { type: 'Digits', individual_digits: true },
        { type: 'Punctuation', behavior: 'Contiguous' },
        { type: 'WhitespaceSplit' },
        { type: 'CharDelimiterSplit', delimiter: 'x' },
        { type: 'BertPreTokenizer' },
      ],
    },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    post_processor: {
      type: 'RobertaProcessing',
      cls: ['<s>', 20],
      sep: ['<s>', 20],
      trim_offsets: true,
      add_prefix_space: true,
    },
    added_tokens,
  },
};
for (const [name, value] of Object.entries(JSONS)) put('tokenizer_json_fuzz', name, JSON.stringify(value));

// ---- rank files: flags, pattern, special token, ranks ----
const rank = (token, id) => `${Buffer.from(token).toString('base64')} ${id}`;
put('tokenizer_ranks_fuzz', 'lines', `\x80\\p{L}+|[^\\p{L}]+\n<s>\n${rank('ab', 256)}\n${rank('abab', 257)}\n`);
put(
  'tokenizer_ranks_fuzz',
  'packed',
  `\x80'(?i:s|t)| ?\\p{L}+|\\s+(?!\\S)|.\n<|end|>\n! 256 ${['ab', 'abab', 'he'].map((t) => Buffer.from(t).toString('base64')).join(' ')}`,
);
const singles = Array.from({ length: 256 }, (_, b) => `${Buffer.of(b).toString('base64')} ${b}`).join('\n');
put('tokenizer_ranks_fuzz', 'whole', `\x00 ?\\p{L}+|\\p{N}{1,3}|[^\\p{L}\\p{N}]+\n<s>\n${singles}\n${rank('ab', 300)}`);

// ---- SentencePiece: protocol buffers ----
const varint = (n) => {
  const bytes = [];
  for (let v = BigInt.asUintN(64, BigInt(n)); ; v >>= 7n) {
    if (v < 128n) return Buffer.from([...bytes, Number(v)]);
    bytes.push(Number(v & 127n) | 128);
  }
};
const field = (number, value) => {
  if (typeof value === 'number') return Buffer.concat([varint((number << 3) | 0), varint(value)]);
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
};
const real = (number, value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return Buffer.concat([varint((number << 3) | 5), bytes]);
};
const piece = (text, score, type) => field(1, Buffer.concat([field(1, text), real(2, score), field(3, type)]));
const bytePieces = Array.from({ length: 256 }, (_, b) =>
  piece(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`, 0, 6),
);
const PIECES = [
  piece('<unk>', 0, 2),
  piece('<s>', 0, 3),
  piece('</s>', 0, 3),
  ...['▁', 'h', 'e', 'l', 'o'].map((t, i) => piece(t, -i, 1)),
  piece('he', -1, 1),
  piece('ll', -2, 1),
  piece('▁hell', -4, 1),
  piece('hell', -3, 1),
  piece('<mask>', 0, 4),
  piece('never', -9, 5),
];
const trainer = (byteFallback) =>
  field(
    2,
    Buffer.concat([field(3, 2), field(24, 0), field(35, byteFallback), field(40, 0), field(41, 1), field(42, 2)]),
  );
const normalizer = field(3, Buffer.concat([field(1, 'identity'), field(3, 1), field(4, 0), field(5, 1)]));
put('tokenizer_sentencepiece_fuzz', 'small', Buffer.concat([...PIECES, trainer(0), normalizer]));
put('tokenizer_sentencepiece_fuzz', 'fallback', Buffer.concat([...PIECES, ...bytePieces, trainer(1), normalizer]));

// ---- GGUF: metadata alone ----
const u32 = (n) => Buffer.from(Uint32Array.of(n).buffer);
const u64 = (n) => Buffer.from(BigUint64Array.of(BigInt(n)).buffer);
const string = (s) => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
const VALUES = {
  text: (v) => [u32(8), string(v)],
  texts: (v) => [u32(9), u32(8), u64(v.length), ...v.map(string)],
  numbers: (v) => [u32(9), u32(5), u64(v.length), Buffer.from(Int32Array.from(v).buffer)],
  reals: (v) => [u32(9), u32(6), u64(v.length), Buffer.from(Float32Array.from(v).buffer)],
  number: (v) => [u32(4), u32(v)],
  flag: (v) => [u32(7), Buffer.of(v)],
};
const gguf = (entries) =>
  Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(0),
    u64(entries.length),
    ...entries.flatMap(([key, kind, value]) => [string(`tokenizer.${key}`), ...VALUES[kind](value)]),
  ]);
put(
  'tokenizer_gguf_fuzz',
  'gpt2',
  gguf([
    ['ggml.model', 'text', 'gpt2'],
    ['ggml.pre', 'text', 'llama-bpe'],
    ['ggml.tokens', 'texts', ['a', 'b', 'ab', 'abab', 'Ġ', '<s>', '<tool>']],
    ['ggml.token_type', 'numbers', [1, 1, 1, 1, 1, 3, 4]],
    ['ggml.merges', 'texts', ['a b', 'ab ab']],
    ['ggml.bos_token_id', 'number', 5],
    ['ggml.eos_token_id', 'number', 5],
    ['ggml.add_bos_token', 'flag', 1],
    ['chat_template', 'text', '{{ bos_token }}{{ messages[0].content }}'],
  ]),
);
put(
  'tokenizer_gguf_fuzz',
  'deepseek',
  gguf([
    ['ggml.model', 'text', 'gpt2'],
    ['ggml.pre', 'text', 'deepseek-llm'],
    ['ggml.tokens', 'texts', ['a', 'b', 'ab', 'Ġ']],
    ['ggml.merges', 'texts', ['a b']],
  ]),
);
put(
  'tokenizer_gguf_fuzz',
  'llama',
  gguf([
    ['ggml.model', 'text', 'llama'],
    ['ggml.tokens', 'texts', ['<unk>', '<s>', '<0x0A>', '▁', 'h', 'e', 'l', 'he', 'll', 'hell']],
    ['ggml.scores', 'reals', [0, 0, 0, -1, -2, -3, -4, -5, -6, -7]],
    ['ggml.token_type', 'numbers', [2, 3, 6, 1, 1, 1, 1, 1, 1, 1]],
    ['ggml.unknown_token_id', 'number', 0],
    ['ggml.add_space_prefix', 'flag', 1],
  ]),
);

// ---- expressions: dialect, pattern, text ----
const PATTERNS = [
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  '(?<=a|bb)c(?<name>x+?)\\k<name>*+',
  '[\\p{Han}&&[^一]]+|(?>a|ab)c',
  '(a+)+$',
  '(?x) a b # c',
  '\\b\\w{2,}?\\B.',
  '(?m)^.*$|\\A\\z',
  '[[:alpha:]_-]{,3}\\h',
];
for (const [i, pattern] of PATTERNS.entries()) {
  put('regex_fuzz', `oniguruma-${i}`, `0${pattern}\nIt's 12345 aab bbcxxx 你好 abc\n\n  `);
  put('regex_fuzz', `fancy-${i}`, `1${pattern}\naaaaaaaaaaaaaaaaaaaaaaaaaab`);
}

// ---- texts ----
const TEXTS = [
  "It's 123 a\u0301 ab\n\n <s>😀  ",
  'hello world <|endoftext|> x',
  '你好世界 こんにちは 한국어 हिन्दी',
  'a'.repeat(300),
  '  \t\r\n'.repeat(20),
  'The quick\nbrown fox\nJumps "over" 3.14159\n',
  '👩‍👩‍👧🇩🇪👍🏽',
  '\ud800\udfff\u0000\u007f\u0085\u2028',
  "DON'T don't I'll HTTPServer2000",
];
for (const [i, text] of TEXTS.entries()) {
  put('encode_fuzz', `text-${i}`, text);
  for (let which = 0; which < 7; which++)
    put('regex_fuzz', `text-${i}-${which}`, Buffer.concat([Buffer.of(133 + which), Buffer.from(text)]));
  for (const choice of [0, 3, 6, 128, 131])
    put('tokenizer_roundtrip_fuzz', `text-${i}-${choice}`, Buffer.concat([Buffer.of(choice), Buffer.from(text)]));
}

// ---- changes of an image ----
for (const sample of [0, 1, 2, 3]) {
  for (let place = 40; place < 2000; place += 211)
    put('tokenizer_image_fuzz', `${sample}-${place}`, Buffer.of(sample, 0, place >> 8, place & 255, 1, 255, 0));
}
