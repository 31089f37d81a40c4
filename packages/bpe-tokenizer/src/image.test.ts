import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InvalidFormatError, IoError, NotFoundError, UnsupportedError } from '@x/cuda-core';
import { afterAll, describe, expect, it } from 'vitest';
import { Tokenizer } from './index';
import { GPT2_PATTERN, smallRanks } from './ranks.test-util';
import { reference } from './reference.test-util';

const folder = mkdtempSync(join(tmpdir(), 'bpe-image-'));
afterAll(() => rmSync(folder, { recursive: true }));
const SPECIAL = { '<|end|>': 300 };
const small = () => Tokenizer.fromRanks({ ranks: smallRanks(), pattern: GPT2_PATTERN, specialTokens: SPECIAL });

describe('a saved tokenizer', () => {
  it('is the same tokenizer, by every way of loading, and keeps the rules of rank files', async () => {
    using original = small();
    const path = join(folder, 'small.bpe');
    await original.save(path);
    for (const loaded of [
      await Tokenizer.fromFile(path),
      Tokenizer.fromFileSync(path),
      Tokenizer.fromBytes(readFileSync(path)),
    ]) {
      const text = "hello world, it's hell \ud800<|end|>";
      expect(() => loaded.encode(text)).toThrow(/<\|end\|>/);
      const ids = loaded.encode(text, { allowedSpecial: 'all' });
      expect(ids).toEqual(original.encode(text, { allowedSpecial: 'all' }));
      expect(loaded.decode(ids)).toBe(original.decode(ids));
      expect(loaded.specialTokens).toEqual(original.specialTokens);
      expect([...loaded.vocabulary]).toEqual([...original.vocabulary]);
      loaded.dispose();
    }
    expect(readdirSync(folder)).toEqual(['small.bpe']);
  });

  it('takes its chat template along, with the tokens that the template names', async () => {
    const source = join(folder, 'with-template');
    const config = {
      chat_template: '{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}',
      bos_token: '<s>',
    };
    writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
    await small().save(source); // beside tokenizer_config.json
    using beside = await Tokenizer.fromFile(source);
    const elsewhere = mkdtempSync(join(tmpdir(), 'bpe-image-'));
    try {
      await beside.save(join(elsewhere, 'alone.bpe'));
      using alone = await Tokenizer.fromFile(join(elsewhere, 'alone.bpe'));
      const messages = [{ role: 'user', content: 'hello' }];
      expect(alone.applyChatTemplate(messages, { tokenize: false })).toBe('<s>hello');
    } finally {
      rmSync(elsewhere, { recursive: true });
      rmSync(join(folder, 'tokenizer_config.json'));
    }
  });

  it('that is damaged, cut off or of another version is a typed error that says what to do', async () => {
    const path = join(folder, 'damaged.bpe');
    await small().save(path);
    const bytes = readFileSync(path);
    for (const size of [9, 47, 1000, bytes.length >> 1, bytes.length - 1])
      expect(() => Tokenizer.fromBytes(bytes.subarray(0, size))).toThrow(InvalidFormatError);
    for (let at = 60; at < bytes.length; at += Math.ceil(bytes.length / 40)) {
      const bad = Buffer.from(bytes);
      bad[at]! ^= 0x10;
      try {
        Tokenizer.fromBytes(bad).dispose(); // a gap that no section covers is covered by a block
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidFormatError);
        expect((error as InvalidFormatError).field).toBeTruthy();
        expect((error as InvalidFormatError).offset).toBeGreaterThanOrEqual(0);
      }
    }
    const other = Buffer.from(bytes);
    other.writeUInt32LE(77, 12);
    expect(() => Tokenizer.fromBytes(other)).toThrow(UnsupportedError);
    expect(() => Tokenizer.fromBytes(other)).toThrow(/save it again/);
  });

  it('cannot be written where there is no folder', async () => {
    using tokenizer = small();
    await expect(tokenizer.save(join(folder, 'no', 'such'))).rejects.toBeInstanceOf(NotFoundError);
    await expect(tokenizer.save(folder)).rejects.toBeInstanceOf(IoError);
  });
});

const file = reference('reference/bpe/vectors_public.jsonl.gz');
describe.skipIf(!file)('published tokenizers, saved and loaded', () => {
  const texts = [
    ...new Set(
      gunzipSync(readFileSync(file ?? ''))
        .toString()
        .split('\n')
        .filter((line, i) => line && i % 61 === 0)
        .map((line) => (JSON.parse(line) as { text: string }).text),
    ),
  ];
  const assets = (name: string) => reference(`reference/bpe/assets/${name}`)!;
  const jsons = readdirSync(assets('tokenizer_json')).filter(
    (name) => name.endsWith('.json.gz') && !name.includes('config'),
  );
  const sources: [string, () => Tokenizer][] = [
    ...jsons.map((name): [string, () => Tokenizer] => [
      name,
      () => Tokenizer.fromBytes(gunzipSync(readFileSync(join(assets('tokenizer_json'), name)))),
    ]),
    ...readdirSync(assets('sentencepiece')).map((name): [string, () => Tokenizer] => [
      name,
      () => Tokenizer.fromFileSync(join(assets('sentencepiece'), name)),
    ]),
    ...['phi-3', 'falcon', 'deepseek-llm'].map((name): [string, () => Tokenizer] => [
      name,
      () => Tokenizer.fromFileSync(join(assets('gguf'), `ggml-vocab-${name}.gguf`)),
    ]),
  ];
  for (const [name, load] of sources) {
    it(`${name}: ids, offsets and text are equal`, { timeout: 30_000 }, async () => {
      using original = load();
      const path = join(folder, name);
      await original.save(path);
      using loaded = await Tokenizer.fromFile(path);
      rmSync(path);
      const some = texts.filter((text) => text.length < 3000);
      expect(some.length).toBeGreaterThan(400);
      for (const [i, text] of some.entries()) {
        const ids = original.encode(text);
        expect(loaded.encode(text)).toEqual(ids);
        if (i % 4 > 0) continue;
        expect(loaded.decode(ids)).toBe(original.decode(ids));
        expect(loaded.encodeWithOffsets(text)).toEqual(original.encodeWithOffsets(text));
      }
      expect(loaded.specialTokens).toEqual(original.specialTokens);
      expect(loaded.vocabularySize).toBe(original.vocabularySize);
    });
  }
});
