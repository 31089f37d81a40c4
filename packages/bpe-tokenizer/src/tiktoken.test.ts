import { expect, test } from 'vitest';
import { GPT2_PATTERN, smallRanks } from './ranks.test-util';
import { get_encoding, get_encoding_name_for_model, Tiktoken } from './tiktoken';

const open = () => new Tiktoken(smallRanks(), { '<|end|>': 300 }, GPT2_PATTERN);

test('encode, encode_ordinary and decode have the shapes and defaults of tiktoken', () => {
  const encoding = open();
  expect(encoding.encode('hello world')).toEqual(Uint32Array.of(259, 264));
  expect(() => encoding.encode('<|end|>')).toThrow('<|end|>');
  expect(encoding.encode('<|end|>', ['<|end|>'])).toEqual(Uint32Array.of(300));
  expect(encoding.encode_ordinary('<|end|>')).not.toContain(300);
  expect(encoding.decode(Uint32Array.of(259, 264))).toEqual(new Uint8Array(Buffer.from('hello world')));
  expect(encoding.name).toBeUndefined();
  encoding.free();
});

test('single tokens are found by their bytes, and all values come in order', () => {
  const encoding = open();
  expect(encoding.encode_single_token(Buffer.from('hello'))).toBe(259);
  expect(encoding.encode_single_token(Buffer.of(0xff))).toBe(0xff);
  expect(() => encoding.encode_single_token(Buffer.from('hello!'))).toThrow('no token');
  expect(encoding.decode_single_token_bytes(264)).toEqual(new Uint8Array(Buffer.from(' world')));
  const values = encoding.token_byte_values();
  expect(values.length).toBe(265);
  expect(values[0]).toEqual([0]);
  expect(values.every((v, i) => i === 0 || Buffer.compare(Buffer.from(values[i - 1]!), Buffer.from(v)) < 0)).toBe(true);
});

test('models have the encodings that OpenAI gave them', () => {
  for (const [model, encoding] of [
    ['gpt-5-mini', 'o200k_base'],
    ['gpt-4o-2024-08-06', 'o200k_base'],
    ['gpt-4.1', 'o200k_base'],
    ['o3-mini', 'o200k_base'],
    ['gpt-4-turbo', 'cl100k_base'],
    ['gpt-3.5-turbo-0125', 'cl100k_base'],
    ['text-embedding-3-large', 'cl100k_base'],
    ['davinci-002', 'cl100k_base'],
    ['text-davinci-003', 'p50k_base'],
    ['text-davinci-edit-001', 'p50k_edit'],
    ['text-davinci-001', 'r50k_base'],
    ['davinci', 'r50k_base'],
    ['gpt2', 'gpt2'],
  ] as const)
    expect(get_encoding_name_for_model(model), model).toBe(encoding);
  expect(() => get_encoding_name_for_model('claude')).toThrow(expect.objectContaining({ field: 'model' }));
  expect(() => get_encoding('utf8' as never)).toThrow(expect.objectContaining({ field: 'encoding' }));
});
