// The policies of bench/replay.mjs. A policy is made of a world { models, C, knob, seed, random, kinds, rows, cut } and is
// { choose(row, i) -> model index, learn(row, model, quality, cost, i) }; C is the mean cost of the best single model and `kinds` the
// kinds of questions found in the texts. Only the oracle and the rows that say so look at outcomes of models that were not chosen.
import { Consensus, schedules } from '@x/thermo-consensus';
import { QueryRouter } from '../../te-router/dist/index.js';
import { mean } from './recorded.mjs';

/** Prices of quality: a policy aims at quality - knob * cost / C. */
const LAMBDAS = [0, 0.003, 0.007, 0.012, 0.02, 0.035, 0.05, 0.07, 0.1, 0.2, 0.35, 0.6, 1];
/** Shares of the best single model's quality. */
const TARGETS = [0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99, 1, 1.02];
const TEXT_TARGETS = [0.92, 0.95, 0.98, 1, 1.04];
/** The regret of all is told at this price. */
export const REGRET_LAMBDA = 0.1;

export function best(values) {
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return at;
}

/** Running mean cost of each model, by kind of question: what a bandit knows of costs. */
class Costs {
  constructor(models) {
    this.all = models.map(() => [0, 0]);
    this.kinds = new Map();
  }
  of(kind, m) {
    const own = this.kinds.get(kind)?.[m];
    if (own?.[1] > 0) return own[0] / own[1];
    return this.all[m][1] > 0 ? this.all[m][0] / this.all[m][1] : 0;
  }
  add(kind, m, cost) {
    if (!this.kinds.has(kind))
      this.kinds.set(
        kind,
        this.all.map(() => [0, 0]),
      );
    for (const pair of [this.kinds.get(kind)[m], this.all[m]]) {
      pair[0] += cost;
      pair[1]++;
    }
  }
}

/**
 * Consensus on the kinds found, or on the text itself (`text`), beside which the kinds only serve to estimate costs; with `estimates`,
 * those of a QueryRouter that learns from the same outcomes count as well. To see what is lost where: with `label` the benchmark's label is
 * told as the domain, and with `all` the outcomes of all models are seen, as if asking cost nothing.
 */
function consensusPolicy(
  { models, C, seed, kinds },
  options,
  { text = false, estimates = false, label = false, all = false } = {},
) {
  const costs = new Costs(models);
  const consensus = new Consensus({ models: models.map((name) => ({ name, cost: C })), seed, ...options });
  const router =
    estimates &&
    new QueryRouter({ models: models.map((name) => ({ name, cost: 1, priorQuality: 0.6 })), seed, drift: false });
  let route;
  let decision;
  return {
    choose(row, i) {
      const costScale = {};
      for (const [m, name] of models.entries()) costScale[name] = costs.of(kinds[i], m) / C;
      const context = { costScale, ...(text ? { text: row.text } : { domain: kinds[i] }) };
      if (label) context.domain = row.label;
      if (router) {
        route = router.route(row.text);
        context.quality = {};
        for (const e of route.models) context.quality[e.model] = { mean: e.quality, uncertainty: e.uncertainty };
      }
      decision = consensus.choose(context);
      return models.indexOf(decision.model);
    },
    learn(row, m, quality, cost, i) {
      costs.add(kinds[i], m, cost);
      consensus.observe({ decision, success: quality });
      if (all)
        for (const [other, model] of models.entries()) {
          if (other === m) continue;
          costs.add(kinds[i], other, row.cost[other]);
          consensus.observe({ model, text: row.text, domain: decision.domain, success: row.quality[other] });
        }
      if (router) router.observe({ decision: route, model: models[m], quality });
    },
  };
}

const priced = ({ C, knob }) => ({ energy: { cost: knob, costNormaliser: C }, selection: 'thompson' });
const targeted = ({ C, knob, cut }, { spread = 1.5, ...extra } = {}) => ({
  energy: { cost: 1, costNormaliser: C },
  target: knob,
  // Strays from what is believed while it learns, and goes by it afterwards.
  schedule: schedules.custom((step) => (step < cut ? spread : 0)),
  ...extra,
});
// Draws of the belief about texts as they are: with 0.5 and 0.25 of their distance the reference was missed in some streams.
const READS = { text: true };

function averages({ models, C, knob, random, kinds }, byKind) {
  const tables = new Map();
  const sumsOf = (i) => {
    const kind = byKind ? kinds[i] : 'all';
    if (!tables.has(kind))
      tables.set(
        kind,
        models.map(() => [0, 0]),
      );
    return tables.get(kind);
  };
  return {
    choose(_row, i) {
      const sums = sumsOf(i);
      const untried = sums.findIndex((s) => s[1] === 0);
      if (untried >= 0) return untried;
      if (random() < 0.1) return Math.floor(random() * models.length);
      return best(sums.map((s) => s[0] / s[1]));
    },
    learn(_row, m, quality, cost, i) {
      const own = sumsOf(i)[m];
      own[0] += quality - (knob * cost) / C;
      own[1]++;
    },
  };
}

