// The public reference cases (exact values of own NumPy code and of pymdp) that cover what the agent does.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { DiscreteAgent, type DiscreteAgentOptions, type NestedArray } from './index';
import { parseModel } from './model';
import { native } from './native';

type Numbers = number[];
interface Model {
  A: NestedArray[];
  B: NestedArray[];
  C: NestedArray[];
  D: Numbers[];
  A_factor_list: Numbers[];
  B_factor_list: Numbers[];
}
// biome-ignore lint/suspicious/noExplicitAny: cases of a dozen kinds, checked by what the tests read from them.
type Case = { id: string; kind: string; name: string; model: Model } & Record<string, any>;

const root = process.env.X_REFERENCE_DIR ?? join(dirname(fileURLToPath(import.meta.url)), '../../../../shared');
const file = join(root, 'reference/active-inference/reference_public.json');
const present = existsSync(file);
if (!present) console.warn(`SKIPPED reference data absent: ${file}`);
const cases: Case[] = present ? JSON.parse(readFileSync(file, 'utf8')).cases : [];
const of = (kind: string) => cases.filter((c) => c.kind === kind).map((c) => [`${c.id} ${c.name}`, c] as const);

const arrays = (m: Model): DiscreteAgentOptions => ({
  A: m.A,
  B: m.B,
  C: m.C,
  D: m.D,
  aDependencies: m.A_factor_list,
  bDependencies: m.B_factor_list,
});

const flat = (x: unknown): number[] =>
  [x].flat(20).flatMap((v) => (ArrayBuffer.isView(v) ? [...(v as Float64Array)] : v)) as number[];

function expectClose(found: unknown, expected: unknown, tolerance: number, what = '') {
  const a = flat(found);
  const b = flat(expected);
  expect(a.length, what).toBe(b.length);
  const worst = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
  expect(worst, `${what}: largest difference`).toBeLessThanOrEqual(tolerance);
}

it.runIf(!present)('reference data is there when it is required', () => {
  expect(process.env.X_REQUIRE_REFERENCE, `${file} does not exist; set X_REFERENCE_DIR`).not.toBe('1');
});

