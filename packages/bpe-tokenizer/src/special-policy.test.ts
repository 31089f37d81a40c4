import { expect, test } from 'vitest';
import { SpecialPolicy } from './special-policy';

const policy = new SpecialPolicy([
  { content: '<|end|>', id: 9 },
  { content: '<|end|>more', id: 10 },
  { content: '[+]', id: 11 },
]);

test('by default special tokens in the text are refused, by name and place', () => {
  expect(() => policy.split('é[+]')).toThrow(
    expect.objectContaining({
      code: 'X_INVALID_ARGUMENT',
      field: 'text',
      offset: 2,
      message: expect.stringContaining('[+]'),
    }),
  );
  expect(policy.split('plain')).toEqual([{ text: 'plain', id: undefined }]);
});

test('what is neither allowed nor disallowed is text', () => {
  expect(policy.split('a<|end|>b', [], [])).toEqual([{ text: 'a<|end|>b', id: undefined }]);
  expect(policy.split('a<|end|>b', [], ['[+]'])).toEqual([{ text: 'a<|end|>b', id: undefined }]);
});

test('allowed tokens cut the text, the longest where two begin at one place', () => {
  expect(policy.split('a<|end|>more[+]', 'all')).toEqual([
    { text: 'a', id: 10 },
    { text: '', id: 11 },
    { text: '', id: undefined },
  ]);
  expect(policy.split('a<|end|>more', ['<|end|>'], [])).toEqual([
    { text: 'a', id: 9 },
    { text: 'more', id: undefined },
  ]);
});

test('an allowed token wins over a disallowed one of the same name, others still are refused', () => {
  expect(policy.split('[+]', ['[+]'], 'all')[0]!.id).toBe(11);
  expect(() => policy.split('[+]<|end|>', ['[+]'], 'all')).toThrow('<|end|>');
});

test('names that are no special tokens are refused', () => {
  expect(() => policy.split('a', ['nothing'])).toThrow(expect.objectContaining({ field: 'allowedSpecial' }));
  expect(() => policy.split('a', 'some' as never)).toThrow(expect.objectContaining({ field: 'allowedSpecial' }));
  expect(() => policy.split('a', [], [5 as never])).toThrow(expect.objectContaining({ field: 'disallowedSpecial' }));
});
