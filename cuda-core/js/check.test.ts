import { describe, expect, it } from 'vitest';
import { booleanIn, choiceIn, type NumberRange, numberIn, objectIn, signalIn, textIn } from './check';
import { InvalidArgumentError } from './errors';

describe('numberIn', () => {
  it.each<[unknown, NumberRange]>([
    [0, { min: 0 }],
    [1, { min: 0, max: 1 }],
    [-1e308, {}],
    [Number.POSITIVE_INFINITY, { infinite: true }],
    [Number.MAX_SAFE_INTEGER, { integer: true }],
  ])('takes %d in %j', (value, range) => {
    expect(numberIn(value, 'x', range)).toBe(value);
  });

  it.each<[unknown, NumberRange]>([
    ['1', {}],
    [true, {}],
    [null, {}],
    [1n, {}],
    [Number.NaN, { infinite: true }],
    [Number.POSITIVE_INFINITY, {}],
    [Number.NEGATIVE_INFINITY, { infinite: true }],
    [0, { min: 0, above: true }],
    [1.5, { integer: true }],
    [2 ** 53, { integer: true }],
    [2, { max: 1 }],
  ])('refuses %s in %j and names the field', (value, range) => {
    expect(() => numberIn(value, 'x.y', range)).toThrow(InvalidArgumentError);
    expect(() => numberIn(value, 'x.y', range)).toThrow(expect.objectContaining({ field: 'x.y' }));
  });

  it('says what was given and what would be right', () => {
    expect(() => numberIn('7', 'seed', { min: 0, max: 9, integer: true })).toThrow(
      'seed is "7"; it must be an integer of at least 0 and at most 9.',
    );
  });
});

it('a choice is one of those given, and a refusal names the field and all of them', () => {
  expect(choiceIn('left', 'side', ['left', 'right'])).toBe('left');
  for (const wrong of ['up', '', undefined, null, 0, ['left'], 'toString'])
    expect(() => choiceIn(wrong, 'side', ['left', 'right'])).toThrow(expect.objectContaining({ field: 'side' }));
  expect(() => choiceIn('up', 'side', ['left', 'right'])).toThrow(`side is "up"; it must be one of 'left', 'right'.`);
});

it('the other checks take their kind and refuse the rest', () => {
  expect(booleanIn(false, 'b')).toBe(false);
  expect(textIn('t', 't')).toBe('t');
  expect(objectIn({ a: 1 }, 'o')).toEqual({ a: 1 });
  expect(signalIn(undefined)).toBe(undefined);
  const { signal } = new AbortController();
  expect(signalIn(signal)).toBe(signal);
  const wrong = [
    ...[0, 'true', null].map((v) => () => booleanIn(v, 'f')),
    ...['', 3, null].map((v) => () => textIn(v, 'f')),
    ...[[], null, 'x', undefined].map((v) => () => objectIn(v, 'f')),
    ...[{}, 3, null].map((v) => () => signalIn(v)),
  ];
  for (const call of wrong) expect(call).toThrow(InvalidArgumentError);
});
