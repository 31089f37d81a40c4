import { InvalidArgumentError, LimitExceededError } from '@x/cuda-core';
import { describe, expect, it } from 'vitest';
import { DiscreteAgent, type DiscreteAgentOptions } from './index';

// Two states that action 0 or 1 chooses; outcome 1, likely in state 1, is preferred.
const small: DiscreteAgentOptions = {
  A: [
    [0.9, 0.2],
    [0.1, 0.8],
  ],
  B: [
    [
      [1, 0],
      [1, 0],
    ],
    [
      [0, 1],
      [0, 1],
    ],
  ],
  C: [0, 2],
};

describe('an agent', () => {
  it('infers by Bayes and moves to where it likes to be', () => {
    const agent = new DiscreteAgent(small);
    const first = agent.step(0);
    expect(first.beliefs[0]![0]).toBeCloseTo(0.9 / 1.1, 12);
    expect(first.freeEnergy).toBeCloseTo(-Math.log(0.55), 12);
    expect(first.action).toEqual([1]);
    expect(first.expectedFreeEnergy[1]).toBeLessThan(first.expectedFreeEnergy[0]!);
    expect(agent.prior[0]).toEqual(Float64Array.of(0, 1));
    expect(agent.step([1]).beliefs[0]![1]).toBe(1);
  });

  it('looks before it acts when looking tells more: the information gain is part of its choice', () => {
    // Action 1 opens the eyes (factor 1), after which the outcome shows factor 0.
    const options: DiscreteAgentOptions = {
      A: [
        [
          [0, 1],
          [0, 0],
        ],
        [
          [0, 0],
          [0, 1],
        ],
        [
          [1, 0],
          [1, 0],
        ],
      ],
      B: [
        [
          [[1], [0]],
          [[0], [1]],
        ],
        [
          [
            [1, 0],
            [1, 0],
          ],
          [
            [0, 1],
            [0, 1],
          ],
        ],
      ],
      D: [
        [0.5, 0.5],
        [1, 0],
      ],
    } as DiscreteAgentOptions;
    options.A = [options.A] as DiscreteAgentOptions['A'];
    const { informationGain, action } = new DiscreteAgent(options).step([2]);
    expect(informationGain[1]).toBeCloseTo(Math.LN2, 10);
    expect(informationGain[0]).toBeCloseTo(0, 10);
    expect(action).toEqual([0, 1]);
    expect(new DiscreteAgent({ ...options, informationGain: false }).step([2]).action).toEqual([0, 0]);
  });

  it('takes tensors as { shape, data } and as typed arrays', () => {
    const flat = new DiscreteAgent({
      A: { shape: [2, 2], data: Float64Array.of(0.9, 0.2, 0.1, 0.8) },
      B: [{ shape: [2, 2, 2], data: [1, 0, 1, 0, 0, 1, 0, 1] }],
      C: [Float64Array.of(0, 2)],
    });
    expect(flat.step(0)).toEqual(new DiscreteAgent(small).step(0));
  });

  it('treats null as unobserved and weighs soft observations', () => {
    const agent = new DiscreteAgent({ ...small, D: [0.3, 0.7] });
    expect(agent.inferStates([null]).beliefs[0]![0]).toBeCloseTo(0.3, 12);
    expect(agent.inferStates([[0, 1]]).beliefs[0]).toEqual(agent.inferStates(1).beliefs[0]);
    const soft = agent.inferStates([[0.5, 0.5]]).beliefs[0]!;
    const odds = (0.3 / 0.7) * Math.sqrt((0.9 / 0.2) * (0.1 / 0.8));
    expect(soft[0]! / soft[1]!).toBeCloseTo(odds, 9);
  });

  it('draws stochastic actions by their probability, the same again with the same seed', () => {
    const run = (seed: number) => {
      const agent = new DiscreteAgent({
        ...small,
        C: [0, 0.1],
        gamma: 1,
        alpha: 1,
        actionSelection: 'stochastic',
        seed,
      });
      const { actionProbabilities } = agent.inferPolicies();
      const actions = Array.from({ length: 2000 }, () => {
        agent.reset();
        return agent.act()[0]!;
      });
      return { p: actionProbabilities[0]![1]!, actions };
    };
    const { p, actions } = run(7);
    expect(run(7).actions).toEqual(actions);
    expect(run(8).actions).not.toEqual(actions);
    const share = actions.reduce((sum, u) => sum + u, 0) / actions.length;
    expect(p).toBeGreaterThan(0.2);
    expect(p).toBeLessThan(0.8);
    expect(Math.abs(share - p)).toBeLessThan(0.06); // 5 standard deviations
  });

  it('learns which outcomes its states give', () => {
    const agent = new DiscreteAgent({
      ...small,
      learning: {
        pA: [
          [1.8, 0.4],
          [0.2, 1.6],
        ],
      },
    });
    agent.act([1]);
    for (let i = 0; i < 200; i++) {
      agent.inferStates(0); // state 1 gives outcome 0 after all
      agent.learn();
      agent.act([1]);
    }
    const [a00, a01, a10, a11] = agent.counts.pA!;
    expect(a01! / (a01! + a11!)).toBeGreaterThan(0.98);
    expect(a00! + a10!).toBeCloseTo(2, 9); // state 0 was never visited
    agent.reset();
    expect(agent.inferPolicies().utility[0]).toBeGreaterThan(agent.inferPolicies().utility[1]!);
  });

  it('follows preferences that change along the policy', () => {
    const agent = new DiscreteAgent({
      ...small,
      A: [
        [1, 0],
        [0, 1],
      ],
      C: [
        [
          [5, 0],
          [0, 5],
        ],
      ],
      policyLength: 2,
    });
    const { policyProbabilities } = agent.inferPolicies();
    expect(policyProbabilities[1]).toBeGreaterThan(0.99); // first state 0, then state 1
  });
});

