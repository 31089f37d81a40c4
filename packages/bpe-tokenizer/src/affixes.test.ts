// Ids, offsets and texts that npm `tokenizers` 0.23.2 gives for two small files. bench/affixes.mjs compares many more, made at random.
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Tokenizer } from './index';

const ids = (tokens: string) => Object.fromEntries(tokens.split(' ').map((token, id) => [token, id]));
const merges = (pairs: string) => pairs.split(', ').map((pair) => pair.split(' '));
const added_tokens = [{ id: 0, content: '<unk>', special: true, normalized: false }];
const SUFFIX = {
  added_tokens,
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  decoder: { type: 'BPEDecoder', suffix: '</w>' },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    continuing_subword_prefix: '',
    end_of_word_suffix: '</w>',
    vocab: ids('<unk> l o w e r Ġ l</w> o</w> w</w> e</w> r</w> lo low</w> low er</w> Ġl Ãł Ã ©</w>'),
    merges: merges('l o, lo w</w>, lo w, e r</w>, Ġ l'),
  },
};
const PREFIX = {
  added_tokens,
  pre_tokenizer: { type: 'Whitespace' },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    continuing_subword_prefix: '##',
    end_of_word_suffix: null,
    vocab: ids('<unk> h ##e ##l ##o he hel ##lo hello ##é é'),
    merges: merges('h ##e, he ##l, ##l ##o, hel ##lo'),
  },
};
const open = (file: object) => Tokenizer.fromBytes(Buffer.from(JSON.stringify(file)));
const CASES: [object, string, number[], number[], string][] = [
  [SUFFIX, 'low lower', [13, 6, 14, 15], [0, 3, 3, 4, 4, 7, 7, 9], 'low Ġlower'],
  [
    SUFFIX,
    'Low LOW er é',
    [13, 6, 13, 6, 15, 6, 18, 19],
    [0, 3, 3, 4, 4, 7, 7, 8, 8, 10, 10, 11, 11, 12, 11, 12],
    'low Ġlow Ġer ĠÃ©',
  ],
  [SUFFIX, 'x low', [0, 6, 13], [0, 1, 1, 2, 2, 5], '<unk>Ġlow'],
  [SUFFIX, '', [], [], ''],
  [PREFIX, 'hello hé', [8, 1, 9], [0, 5, 6, 7, 7, 8], 'hello hé'],
  [PREFIX, 'hexxo ello', [5, 0, 4, 0, 3, 7], [0, 2, 2, 4, 4, 5, 6, 7, 7, 8, 8, 10], 'he <unk>o <unk>llo'],
  [PREFIX, 'xyz hello', [0, 8], [0, 3, 4, 9], '<unk> hello'],
  [PREFIX, 'é', [10], [0, 1], 'é'],
];

test('characters are looked up with their prefix and suffix, as Hugging Face does', () => {
  for (const [file, text, wanted, offsets, decoded] of CASES) {
    using tokenizer = open(file);
    const got = tokenizer.encodeWithOffsets(text, 'codepoint');
    expect([text, [...got.ids], [...got.offsets]]).toEqual([text, wanted, offsets]);
    expect(Array.from(tokenizer.encode(text))).toEqual(wanted);
    expect(tokenizer.count(text)).toBe(wanted.length);
    expect(tokenizer.decode(wanted)).toBe(decoded);
  }
});

test('a saved tokenizer keeps its affixes, and finds tokens by name', async () => {
  const path = join(tmpdir(), `affixes-${process.pid}.bpe`);
  try {
    for (const [file, text, wanted, , decoded] of CASES) {
      using original = open(file);
      await original.save(path);
      using tokenizer = Tokenizer.fromFileSync(path);
      expect(Array.from(tokenizer.encode(text))).toEqual(wanted);
      expect(tokenizer.decode(wanted)).toBe(decoded);
      expect(tokenizer.vocabulary).toEqual(original.vocabulary);
      for (const [token, id] of original.vocabulary) expect(tokenizer.idOf(token)).toBe(id);
      expect(tokenizer.idOf('nothing')).toBeUndefined();
    }
  } finally {
    rmSync(path, { force: true });
  }
});

test('a merge that is shorter than the prefix is an error that says where', () => {
  const model = { ...PREFIX.model, merges: [['h', 'h']] };
  expect(() => open({ ...PREFIX, model })).toThrow(
    expect.objectContaining({ code: 'X_INVALID_FORMAT', field: 'model.merges[0]' }),
  );
});
