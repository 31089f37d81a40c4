import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Tokenizer } from './index';
import { GPT2_PATTERN as pattern, smallRanks } from './ranks.test-util';

const open = () =>
  Tokenizer.fromRanks({ ranks: smallRanks(), pattern, specialTokens: { '<|im_start|>': 300, '<|im_end|>': 301 } });
const template = '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}';

test('isWithinLimit is count at most limit', () => {
  using tokenizer = open();
  for (const text of ['', 'hello world', 'hello world hello world, and more'])
    for (const limit of [0, 1, 2, 5, 1000])
      expect(tokenizer.isWithinLimit(text, limit), `${text} ${limit}`).toBe(tokenizer.count(text) <= limit);
  expect(() => tokenizer.isWithinLimit('a', -1)).toThrow(expect.objectContaining({ field: 'limit' }));
});

test('the vocabulary holds every token, and decodeBatch decodes each list', () => {
  using tokenizer = open();
  expect(tokenizer.vocabulary.size).toBe(256 + 9 + 2);
  expect(tokenizer.vocabulary.get('hello')).toBe(259);
  expect(tokenizer.decodeBatch([[259], Uint32Array.of(259, 264)])).toEqual(['hello', 'hello world']);
});

test('a chat becomes ids with the special tokens of its template, or text', () => {
  using tokenizer = open();
  const messages = [{ role: 'user', content: 'hello' }];
  const ids = Array.from(tokenizer.applyChatTemplate(messages, { chatTemplate: template }));
  expect([ids[0], ids.at(-2), ids.at(-1)]).toEqual([300, 259, 301]);
  expect(tokenizer.applyChatTemplate(messages, { chatTemplate: template, tokenize: false })).toBe(
    '<|im_start|>user\nhello<|im_end|>',
  );
  expect(() => tokenizer.applyChatTemplate(messages)).toThrow(expect.objectContaining({ code: 'X_NOT_FOUND' }));
});

test('the template beside a tokenizer.json is found, with the special tokens it names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'chat-'));
  const vocab = Object.fromEntries(Array.from({ length: 94 }, (_, i) => [String.fromCharCode(33 + i), i]));
  writeFileSync(
    join(folder, 'tokenizer.json'),
    JSON.stringify({
      model: { type: 'BPE', vocab, merges: [] },
      pre_tokenizer: { type: 'ByteLevel' },
      added_tokens: [],
    }),
  );
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ chat_template: '{{ bos_token }}{{ messages[0].content }}', bos_token: { content: '<s>' } }),
  );
  using tokenizer = Tokenizer.fromFileSync(join(folder, 'tokenizer.json'));
  expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'a' }], { tokenize: false })).toBe('<s>a');
});

test('the cache counts, keeps its limit, and can be cleared', () => {
  using tokenizer = open();
  tokenizer.encode('hello world '.repeat(50));
  const stats = tokenizer.cacheStats();
  expect(stats.lookups).toBeGreaterThan(0);
  expect(stats.bytes).toBeLessThanOrEqual(stats.limit);
  tokenizer.clearCache();
  expect(tokenizer.cacheStats()).toMatchObject({ lookups: 0, misses: 0 });
  tokenizer.setCacheLimit(2 ** 24);
  expect(tokenizer.cacheStats().limit).toBe(2 ** 24);
});
