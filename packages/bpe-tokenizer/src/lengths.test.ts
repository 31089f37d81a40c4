import { expect, it } from 'vitest';
import { Tokenizer } from './index';

const file = (extra: object) =>
  Buffer.from(
    JSON.stringify({
      model: { type: 'BPE', vocab: { a: 0, b: 1, c: 2, ab: 3, '[PAD]': 4 }, merges: ['a b'] },
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false },
      decoder: { type: 'ByteLevel' },
      ...extra,
    }),
  );
const truncation = { direction: 'Right', max_length: 3, strategy: 'LongestFirst', stride: 0 };
const padding = {
  strategy: { Fixed: 5 },
  direction: 'Left',
  pad_to_multiple_of: null,
  pad_id: 4,
  pad_type_id: 0,
  pad_token: '[PAD]',
};

it('a file that asks for truncation and padding gets both, unless the call says otherwise', async () => {
  using tokenizer = Tokenizer.fromBytes(file({ truncation, padding }));
  expect([...tokenizer.encode('abcabc')]).toEqual([4, 4, 3, 2, 3]);
  expect([...tokenizer.encode('abcabc', { truncation: false })]).toEqual([4, 3, 2, 3, 2]);
  expect([...tokenizer.encode('abcabc', { truncation: false, padding: false })]).toEqual([3, 2, 3, 2]);
  expect([...tokenizer.encode('abcabc', { truncation: { maxLength: 1 }, padding: false })]).toEqual([3]);
  expect((await tokenizer.encodeBatch(['c', 'abcabc'])).map((ids) => [...ids])).toEqual([
    [4, 4, 4, 4, 2],
    [4, 4, 3, 2, 3],
  ]);
  expect(tokenizer.count('abcabc')).toBe(5);
  expect(tokenizer.encodeFull('c').attentionMask).toEqual(Uint8Array.of(0, 0, 0, 0, 1));
  expect(tokenizer.isWithinLimit('abcabc', 4)).toBe(false);
});

it('what a file says wrongly of truncation or padding is an error that names the field', () => {
  const bad: [object, RegExp][] = [
    [{ truncation: { ...truncation, strategy: 'Sometimes' } }, /truncation\.strategy/],
    [{ truncation: { ...truncation, max_length: -1 } }, /truncation\.max_length/],
    [{ padding: { ...padding, direction: 'Up' } }, /padding\.direction/],
    [{ padding: { ...padding, strategy: { Fixed: 'x' } } }, /padding\.strategy\.Fixed/],
  ];
  for (const [extra, message] of bad) expect(() => Tokenizer.fromBytes(file(extra))).toThrow(message);
});
