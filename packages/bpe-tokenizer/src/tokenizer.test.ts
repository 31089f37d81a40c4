import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeviceUnavailableError,
  devices,
  InvalidArgumentError,
  InvalidFormatError,
  IoError,
  NotFoundError,
  UnsupportedError,
  type XError,
} from '@x/cuda-core';
import { afterAll, describe, expect, it } from 'vitest';
import { Tokenizer } from './index';

const folder = mkdtempSync(join(tmpdir(), 'bpe-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const utf8 = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

// Through UTF-8 and back: lone surrogates become U+FFFD.
const wellFormed = (text: string) => Buffer.from(text).toString();

// GPT-2's characters for bytes, so that any text can be written with 256 tokens.
const byteCharacters = (() => {
  const printable = (b: number) => (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, b) => String.fromCodePoint(printable(b) ? b : next++));
})();

function byteFile(extra: Record<string, unknown> = {}) {
  const vocab = Object.fromEntries(byteCharacters.map((c, i) => [c, i]));
  return {
    added_tokens: [
      { id: 258, content: '<s>', special: true, normalized: false },
      { id: 259, content: '<|im_end|>', special: true, normalized: false },
      { id: 260, content: '<tool>', special: false, normalized: false },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      special_tokens: { '<s>': { id: '<s>', ids: [258], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', vocab: { ...vocab, ab: 256, abc: 257 }, merges: ['a b', ['ab', 'c']] },
    ...extra,
  };
}

function errorOf(action: () => unknown): XError {
  try {
    action();
  } catch (error) {
    return error as XError;
  }
  throw new Error('nothing was thrown');
}

describe('Tokenizer', () => {
  const tokenizer = Tokenizer.fromBytes(utf8(byteFile()));

  it('encodes by merge rank and decodes back', () => {
    expect([...tokenizer.encode('abcab!', { addSpecialTokens: false })]).toEqual([257, 256, 33]);
    for (const text of ['', 'abc', ' ünï\u0000code 😀\n\n', '\ufeffbom', 'x'.repeat(100_000)]) {
      expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(text);
    }
  });

  it('puts template tokens around the text by default and parses special tokens unless told not to', () => {
    expect([...tokenizer.encode('a<|im_end|>')]).toEqual([258, 97, 259]);
    expect(tokenizer.encode('a<|im_end|>', { parseSpecial: false, addSpecialTokens: false })).toHaveLength(11);
    expect([...tokenizer.encode('<tool>', { parseSpecial: false, addSpecialTokens: false })]).toEqual([260]);
  });

  it('counts what encode would give', () => {
    for (const text of ['', 'abcab', 'ü😀', 'ab '.repeat(5000)]) {
      expect(tokenizer.count(text)).toBe(tokenizer.encode(text).length);
    }
  });

  it('skips special tokens on request', () => {
    expect(tokenizer.decode([258, 97, 260, 259])).toBe('<s>a<tool><|im_end|>');
    expect(tokenizer.decode([258, 97, 260, 259], { skipSpecialTokens: true })).toBe('a<tool>');
  });

  it('knows its vocabulary', () => {
    expect(tokenizer.vocabularySize).toBe(261);
    expect(tokenizer.specialTokens).toEqual([
      { content: '<s>', id: 258 },
      { content: '<|im_end|>', id: 259 },
    ]);
    expect(tokenizer.bosId).toBe(258);
    expect(tokenizer.eosId).toBe(259);
    expect([...tokenizer.endOfGeneration]).toEqual([259]);
    expect(tokenizer.idOf('abc')).toBe(257);
    expect(tokenizer.idOf('abcd')).toBeUndefined();
    expect(tokenizer.tokenOf(257)).toBe('abc');
    for (const id of [-1, 0.5, 261, Number.NaN, 2 ** 40]) expect(tokenizer.tokenOf(id)).toBeUndefined();
  });

  it('makes U+FFFD of lone surrogates', () => {
    for (const text of ['\ud800', 'a\udc00b', '\ud83d😀']) {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      expect(tokenizer.decode(ids)).toBe(wellFormed(text));
    }
  });

  it('gives the same ids in batches, in order, whatever the lengths', async () => {
    const texts = Array.from({ length: 500 }, (_, i) => 'abc ünï 😀 <|im_end|> '.repeat(i % 37).slice(0, i * 3));
    const batch = await tokenizer.encodeBatch(texts);
    expect(batch.map((ids) => [...ids])).toEqual(texts.map((text) => [...tokenizer.encode(text)]));
    expect(await tokenizer.encodeBatch([])).toEqual([]);
  });

  it('encodes batches on the device asked for, and refuses one that cannot do it', async () => {
    const texts = ['abc ünï <|im_end|>', '', "it's 12345 \n\n x"];
    const expected = texts.map((text) => [...tokenizer.encode(text)]);
    for (const device of ['auto', 'cpu'] as const)
      expect((await tokenizer.encodeBatch(texts, { device })).map((ids) => [...ids])).toEqual(expected);
    await expect(tokenizer.encodeBatch(texts, { device: 'gpu' as never })).rejects.toThrow(InvalidArgumentError);
    if (devices().length > 1) {
      expect((await tokenizer.encodeBatch(texts, { device: 'cuda' })).map((ids) => [...ids])).toEqual(expected);
    } else {
      await expect(tokenizer.encodeBatch(texts, { device: 'cuda' })).rejects.toThrow(DeviceUnavailableError);
    }
    const pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true };
    const other = Tokenizer.fromBytes(utf8(byteFile({ pre_tokenizer })));
    await expect(other.encodeBatch(texts, { device: 'cuda' })).rejects.toThrow(UnsupportedError);
    expect(await other.encodeBatch(texts)).toHaveLength(3);
  });

  it('rejects an aborted batch with the reason of its signal', async () => {
    const reason = new Error('enough');
    await expect(tokenizer.encodeBatch(['a'], { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('streams text without ever emitting half a character', () => {
    const text = 'é€😀, abc 中文';
    const stream = tokenizer.decodeStream();
    let out = '';
    for (const id of tokenizer.encode(text, { addSpecialTokens: false })) {
      const part = stream.push(id);
      expect(part).not.toContain('\ufffd');
      expect(part).toBe(wellFormed(part));
      out += part;
    }
    expect(out + stream.end()).toBe(text);
    stream.push(tokenizer.encode('é', { addSpecialTokens: false })[0]!);
    expect(stream.end()).toBe('\ufffd');
  });

  it('normalises to NFC where the file asks for it', () => {
    const nfc = Tokenizer.fromBytes(utf8(byteFile({ normalizer: { type: 'NFC' } })));
    for (const text of [
      'e\u0301',
      'q\u0307\u0323',
      '\u1112\u1161\u11ab',
      '\u2126',
      'plain',
      '\u0958',
      'a\u0300<s>\u0301',
    ]) {
      expect(nfc.decode(nfc.encode(text, { addSpecialTokens: false }))).toBe(text.normalize('NFC'));
    }
    // Composition does not reach across an added token.
    expect(nfc.decode(nfc.encode('<s>\u0338', { addSpecialTokens: false }))).toBe('<s>\u0338');
  });

  it('decodes bytes that are no UTF-8 as TextDecoder does: every prefix of them, and characters at the edges of every length', () => {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    const edges = [
      [0x7f, 0x80, 0xbf, 0xc0, 0x80, 0xc1, 0xbf, 0xc2, 0x80, 0xdf, 0xbf],
      [0xe0, 0x9f, 0xbf, 0xe0, 0xa0, 0x80, 0xed, 0x9f, 0xbf, 0xed, 0xa0, 0x80, 0xee, 0x80, 0x80, 0xef, 0xbb, 0xbf],
      [0xf0, 0x8f, 0xbf, 0xbf, 0xf0, 0x90, 0x80, 0x80, 0xf4, 0x8f, 0xbf, 0xbf, 0xf4, 0x90, 0x80, 0x80, 0xf5, 0xff],
      [...utf8(`${'a'.repeat(40)}é${'b'.repeat(70)}€${'c'.repeat(33)}😀\ufeff`)],
    ];
    for (const bytes of [...edges, edges.flat()]) {
      for (let end = 0; end <= bytes.length; end++) {
        for (const start of [0, Math.floor(end / 2)]) {
          const ids = bytes.slice(start, end);
          expect(tokenizer.decode(ids), ids.join()).toBe(decoder.decode(new Uint8Array(ids)));
        }
      }
    }
  });

  it('encodes a megabyte of one letter, and of one emoji, in far less than quadratic time', () => {
    const start = performance.now();
    expect(tokenizer.count('a'.repeat(1_000_000), { addSpecialTokens: false })).toBe(1_000_000);
    expect(tokenizer.count('ab'.repeat(500_000), { addSpecialTokens: false })).toBe(500_000);
    expect(tokenizer.count('😀'.repeat(250_000), { addSpecialTokens: false })).toBe(1_000_000);
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  it('survives disposal: later calls are typed errors', () => {
    const gone = Tokenizer.fromBytes(utf8(byteFile()));
    gone.dispose();
    gone.dispose();
    expect(errorOf(() => gone.encode('a'))).toBeInstanceOf(InvalidArgumentError);
    expect(errorOf(() => gone.tokenOf(1))).toBeInstanceOf(InvalidArgumentError);
  });

  it('checks its arguments', () => {
    const wrong = (f: (t: Record<string, (...a: unknown[]) => unknown>) => unknown) =>
      errorOf(() => f(tokenizer as unknown as Record<string, (...a: unknown[]) => unknown>));
    expect(wrong((t) => t.encode!(7)).field).toBe('text');
    expect(wrong((t) => t.encode!('a', { addSpecialTokens: 'yes' })).field).toBe('addSpecialTokens');
    expect(wrong((t) => t.decode!('a')).field).toBe('ids');
    expect(wrong((t) => t.decode!([1.5])).field).toBe('ids[0]');
    expect(wrong((t) => t.decode!([97, -1])).field).toBe('ids[1]');
    expect(wrong((t) => t.decode!(Uint32Array.of(97, 261))).field).toBe('ids[1]');
    expect(errorOf(() => tokenizer.decodeStream().push(2 ** 33))).toBeInstanceOf(InvalidArgumentError);
    expect(errorOf(() => Tokenizer.fromBytes('x' as unknown as Uint8Array)).field).toBe('bytes');
  });
});

describe('loading', () => {
  it('reads files, sync and async, by content and not by name', async () => {
    const path = join(folder, 'vocabulary.bin');
    writeFileSync(path, JSON.stringify(byteFile()));
    using a = await Tokenizer.fromFile(path);
    using b = Tokenizer.fromFileSync(path);
    expect([...a.encode('abc')]).toEqual([...b.encode('abc')]);
  });

  it('says that a file does not exist, or is no file', async () => {
    await expect(Tokenizer.fromFile(join(folder, 'absent.json'))).rejects.toBeInstanceOf(NotFoundError);
    expect(errorOf(() => Tokenizer.fromFileSync(folder))).toBeInstanceOf(IoError);
  });

  it('names offset and path of what is wrong in a damaged file', () => {
    const text = JSON.stringify(byteFile());
    const cut = errorOf(() => Tokenizer.fromBytes(utf8(text.slice(0, 1000))));
    expect(cut).toBeInstanceOf(InvalidFormatError);
    expect(cut.offset).toBeGreaterThan(900);
    const unknown = JSON.stringify(byteFile({ model: { vocab: { a: 0 }, merges: ['a q'] } }));
    const merges = errorOf(() => Tokenizer.fromBytes(utf8(unknown)));
    expect(merges).toBeInstanceOf(InvalidFormatError);
    expect(merges.field).toBe('model.merges[0]');
    expect(merges.offset).toBe(unknown.indexOf('"a q"'));
    expect(errorOf(() => Tokenizer.fromBytes(utf8('['.repeat(1_000_000)))).message).toContain('64 levels');
    expect(errorOf(() => Tokenizer.fromBytes(utf8('GGUF\u0003')))).toBeInstanceOf(InvalidFormatError);
  });

  it('runs an expression that has no scanner on the general engine', () => {
    const split = {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: '[a-z]{1,2}(?!c)|\\s' }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
      ],
    };
    const t = Tokenizer.fromBytes(utf8(byteFile({ pre_tokenizer: split })));
    expect([...t.encode('abc ab', { addSpecialTokens: false })]).toEqual(
      [97, 98, 99, 188, 256].map((id) => (id === 188 ? t.idOf('Ġ') : id)),
    );
    expect(t.decode(t.encode('abc ab', { addSpecialTokens: false }))).toBe('abc ab');
  });

  it('refuses an expression that cannot be run exactly, by name', () => {
    const split = { type: 'Split', pattern: { Regex: 'a\\X' }, behavior: 'Isolated', invert: false };
    const error = errorOf(() => Tokenizer.fromBytes(utf8(byteFile({ pre_tokenizer: split }))));
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.field).toBe('pre_tokenizer.pattern.Regex');
  });
});

describe('encodings', () => {
  const tokenizer = Tokenizer.fromBytes(
    utf8(
      byteFile({
        post_processor: {
          type: 'TemplateProcessing',
          single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
          pair: [
            { SpecialToken: { id: '<s>', type_id: 0 } },
            { Sequence: { id: 'A', type_id: 0 } },
            { SpecialToken: { id: '<s>', type_id: 1 } },
            { Sequence: { id: 'B', type_id: 1 } },
          ],
          special_tokens: { '<s>': { id: '<s>', ids: [258], tokens: ['<s>'] } },
        },
      }),
    ),
  );

  it('offsets count what was asked for and stand around whole characters', () => {
    const text = 'é😀ab';
    const spans = (unit: 'utf16' | 'codepoint' | 'byte') => [...tokenizer.encodeWithOffsets(text, unit).offsets];
    const expand = (starts: number[][]) => [0, 0, ...starts.flat()];
    expect(spans('utf16')).toEqual(
      expand([
        [0, 1],
        [0, 1],
        [1, 3],
        [1, 3],
        [1, 3],
        [1, 3],
        [3, 5],
      ]),
    );
    expect(spans('codepoint')).toEqual(
      expand([
        [0, 1],
        [0, 1],
        [1, 2],
        [1, 2],
        [1, 2],
        [1, 2],
        [2, 4],
      ]),
    );
    expect(spans('byte')).toEqual(
      expand([
        [0, 2],
        [0, 2],
        [2, 6],
        [2, 6],
        [2, 6],
        [2, 6],
        [6, 8],
      ]),
    );
  });

  it('puts pairs into the template with their type ids', () => {
    const e = tokenizer.encodeFull('ab', { pair: 'c' });
    expect([...e.ids]).toEqual([258, 256, 258, 99]);
    expect([...e.typeIds]).toEqual([0, 0, 1, 1]);
    expect([...e.specialTokensMask]).toEqual([1, 0, 1, 0]);
    expect([...tokenizer.encode('ab', { pair: 'c', addSpecialTokens: false })]).toEqual([256, 99]);
  });

  it('truncates with a stride and keeps what was cut off', () => {
    const e = tokenizer.encodeFull('xyzw', { truncation: { maxLength: 3, stride: 1 } });
    expect([...e.ids]).toEqual([258, 120, 121]);
    expect(e.overflowing.map((o) => [...o.ids])).toEqual([
      [258, 121, 122],
      [258, 122, 119],
    ]);
    const left = tokenizer.encodeFull('xyzw', { truncation: { maxLength: 3, side: 'left' } });
    expect([...left.ids]).toEqual([258, 122, 119]);
    const pair = tokenizer.encodeFull('xyzw', { pair: 'x', truncation: { maxLength: 5 } });
    expect([...pair.ids]).toEqual([258, 120, 121, 258, 120]);
    expect(errorOf(() => tokenizer.encode('xyzw', { truncation: { maxLength: 2, stride: 1 } })).field).toBe(
      'truncation.stride',
    );
  });

  it('pads a batch to its longest, or to a multiple', async () => {
    const batch = tokenizer.encodeFullBatch(['x', 'xyz'], { padding: { padId: 7 } });
    expect(batch.map((e) => [...e.ids])).toEqual([
      [258, 120, 7, 7],
      [258, 120, 121, 122],
    ]);
    expect([...batch[0]!.attentionMask]).toEqual([1, 1, 0, 0]);
    expect([...tokenizer.encode('x', { padding: { multipleOf: 4, side: 'left' } })]).toEqual([0, 0, 258, 120]);
    expect((await tokenizer.encodeBatch(['x', 'xy'], { padding: true })).map((ids) => ids.length)).toEqual([3, 3]);
  });

  it('streams text in chunks of any size to the ids of the whole', () => {
    const whole = "it's  one.\ntwo \n three\n\nfour<|im_end|>\nabc abc,\nabc".repeat(5);
    for (const size of [1, 2, 3, 7, 50, 1000]) {
      const stream = tokenizer.encodeStream();
      const ids: number[] = [];
      for (let at = 0; at < whole.length; at += size) ids.push(...stream.push(whole.slice(at, at + size)));
      const early = ids.length;
      ids.push(...stream.end());
      expect(ids).toEqual([...tokenizer.encode(whole)]);
      if (size < 50) expect(early).toBeGreaterThan(0);
    }
  });
});
