// The whole demo on the real models, short.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvalidArgumentError, InvalidFormatError, IoError, LimitExceededError, NotFoundError } from '@x/cuda-core';
import { beforeAll, expect, test } from 'vitest';
import { type DemoOptions, type DemoResult, runDemo } from './demo';
import { openPool } from './pool';
import { writeReport } from './report/report';
import { table } from './table';

const options: DemoOptions = {
  pool: join(import.meta.dirname, '..', 'pool'),
  questions: 40,
  seed: 2,
  seeds: 2,
  device: 'cpu',
  lambda: 0.15,
  startProgress: () => ({ update() {}, stop() {} }),
};
let result: DemoResult;

beforeAll(async () => {
  result = await runDemo(options);
}, 120_000);

test('every seed has the routed row and every baseline, and no row beats the oracle', () => {
  expect(result.runs.length).toBe(2);
  for (const rows of result.runs) {
    const names = rows.map(({ name }) => name);
    expect(names).toEqual([
      'routed',
      ...['nano', 'small', 'numbers', 'letters', 'large'].map((model) => `always-${model}`),
      'random',
      'oracle',
    ]);
    const oracle = rows.at(-1)!;
    for (const row of rows) {
      expect(row.questions).toBe(40);
      expect(row.right).toBeLessThanOrEqual(oracle.right);
      expect(row.seconds).toBeGreaterThan(0);
      expect(row.tokens).toBeGreaterThan(40 * 10);
    }
  }
  expect(table(result.runs).split('\n').length).toBe(6);
});

test('the real models answer: large most questions, nano about half', () => {
  const share = (name: string) => {
    const rows = result.runs.map((all) => all.find((row) => row.name === name)!);
    return rows.reduce((sum, row) => sum + row.right, 0) / 80;
  };
  expect(share('always-large')).toBeGreaterThan(0.8);
  expect(share('always-nano')).toBeGreaterThan(0.35);
  expect(share('always-nano')).toBeLessThan(0.8);
  expect(share('routed')).toBeGreaterThan(share('random'));
});

test("a model's cost is its parameters times its tokens", () => {
  for (const row of result.runs[0]!.filter(({ name }) => name.startsWith('always-'))) {
    const parameters = row.cost / row.tokens;
    expect(Number.isInteger(parameters)).toBe(true);
    expect(parameters).toBeGreaterThan(900_000);
    expect(parameters).toBeLessThan(21_000_000);
  }
});

test('the same seed asks the same models and gets the same answers', async () => {
  const again = await runDemo({ ...options, seeds: 1 });
  const asked = ({ report }: DemoResult) => report.points.map((point) => [point.asked, point.answer]);
  expect(asked(again)).toEqual(asked(result));
}, 120_000);

test('the report of a real run holds its readings and figures', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'gateway-')), 'deep', 'report.html');
  writeReport(path, result.report);
  const html = readFileSync(path, 'utf8');
  expect(result.report.readings.length).toBeGreaterThan(0);
  expect(result.report.points.length).toBe(40);
  expect(html).toContain('Over 2 seeds');
  expect(html).not.toMatch(/<(script|img|link)[^>]*\b(src|href)=/);
});

test('a report that cannot be written is an error that names the path', () => {
  expect(() => writeReport('/dev/null/report.html', result.report)).toThrow(IoError);
});

test('a missing model, too many questions and a stop by the user end the demo with their errors', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'gateway-'));
  await expect(runDemo({ ...options, pool: empty })).rejects.toThrow(IoError);
  await expect(runDemo({ ...options, questions: 5000 })).rejects.toThrow(InvalidArgumentError);
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(runDemo({ ...options, signal })).rejects.toThrow('enough');
  await expect(openPool(empty, 'cpu')).rejects.toThrow(NotFoundError);
});

test('a truncated model is an error that names its file, and the process lives on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-'));
  const file = 'pool-nano-q8_0.gguf';
  const whole = readFileSync(join(options.pool, file));
  writeFileSync(join(folder, file), whole.subarray(0, whole.length / 2));
  await expect(openPool(folder, 'cpu')).rejects.toThrow(InvalidFormatError);
  await expect(openPool(folder, 'cpu')).rejects.toThrow(join(folder, file));
  const pool = await openPool(options.pool, 'cpu');
  expect(pool.models.map(({ name }) => name)).toEqual(['nano', 'small', 'numbers', 'letters', 'large']);
  await expect(pool.ask('huge', 'Who?')).rejects.toThrow(NotFoundError);
  await expect(pool.ask('nano', 'why '.repeat(600))).rejects.toThrow(LimitExceededError);
  expect((await pool.ask('large', 'What is 2 + 3?')).text).toBe('5');
  await pool.dispose();
});
