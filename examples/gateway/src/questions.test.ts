import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError, IoError } from '@x/cuda-core';
import { expect, test } from 'vitest';
import { isRight, questionStream, readQuestions } from './questions';

const path = join(import.meta.dirname, '..', 'pool', 'questions.jsonl');

test('the question file holds 2,000 questions of eighteen domains', () => {
  const all = readQuestions(path);
  expect(all.length).toBe(2000);
  expect(new Set(all.map(({ domain }) => domain)).size).toBe(18);
});

test('a stream is a permutation decided by the seed', () => {
  const all = readQuestions(path);
  const stream = questionStream(all, 600, 7);
  expect(stream).toEqual(questionStream(all, 600, 7));
  expect(stream).not.toEqual(questionStream(all, 600, 8));
  expect(new Set(stream).size).toBe(600);
  expect(new Set(questionStream(all, all.length, 1))).toEqual(new Set(all));
});

test('more questions than there are, or none, is refused', () => {
  const all = readQuestions(path);
  for (const count of [0, -1, 1.5, Number.NaN, 2001]) {
    expect(() => questionStream(all, count, 1)).toThrow(InvalidArgumentError);
  }
});

test('a broken question file names its line', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  const broken = join(folder, 'broken.jsonl');
  writeFileSync(broken, '{"domain":"sum","difficulty":1,"question":"1+1=","answer":"2"}\n{"domain":');
  expect(() => readQuestions(broken)).toThrow(InvalidFormatError);
  expect(() => readQuestions(broken)).toThrow(/line 2/);
  writeFileSync(broken, '{"domain":"sum","difficulty":1,"question":"1+1="}\n');
  expect(() => readQuestions(broken)).toThrow(/line 1/);
  expect(() => readQuestions(join(folder, 'none.jsonl'))).toThrow(IoError);
});

test('only the exact answer is right', () => {
  const question = { domain: 'sum', difficulty: 1, question: '1+1=', answer: '2' };
  expect(isRight(question, '2')).toBe(true);
  expect(isRight(question, ' 2\n')).toBe(true);
  expect(isRight(question, '2.0')).toBe(false);
  expect(isRight(question, '')).toBe(false);
});
