import { InvalidArgumentError } from '@x/cuda-core';
import { expect, test, vi } from 'vitest';
import { CARDS, rulePool, someQuestions } from './fixtures';
import { type Decision, Gateway } from './gateway';
import type { Pool } from './models';
import { isRight } from './questions';
import { routedRow, run } from './run';

const questions = someQuestions(240);

test('cost is parameters times tokens of every model asked', async () => {
  const gateway = new Gateway(rulePool(questions), { seed: 3 });
  const answered = await run(gateway, questions);
  for (const { decision } of answered) {
    const expected = decision.steps.reduce((sum, { reply }) => {
      const { parameters } = CARDS.find(({ name }) => name === reply.model)!;
      return sum + parameters * (reply.promptTokens + reply.generatedTokens);
    }, 0);
    expect(decision.cost).toBe(expected);
  }
  const escalated = answered.filter(({ decision }) => decision.steps.length > 1);
  expect(escalated.length).toBeGreaterThan(0);
  const row = routedRow(answered);
  expect(row.cost).toBe(answered.reduce((sum, { decision }) => sum + decision.cost, 0));
  expect(row.right).toBe(answered.filter(({ right }) => right).length);
});

test('it learns whom to ask: the second half is cheaper than always-large and nearly always right', async () => {
  const gateway = new Gateway(rulePool(questions), { seed: 1 });
  const late = (await run(gateway, questions)).slice(questions.length / 2);
  const { right, cost, tokens } = routedRow(late);
  expect(right / late.length).toBeGreaterThan(0.9);
  expect(cost).toBeLessThan(0.8 * 20_000_000 * tokens);
  // Sums are for the specialist; only large can reverse.
  const sums = late.filter(({ question }) => question.domain === 'sum');
  expect(sums.filter(({ decision }) => decision.model !== 'large').length).toBeGreaterThan(0.8 * sums.length);
});

/** Spies on everything that learns; tells which models' outcomes arrived. */
function spyOnLearning(gateway: Gateway) {
  const seen = { router: [] as unknown[], consensus: [] as unknown[], escalation: [] as unknown[] };
  vi.spyOn(gateway.router, 'observe').mockImplementation(({ model, quality }) => {
    seen.router.push([model, quality]);
  });
  vi.spyOn(gateway.consensus, 'observe').mockImplementation(({ model, success }) => {
    seen.consensus.push([model, Number(success)]);
    return undefined;
  });
  vi.spyOn(gateway.escalation, 'observe').mockImplementation(({ decision, right }) => {
    seen.escalation.push([decision.model, Number(right)]);
  });
  return seen;
}

/** A decision whose question went from nano to large, with the answers given. */
async function escalatedDecision(gateway: Gateway, nano: string, large: string): Promise<Decision> {
  const decision = await gateway.ask(questions[0]!.question);
  const [first] = decision.steps;
  const doubt = { target: 'large', decision: { ...first!.doubt!.decision, model: 'nano' } };
  return {
    ...decision,
    steps: [
      { reply: { ...first!.reply, model: 'nano', text: nano }, doubt },
      { reply: { ...first!.reply, model: 'large', text: large } },
    ],
    answer: large,
    model: 'large',
  };
}

test('without escalation only the model asked is learned about', async () => {
  const gateway = new Gateway(rulePool(questions), { maxEscalations: 0 });
  for (const question of questions.slice(0, 20)) {
    const decision = await gateway.ask(question.question);
    const right = isRight(question, decision.answer);
    const seen = spyOnLearning(gateway);
    gateway.feedback(decision, right);
    vi.restoreAllMocks();
    expect(seen.router).toEqual([[decision.model, Number(right)]]);
    expect(seen.consensus).toEqual([[decision.model, Number(right)]]);
  }
});

test('of an answer that was passed on only what follows from the revealed outcome is learned', async () => {
  const cases = [
    // nano, large, large is right: what is known of nano
    ['7', '7', true, [['nano', 1]]],
    ['7', '7', false, [['nano', 0]]],
    ['6', '7', true, [['nano', 0]]],
    ['6', '7', false, []], // nano may be right or wrong: nobody looked
  ] as const;
  for (const [nano, large, right, known] of cases) {
    const gateway = new Gateway(rulePool(questions));
    const decision = await escalatedDecision(gateway, nano, large);
    const seen = spyOnLearning(gateway);
    gateway.feedback(decision, right);
    vi.restoreAllMocks();
    expect(seen.router).toEqual([...known, ['large', Number(right)]]);
    expect(seen.consensus).toEqual([...known, ['large', Number(right)]]);
    expect(seen.escalation).toEqual(known);
  }
});

test('asking teaches nothing: until feedback the same gateway expects the same', async () => {
  const gateway = new Gateway(rulePool(questions));
  const before = gateway.router.route(questions[5]!.question).models;
  for (const { question } of questions.slice(0, 10)) await gateway.ask(question);
  expect(gateway.router.route(questions[5]!.question).models).toEqual(before);
  expect(gateway.router.observed).toBe(0);
});

test('the seed decides the choices', async () => {
  const choices = async (seed: number) => {
    const answered = await run(new Gateway(rulePool(questions), { seed }), questions);
    return answered.map(({ decision }) => decision.steps.map(({ reply }) => reply.model).join('>'));
  };
  expect(await choices(5)).toEqual(await choices(5));
  expect(await choices(5)).not.toEqual(await choices(6));
});

test('a model is asked at most once a question, and no more models than allowed', async () => {
  for (const maxEscalations of [0, 1, 2, 9]) {
    const answered = await run(new Gateway(rulePool(questions), { maxEscalations }), questions.slice(0, 60));
    for (const { decision } of answered) {
      const asked = decision.steps.map(({ reply }) => reply.model);
      expect(new Set(asked).size).toBe(asked.length);
      expect(asked.length).toBeLessThanOrEqual(1 + maxEscalations);
    }
  }
});

test('an empty reply is judged like any other', async () => {
  const silent: Pool = {
    models: CARDS,
    async ask(model) {
      return { model, text: '', logprobs: [], promptTokens: 5, generatedTokens: 0, cost: 5, seconds: 0 };
    },
    async dispose() {},
  };
  const gateway = new Gateway(silent);
  const decision = await gateway.ask('anything');
  expect(decision.answer).toBe('');
  gateway.feedback(decision, false);
});

test('options outside their range are refused', () => {
  for (const options of [
    { lambda: -1 },
    { lambda: Number.NaN },
    { lambda: 2 },
    { maxEscalations: -1 },
    { seed: 0.5 },
  ]) {
    expect(() => new Gateway(rulePool(questions), options)).toThrow(InvalidArgumentError);
  }
});