describe.runIf(present)('reference cases', () => {
  it('cover every kind asked for', () => {
    for (const kind of ['static_inference', 'efe', 'efe_large', 'learning', 'agent_tmaze', 'agent_forced_obs'])
      expect(of(kind).length, kind).toBeGreaterThan(0);
  });

  it.each(of('static_inference'))('%s: free energy after each sweep; exact with one factor', (_, c) => {
    const { cavi_vfe_history: history, exact_log_evidence: evidence } = c.result;
    for (let sweeps = 1; sweeps < history.length; sweeps++) {
      const { freeEnergy } = new DiscreteAgent({ ...arrays(c.model), iterations: sweeps }).inferStates(c.obs);
      expect(Math.abs(freeEnergy - history[sweeps]), `sweep ${sweeps}`).toBeLessThan(1e-9);
    }
    const result = new DiscreteAgent({ ...arrays(c.model), iterations: 1000 }).inferStates(c.obs);
    expect(result.converged).toBe(true);
    expect(result.freeEnergy).toBeGreaterThanOrEqual(-evidence - 1e-9);
    expect(result.freeEnergy).toBeLessThanOrEqual(c.result.vfe_cavi.F + 1e-9);
    if (c.model.B.length === 1) {
      expectClose(result.beliefs, c.result.exact_marginals, 1e-9, 'posterior');
      expect(Math.abs(result.freeEnergy + evidence)).toBeLessThan(1e-9);
      expect(Math.abs(result.complexity - c.result.vfe_cavi.complexity)).toBeLessThan(1e-9);
      expect(Math.abs(result.accuracy - c.result.vfe_cavi.accuracy)).toBeLessThan(1e-9);
    }
  });

  it.each([...of('efe'), ...of('efe_large')])('%s: utility and exact information gain of every policy', (_, c) => {
    const agent = new DiscreteAgent({ ...arrays(c.model), D: c.qs, policies: c.policies, ...(c.E && { E: c.E }) });
    const found = agent.inferPolicies();
    const terms: Record<string, number>[] = c.result.terms;
    expectClose(
      found.utility,
      terms.map((t) => t.utility!),
      1e-9,
      'utility',
    );
    expectClose(
      found.informationGain,
      terms.map((t) => t.state_info_gain_exact!),
      1e-9,
      'information gain',
    );
    if (c.pA || c.pB || c.H) return; // their posteriors also hold terms that are not part of this agent
    // pymdp smooths entropies by ln(p + e^-16), which moves G by 1e-6 to 1e-5 a step and modality.
    expectClose(
      found.expectedFreeEnergy.map((g) => -g),
      c.result.neg_G,
      1e-4,
      'G',
    );
    for (const gamma of [1, 16]) {
      const expected = c.result[`gamma_${gamma}`];
      if (!expected) continue;
      const chosen = new DiscreteAgent({
        ...arrays(c.model),
        D: c.qs,
        policies: c.policies,
        ...(c.E && { E: c.E }),
        gamma,
      });
      const { policyProbabilities, actionProbabilities } = chosen.inferPolicies();
      expectClose(policyProbabilities, expected.q_pi, 1e-4, `posterior at gamma ${gamma}`);
      if (expected.action_marginals) expectClose(actionProbabilities, expected.action_marginals, 1e-4, 'marginals');
    }
  });

  it.each(of('learning'))('%s: counts after every step', (_, c) => {
    const retention: number = c.forgetting ?? 1;
    // The reference forgets B at the first step too, where nothing is learned of it; the agent forgets when it learns.
    const faded = (x: NestedArray): NestedArray => x.map((n) => (typeof n === 'number' ? n * retention : faded(n)));
    const { pA, pD } = c.initial;
    const learning = { pA, pB: c.initial.pB.map(faded), pD, learningRate: c.lr, retention };
    const agent = new DiscreteAgent({ ...arrays(c.model), learning });
    // The recorded pA and pB of all steps but the last already carry the next step's forgetting.
    const early = (t: number) => (t < c.steps.length - 1 ? learning.retention : 1);
    const scaled = (counts: unknown, t: number) => flat(counts).map((n) => n * early(t));
    for (const [t, step] of c.steps.entries()) {
      if (step.action_before_obs) agent.act(step.action_before_obs);
      if (c.model.B.length === 1) {
        expectClose(agent.prior, step.prior, 1e-9, `prior ${t}`);
        expectClose(agent.inferStates(step.obs).beliefs, step.qs, 1e-9, `beliefs ${t}`);
        agent.learn();
        expectClose(scaled(agent.counts.pA, t), step.pA, 1e-9, `pA ${t}`);
        expectClose(scaled(agent.counts.pB, t), step.pB, 1e-9, `pB ${t}`);
        expectClose(agent.counts.pD, step.pD, 1e-9, `pD ${t}`);
        continue;
      }
      // The reference's beliefs about several factors come from pymdp's parallel updates: learn from those.
      const before = t === 0 ? c.initial : c.steps[t - 1];
      const kept = t === 0 ? learning.retention : 1;
      const { spec } = parseModel(arrays(c.model));
      const model = native.createModel(spec);
      const seen = c.model.A.flatMap((a, m) => a.map((_, o) => (o === step.obs[m] ? 1 : 0)));
      const countsA = Float64Array.from(flat(before.pA));
      native.learnA(model, Float64Array.from(seen), Float64Array.from(flat(step.qs)), c.lr, kept, countsA);
      expectClose(scaled(countsA, t), step.pA, 1e-9, `pA ${t}`);
      if (t > 0) {
        const countsB = Float64Array.from(flat(before.pB));
        const [now, then] = [step.qs, c.steps[t - 1].qs].map((q) => Float64Array.from(flat(q)));
        native.learnB(model, Int32Array.from(step.action_before_obs), now!, then!, c.lr, kept, countsB);
        expectClose(scaled(countsB, t), step.pB, 1e-9, `pB ${t}`);
      }
    }
  });

  it.each([...of('agent_tmaze'), ...of('agent_forced_obs')].filter(([, c]) => !c.sophisticated))(
    '%s: beliefs, policies and actions of a whole episode',
    (_, c) => {
      const agent = new DiscreteAgent({ ...arrays(c.model), policies: c.policies, gamma: c.gamma, iterations: 1000 });
      const exact = c.model.B.length === 1;
      for (const [t, step] of c.steps.entries()) {
        const found = agent.step(step.obs);
        if (exact) expectClose(found.beliefs, step.qs, 1e-9, `beliefs ${t}`);
        // With several factors, from the reference's beliefs, which come from pymdp's parallel updates.
        const there = new DiscreteAgent({ ...arrays(c.model), policies: c.policies, gamma: c.gamma, D: step.qs });
        const policies = there.inferPolicies();
        expectClose(
          policies.expectedFreeEnergy.map((g) => -g),
          step.neg_G,
          1e-4,
          `G ${t}`,
        );
        expectClose(policies.policyProbabilities, step.q_pi, 1e-3, `posterior ${t}`);
        expect(found.action, `action ${t}`).toEqual(step.action);
      }
    },
  );
});
