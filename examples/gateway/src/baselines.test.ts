import { expect, test } from 'vitest';
import { askEveryModel, baselineRows, rowOf } from './baselines';
import { answerable, CARDS, rulePool, someQuestions } from './fixtures';
import type { Reply } from './models';

const questions = someQuestions(60);

test('a row adds up parameters times tokens of every reply', async () => {
  const pool = rulePool(questions);
  const replies = await askEveryModel(pool, questions);
  const row = rowOf('always-numbers', questions, replies.get('numbers')!);
  const tokens = replies.get('numbers')!.reduce((sum, r) => sum + r.promptTokens + r.generatedTokens, 0);
  expect(row.tokens).toBe(tokens);
  expect(row.cost).toBe(4_000_000 * tokens);
  expect(row.right).toBe(questions.filter((question) => answerable('numbers', question)).length);
});

test('the oracle is right at least as often as every other row and costs no more than the strongest model', async () => {
  const pool = rulePool(questions);
  const rows = baselineRows(CARDS, questions, await askEveryModel(pool, questions), 3);
  const oracle = rows.find(({ name }) => name === 'oracle')!;
  for (const row of rows) expect(oracle.right).toBeGreaterThanOrEqual(row.right);
  expect(oracle.cost).toBeLessThan(rows.find(({ name }) => name === 'always-large')!.cost);
});

test('the oracle asks the cheapest model when no model is right', async () => {
  const hopeless = questions.map((question) => ({ ...question, answer: 'no model says this' }));
  const pool = rulePool(questions);
  const rows = baselineRows(CARDS, hopeless, await askEveryModel(pool, questions), 3);
  const cost = (name: string) => rows.find((row) => row.name === name)!.cost;
  expect(cost('oracle')).toBe(cost('always-nano'));
});

test('the random row depends on the seed and on nothing else', async () => {
  const replies = await askEveryModel(rulePool(questions), questions);
  const random = (seed: number) =>
    baselineRows(CARDS, questions, replies, seed).find(({ name }) => name === 'random')!.cost;
  expect(random(1)).toBe(random(1));
  expect(random(1)).not.toBe(random(2));
});

test('a cached reply is not asked for again', async () => {
  const pool = rulePool(questions);
  const cache = new Map<string, Reply>();
  await askEveryModel(pool, questions, { cache });
  expect(pool.asked.length).toBe(CARDS.length * questions.length);
  await askEveryModel(pool, questions, { cache });
  expect(pool.asked.length).toBe(CARDS.length * questions.length);
});
