import { expect, test } from 'vitest';
import { Tokenizer } from './index';
import { GPT2_PATTERN as pattern, smallRanks } from './ranks.test-util';

const specialTokens = { '<|end|>': 300 };
const open = () => Tokenizer.fromRanks({ ranks: smallRanks(), pattern, specialTokens });

test('text is merged by rank, and decodes to itself', () => {
  using tokenizer = open();
  expect(Array.from(tokenizer.encode('hello world'))).toEqual([259, 264]);
  expect(Array.from(tokenizer.encode('hells'))).toEqual([258, 's'.charCodeAt(0)]);
  for (const text of ['hello world', 'naïve 👍🏽 \u0000\n\n', ''])
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  expect(tokenizer.decodeBytes([0xff, 259])).toEqual(new Uint8Array([0xff, ...Buffer.from('hello')]));
});

test('the packed form of npm packages is the same tokenizer', () => {
  const lines = smallRanks().split('\n');
  const packed = `! 0 ${lines.map((line) => line.split(' ')[0]).join(' ')}`;
  using tokenizer = Tokenizer.fromRanks({ ranks: packed, pattern, specialTokens });
  expect(Array.from(tokenizer.encode('hello world'))).toEqual([259, 264]);
});

test('special tokens follow tiktoken: refused, allowed, or text', async () => {
  using tokenizer = open();
  expect(() => tokenizer.encode('hello<|end|>')).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT' }));
  expect(Array.from(tokenizer.encode('hello<|end|> world', { allowedSpecial: 'all' }))).toEqual([259, 300, 264]);
  const text = tokenizer.encode('<|end|>', { disallowedSpecial: [] });
  expect(Array.from(text)).not.toContain(300);
  expect(tokenizer.count('hello<|end|>', { allowedSpecial: ['<|end|>'] })).toBe(2);
  const batch = await tokenizer.encodeBatch(['hello<|end|> world', '', 'hello'], { allowedSpecial: 'all' });
  expect(batch.map((ids) => Array.from(ids))).toEqual([[259, 300, 264], [], [259]]);
});

test('an expression without a scanner of its own runs on the general engine', () => {
  using tokenizer = Tokenizer.fromRanks({ ranks: smallRanks(), pattern: '[a-z]+(?=\\s)|\\s|[^\\s]+' });
  expect(Array.from(tokenizer.encode('hello hello'))).toEqual([259, 32, 259]);
  expect(tokenizer.decode(tokenizer.encode('x y 1!'))).toBe('x y 1!');
});

test('damaged ranks are typed errors that say where', () => {
  const bad = (ranks: string | Uint8Array, extra: object = {}) => {
    try {
      Tokenizer.fromRanks({ ranks, pattern, ...extra });
    } catch (error) {
      return error as { code: string; field: string; offset?: number };
    }
    return undefined;
  };
  expect(bad(`${smallRanks()}\n=== 900`)).toMatchObject({ code: 'X_INVALID_FORMAT', field: 'ranks' });
  expect(bad(`${smallRanks()}\nYWI= x`)).toMatchObject({ code: 'X_INVALID_FORMAT', field: 'ranks' });
  expect(bad(`${smallRanks()}\nYWI= 255`)).toMatchObject({ code: 'X_INVALID_FORMAT' });
  expect(bad(`${smallRanks()}\nYWI= 4294967296`)).toMatchObject({ code: 'X_INVALID_FORMAT' });
  expect(bad(`${smallRanks()}\naGU= 900`)).toMatchObject({ code: 'X_INVALID_FORMAT' }); // "he" again
  expect(bad('YQ== 0')).toMatchObject({ code: 'X_INVALID_FORMAT' }); // most bytes have no token
  expect(bad('')).toMatchObject({ code: 'X_INVALID_FORMAT' });
  expect(bad(smallRanks(), { specialTokens: { '<|a|>': 5 } })).toMatchObject({ field: 'specialTokens' });
  expect(bad(smallRanks(), { specialTokens: { '<|a|>': -1 } })).toMatchObject({ code: 'X_INVALID_ARGUMENT' });
  expect(bad(smallRanks(), { pattern: '(a' })).toMatchObject({ code: 'X_INVALID_FORMAT' });
  expect(bad(smallRanks(), { pattern: '\\X' })).toMatchObject({ code: 'X_UNSUPPORTED' });
  expect(bad(5 as never)).toMatchObject({ field: 'ranks' });
});

test('encodings whose ranks are not installed say what to install', () => {
  const before = process.env.X_TIKTOKEN_DIR;
  delete process.env.X_TIKTOKEN_DIR;
  try {
    // Installed or not: never anything but a tokenizer or this error.
    Tokenizer.fromEncoding('gpt2').dispose();
  } catch (error) {
    expect(error).toMatchObject({ code: 'X_NOT_FOUND', message: expect.stringContaining('npm install') });
  } finally {
    if (before !== undefined) process.env.X_TIKTOKEN_DIR = before;
  }
  expect(() => Tokenizer.fromEncoding('cl200k' as never)).toThrow(expect.objectContaining({ field: 'encoding' }));
});

test('a stream follows the rules of special tokens that hold for the whole text', () => {
  using tokenizer = open();
  const whole = 'hello<|end|> world.\nhello world';
  const streamed = (options = {}) => {
    const stream = tokenizer.encodeStream(options);
    return [...whole].flatMap((chunk) => [...stream.push(chunk)]).concat([...stream.end()]);
  };
  expect(() => streamed()).toThrow(expect.objectContaining({ code: 'X_INVALID_ARGUMENT', field: 'text' }));
  for (const options of [{ allowedSpecial: 'all' as const }, { disallowedSpecial: [] }])
    expect(streamed(options)).toEqual([...tokenizer.encode(whole, options)]);
  expect(() => tokenizer.encodeStream().push(undefined as never)).toThrow(expect.objectContaining({ field: 'chunk' }));
});