export const POLICIES = {
  'Consensus, target': { knobs: TARGETS, make: (world) => consensusPolicy(world, targeted(world)) },
  'Consensus, price': { knobs: LAMBDAS, make: (world) => consensusPolicy(world, priced(world)) },
  'Consensus, text, target': {
    knobs: TEXT_TARGETS,
    make: (world) => consensusPolicy(world, targeted(world, { spread: 1 }), READS),
  },
  'Consensus, text, target (all outcomes)': {
    knobs: TEXT_TARGETS,
    make: (world) => consensusPolicy(world, targeted(world, { spread: 0 }), { ...READS, all: true }),
  },
  'Consensus, text, target (label)': {
    knobs: TEXT_TARGETS,
    make: (world) => consensusPolicy(world, targeted(world, { spread: 1 }), { ...READS, label: true }),
  },
  'Consensus, text, target (label, all outcomes)': {
    knobs: TEXT_TARGETS,
    make: (world) => consensusPolicy(world, targeted(world, { spread: 0 }), { ...READS, label: true, all: true }),
  },
  'Consensus, text, price': { knobs: LAMBDAS, make: (world) => consensusPolicy(world, priced(world), READS) },
  'Consensus, target, with a QueryRouter': {
    knobs: TARGETS,
    slow: true,
    make: (world) =>
      consensusPolicy(world, targeted(world, { learning: { external: { limit: 20 } } }), { estimates: true }),
  },
  'epsilon-greedy 0.1': { knobs: LAMBDAS, make: (world) => averages(world, false) },
  'epsilon-greedy 0.1 on kinds': { knobs: LAMBDAS, make: (world) => averages(world, true) },
  UCB1: {
    knobs: LAMBDAS,
    make({ models, C, knob }) {
      const sums = models.map(() => [0, 0]);
      let t = 0;
      return {
        choose() {
          const untried = sums.findIndex((s) => s[1] === 0);
          if (untried >= 0) return untried;
          return best(sums.map((s) => s[0] / s[1] + Math.sqrt((2 * Math.log(t)) / s[1])));
        },
        learn(_row, m, quality, cost) {
          t++;
          sums[m][0] += quality - (knob * cost) / C;
          sums[m][1]++;
        },
      };
    },
  },
  LinUCB: { knobs: LAMBDAS, make: linUcb },
  'always the best single model': {
    knobs: [0],
    make: ({ models, rows }) => {
      const at = best(models.map((_, m) => mean(rows.map((r) => r.quality[m]))));
      return { choose: () => at, learn() {} };
    },
  },
  'domain mean (label, all outcomes of the first part)': {
    knobs: LAMBDAS,
    make: ({ models, rows, C, knob, cut }) => labelMeans(models, rows.slice(0, cut), C, knob),
  },
  'domain mean (label, all outcomes of all parts)': {
    knobs: LAMBDAS,
    make: ({ models, rows, C, knob }) => labelMeans(models, rows, C, knob),
  },
  'oracle (all outcomes)': {
    knobs: LAMBDAS,
    make: ({ models, C, knob }) => ({
      choose: (row) => best(models.map((_, m) => row.quality[m] - (Math.max(knob, 1e-6) * row.cost[m]) / C)),
      learn() {},
    }),
  },
};

function labelMeans(models, rows, C, knob) {
  const aim = (some) => best(models.map((_, m) => mean(some.map((r) => r.quality[m] - (knob * r.cost[m]) / C))));
  const byLabel = new Map();
  for (const row of rows) byLabel.set(row.label, [...(byLabel.get(row.label) ?? []), row]);
  const choice = new Map([...byLabel].map(([label, own]) => [label, aim(own)]));
  const otherwise = aim(rows);
  return { choose: (row) => choice.get(row.label) ?? otherwise, learn() {} };
}

/** L. Li et al., WWW 2010, on 24 hashed words and the length; the inverses are kept up to date by Sherman and Morrison. */
function linUcb({ models, C, knob }) {
  const d = 26;
  const arms = models.map(() => ({
    inverse: Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0)),
    b: new Float64Array(d),
  }));
  const out = new Float64Array(d);
  const times = (a, x) => {
    for (let i = 0; i < d; i++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += a[i * d + j] * x[j];
      out[i] = sum;
    }
    return out;
  };
  const dot = (x, y) => {
    let sum = 0;
    for (let i = 0; i < d; i++) sum += x[i] * y[i];
    return sum;
  };
  return {
    choose(row) {
      const x = hashed(row, d);
      return best(
        arms.map(({ inverse, b }) => {
          const ax = times(inverse, x);
          return dot(ax, b) + 0.5 * Math.sqrt(dot(ax, x));
        }),
      );
    },
    learn(row, m, quality, cost) {
      const x = hashed(row, d);
      const { inverse, b } = arms[m];
      const ax = times(inverse, x);
      const scale = 1 / (1 + dot(ax, x));
      for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) inverse[i * d + j] -= scale * ax[i] * ax[j];
      for (let i = 0; i < d; i++) b[i] += (quality - (knob * cost) / C) * x[i];
    },
  };
}

const features = new WeakMap();
function hashed(row, d) {
  if (features.has(row)) return features.get(row);
  const x = new Float64Array(d);
  x[0] = 1;
  x[1] = Math.log(1 + row.text.length) / 10;
  for (const word of row.text.toLowerCase().match(/[a-z]+|\d|[^\s\w]/g) ?? []) {
    let h = 7;
    for (const c of word) h = (Math.imul(h, 31) + c.charCodeAt(0)) | 0;
    x[2 + ((h >>> 0) % (d - 2))] += 1;
  }
  const norm = Math.hypot(...x.subarray(2)) || 1;
  for (let i = 2; i < d; i++) x[i] /= norm;
  features.set(row, x);
  return x;
}
