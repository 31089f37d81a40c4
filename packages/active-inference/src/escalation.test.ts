import { InvalidArgumentError, InvalidFormatError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { digamma, dirichletNovelty } from './digamma';
import { EscalationAgent, type EscalationDecision } from './index';

// A small deterministic generator for the made-up world (mulberry32).
function uniform(seed: number) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

interface World {
  /** P(right) of the cheap model given its least token probability. */
  pRight(confidence: number): number;
  cost: number;
  strong: number;
}

/** Plays `questions` and returns the mean reward of the last `tail`, beside the best rule's. */
function play(world: World, questions: number, tail: number, seed: number, agent = new EscalationAgent()) {
  const random = uniform(seed);
  let reward = 0;
  let best = 0;
  let accepted = 0;
  for (let i = 0; i < questions; i++) {
    const confidence = 0.2 + 0.8 * random() ** 0.5;
    const right = random() < world.pRight(confidence);
    const decision = agent.decide({
      model: 'small',
      logprobs: [-0.001, Math.log(confidence)],
      escalationCost: world.cost,
      escalatedQuality: world.strong,
    });
    if (decision.action === 'accept') agent.observe({ decision, right });
    if (i < questions - tail) continue;
    if (decision.action === 'accept') accepted++;
    reward += decision.action === 'accept' ? world.pRight(confidence) : world.strong - world.cost;
    best += Math.max(world.pRight(confidence), world.strong - world.cost);
  }
  return { reward: reward / tail, best: best / tail, accepted: accepted / tail };
}

describe('what is learned', () => {
  it('comes within 4 points of the best rule in 200 questions, in worlds of different calibration', () => {
    const worlds: World[] = [
      { pRight: (c) => c, cost: 0.1, strong: 0.95 }, // well calibrated
      { pRight: (c) => c ** 4, cost: 0.1, strong: 0.95 }, // over-confident
      { pRight: (c) => 1 - (1 - c) * 0.2, cost: 0.1, strong: 0.95 }, // under-confident
      { pRight: (c) => (c > 0.85 ? 0.99 : 0.1), cost: 0.3, strong: 0.9 }, // a cliff
      { pRight: () => 0.9, cost: 0.3, strong: 0.95 }, // good, whatever it says
      { pRight: () => 0.05, cost: 0.1, strong: 0.95 }, // hopeless, whatever it says
    ];
    for (const [i, world] of worlds.entries()) {
      let regret = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const { reward, best } = play(world, 600, 400, seed * 100 + i);
        regret += (best - reward) / 5;
      }
      expect(regret, `world ${i}`).toBeLessThan(0.04);
    }
  });

  it('is not spoiled by escalated answers never being judged', () => {
    const agent = new EscalationAgent();
    play({ pRight: (c) => c, cost: 0.1, strong: 0.95 }, 3000, 1, 5, agent);
    const at = (confidence: number) =>
      agent.decide({ model: 'small', logprobs: [Math.log(confidence)], escalationCost: 0.1 }).pRight;
    expect(Math.abs(at(0.96) - 0.96)).toBeLessThan(0.04);
    expect(Math.abs(at(0.9) - 0.9)).toBeLessThan(0.06);
  });

  it('of a model carries over to its domains, and a domain may differ', () => {
    const agent = new EscalationAgent();
    const ask = (domain: string | undefined) =>
      agent.decide({ model: 'm', domain, logprobs: [-0.01], escalationCost: 0.1 });
    const naive = ask('algebra').pRight;
    for (let i = 0; i < 40; i++) agent.observe({ decision: { ...ask('letters') }, right: true });
    expect(ask('algebra').pRight).toBeGreaterThan(naive + 0.05);
    for (let i = 0; i < 40; i++) agent.observe({ decision: { ...ask('algebra') }, right: false });
    expect(ask('algebra').pRight).toBeLessThan(0.2);
    expect(ask('letters').pRight).toBeGreaterThan(0.8);
  });
});