describe('bad input is refused, and the field named', () => {
  const refused = (options: object, field: string) => {
    try {
      new DiscreteAgent({ ...small, ...options } as DiscreteAgentOptions);
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect((error as InvalidArgumentError).field).toBe(field);
      return (error as Error).message;
    }
    throw new Error(`accepted ${JSON.stringify(options)}`);
  };

  it('in the arrays', () => {
    expect(
      refused(
        {
          A: [
            [0.9, 0.2],
            [0.2, 0.8],
          ],
        },
        'A[0]',
      ),
    ).toContain('1.1');
    refused(
      {
        A: [
          [0.9, 0.2],
          [0.1, Number.NaN],
        ],
      },
      'A[0]',
    );
    refused(
      {
        A: [
          [1.9, 0.2],
          [-0.9, 0.8],
        ],
      },
      'A[0]',
    );
    refused({ A: [[0.9, 0.2], [0.1]] }, 'A[0]');
    refused(
      {
        A: [
          [0.9, 0.2],
          [0.1, 'x'],
        ],
      },
      'A[0]',
    );
    refused(
      {
        A: [
          [0.9, 0.2, 0],
          [0.1, 0.8, 1],
        ],
      },
      'A[0]',
    );
    refused({ A: [] }, 'A[0]');
    refused({ A: undefined }, 'A');
    refused(
      {
        B: [
          [
            [1, 0],
            [1, 0],
          ],
          [[0, 1], [0]],
        ],
      },
      'B[0]',
    );
    refused(
      {
        B: [
          [
            [1, 0],
            [1, 0],
          ],
          [
            [0, 1],
            [0, 0.5],
          ],
        ],
      },
      'B[0]',
    );
    refused({ C: [1, 2, 3] }, 'C[0]');
    refused({ C: [1, Number.POSITIVE_INFINITY] }, 'C[0]');
    refused({ D: [0.5, 0.6] }, 'D[0]');
    refused({ A: { shape: [2, 2], data: [1] } }, 'A[0]');
    refused({ aDependencies: [[3]] }, 'aDependencies[0]');
  });

  it('in the options', () => {
    refused({ gamma: -1 }, 'gamma');
    refused({ actionSelection: 'random' }, 'actionSelection');
    refused({ device: 'gpu' }, 'device');
    refused({ policies: [] }, 'policies');
    refused({ policies: [[[0, 1]]] }, 'policies');
    refused({ policies: [[[0.5]]] }, 'policies');
    refused({ E: [1] }, 'E');
    refused({ policyLength: 0 }, 'policyLength');
    refused({ learning: { retention: 0 } }, 'learning.retention');
    refused({ learning: { pA: [[1, 1, 1]] } }, 'pA[0]');
    refused({ seed: -1 }, 'seed');
    expect(() => new DiscreteAgent({ ...small, policyLength: 40 })).toThrow(LimitExceededError);
  });

  it('in calls', () => {
    const agent = new DiscreteAgent({ ...small, policies: [[[1]]] });
    expect(() => agent.inferStates(2)).toThrow(/0\.\.1/);
    expect(() => agent.inferStates([0, 0])).toThrow(InvalidArgumentError);
    expect(() => agent.inferStates([[0.5, 0.4]])).toThrow(InvalidArgumentError);
    expect(() => agent.inferStates([[0, 0]])).toThrow(/null/);
    expect(() => agent.act([5])).toThrow(InvalidArgumentError);
    expect(() => agent.learn()).toThrow(/inferStates/);
    expect(() => new DiscreteAgent({ ...small, policies: [[[7]]] }).inferPolicies()).toThrow(/actions 0\.\.1/);
    const sure = new DiscreteAgent({
      ...small,
      A: [
        [1, 1],
        [0, 0],
      ],
    });
    expect(() => sure.inferStates(1)).toThrow(/probability 0/);
    expect(sure.inferStates(0).freeEnergy).toBeCloseTo(0, 10); // and the agent lives on
  });
});