describe('a decision', () => {
  const question = { model: 'm', logprobs: [-0.1, -0.3], escalationCost: 0.1 };

  it('accepts what is confident and asks about what is not, before anything was learned', () => {
    const agent = new EscalationAgent({ value: 8 });
    const sure = agent.decide({ ...question, logprobs: Float32Array.of(-0.001) });
    const unsure = agent.decide({ ...question, logprobs: [-0.001, -3] });
    expect(sure.bin).toBeGreaterThan(unsure.bin);
    expect(sure.pRight).toBeGreaterThan(unsure.pRight);
    expect(sure.action).toBe('accept');
    expect(unsure.action).toBe('escalate');
    expect(unsure.expectedFreeEnergy.escalate).toBeLessThan(unsure.expectedFreeEnergy.accept);
  });

  it('tries a new model before it judges it, when little is at stake', () => {
    const agent = new EscalationAgent();
    const unsure = { ...question, logprobs: [-3] };
    const first = agent.decide(unsure);
    expect(first.action).toBe('accept');
    for (let i = 0; i < 5; i++) agent.observe({ decision: { ...first }, right: false });
    expect(agent.decide(unsure).action).toBe('escalate');
  });

  it('depends on the price, the prior and the other model', () => {
    const agent = new EscalationAgent({ value: 20 });
    const half = { ...question, logprobs: [Math.log(0.75)], priorQuality: 0.5 };
    expect(agent.decide({ ...half, escalationCost: 0.01 }).action).toBe('escalate');
    expect(agent.decide({ ...half, escalationCost: 0.9 }).action).toBe('accept');
    expect(agent.decide({ ...half, escalationCost: 0.1, escalatedQuality: 0.2 }).action).toBe('accept');
    expect(agent.decide({ ...half, priorQuality: 0.99 }).pRight).toBeGreaterThan(
      agent.decide({ ...half, priorQuality: 0.5 }).pRight + 0.2,
    );
  });

  it('says how much free energy lies between the actions: value times the difference in outcome, and novelty', () => {
    const agent = new EscalationAgent({ value: 10, priorStrength: 1e6 }); // a prior so strong that nothing is new
    const { pRight, expectedFreeEnergy } = agent.decide({ ...question, escalationCost: 0.2, escalatedQuality: 0.9 });
    expect(expectedFreeEnergy.accept - expectedFreeEnergy.escalate).toBeCloseTo(-10 * (pRight - (0.9 - 0.2)), 3);
  });

  it('is learned from once', () => {
    const agent = new EscalationAgent();
    const decision = agent.decide({ ...question, escalationCost: 1 });
    agent.observe({ decision, right: true });
    expect(() => agent.observe({ decision, right: true })).toThrow(/before/);
  });

  it('is refused for arguments that make no sense', () => {
    const agent = new EscalationAgent();
    for (const [bad, field] of [
      [{ logprobs: [] }, 'logprobs'],
      [{ logprobs: [0.5] }, 'logprobs[0]'],
      [{ logprobs: [-1, Number.NaN] }, 'logprobs[1]'],
      [{ escalationCost: -1 }, 'escalationCost'],
      [{ priorQuality: 1.5 }, 'priorQuality'],
      [{ escalatedQuality: Number.NaN }, 'escalatedQuality'],
      [{ model: 3 }, 'model'],
    ] as const) {
      try {
        agent.decide({ ...question, ...bad } as never);
        expect.unreachable(field);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidArgumentError);
        expect((error as InvalidArgumentError).field).toBe(field);
      }
    }
    expect(agent.decide({ ...question, logprobs: [Number.NEGATIVE_INFINITY] }).bin).toBe(0);
    expect(() => agent.observe({ decision: { bin: 99 } as EscalationDecision, right: true })).toThrow(
      InvalidArgumentError,
    );
    expect(() => new EscalationAgent({ edges: [0.5, 0.5] })).toThrow(InvalidArgumentError);
    expect(() => new EscalationAgent({ value: 0 })).toThrow(InvalidArgumentError);
  });
});

describe('the state', () => {
  it('goes through JSON and decides alike', () => {
    const agent = new EscalationAgent();
    play({ pRight: (c) => c ** 2, cost: 0.1, strong: 0.9 }, 100, 1, 3, agent);
    const copy = EscalationAgent.load(JSON.parse(JSON.stringify(agent.save())));
    const question = { model: 'small', logprobs: [-0.1], escalationCost: 0.1 };
    expect(copy.decide(question)).toEqual(agent.decide(question));
    expect(copy.save()).toEqual(agent.save());
  });

  it('that was damaged is refused', () => {
    const good = new EscalationAgent();
    good.observe({ decision: good.decide({ model: 'm', logprobs: [-0.1], escalationCost: 1 }), right: true });
    const state = good.save();
    for (const bad of [null, {}, { ...state, version: 2 }, { ...state, counts: [{ ...state.counts[0], right: [1] }] }])
      expect(() => EscalationAgent.load(bad as never)).toThrow(InvalidFormatError);
  });
});

it('digamma and the novelty of an observation have their known values', () => {
  expect(digamma(1)).toBeCloseTo(-0.5772156649015329, 13);
  expect(digamma(0.5)).toBeCloseTo(-1.9635100260214235, 13);
  expect(digamma(100)).toBeCloseTo(4.600161852738087, 13);
  // KL(Beta(2, 1) || Beta(1, 1)) = ln 2 - 1/2.
  expect(dirichletNovelty(2, 1)).toBeCloseTo(Math.LN2 - 0.5, 13);
});
