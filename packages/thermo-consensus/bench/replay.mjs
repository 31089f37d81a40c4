// Recorded outcomes of real models replayed as a bandit: each question is answered by one model, and only that model's outcome and
// cost are seen. Nobody tells which benchmark a question comes from; kinds of questions are found in the text by @x/te-router, from
// the questions alone.
//
//   node bench/replay.mjs [--sets routerbench,llmrouter,routerarena,gsm8k,mmlu] [--seeds 20] [--rows 2500] [--router-seeds 3]
//
// The stream is the rows in random order, at most `--rows` of them, drawn anew for each seed. Each policy aims at
// `quality - lambda cost / C`, C being the mean cost of the best single model. Regret is against the best single model for that aim,
// known in advance. A policy's curve of quality over cost comes from a sweep of lambda, each a bandit of its own that starts from
// nothing, measured on the second half of the stream while it goes on learning; "saving at 98 %" is what the curve spends less than
// the best single model at 98 % of its quality. The single models are points of everybody's curve. Choosing a point of the curve
// needs outcomes of all points, so savings are optimistic, for all rows alike. Intervals are 2.5 and 97.5 percentiles over the seeds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { QueryRouter } from '@x/te-router';
import { Consensus } from '@x/thermo-consensus';

const { values: flags } = parseArgs({
  options: {
    sets: { type: 'string', default: 'routerbench,llmrouter,routerarena,gsm8k,mmlu' },
    seeds: { type: 'string', default: '20' },
    rows: { type: 'string', default: '2500' },
    'router-seeds': { type: 'string', default: '3' },
    policies: { type: 'string' },
    ours: { type: 'string', default: '{}' },
  },
});
const folder = join(process.env.X_REFERENCE_DIR ?? '../../../shared', 'reference', 'routing');
const FILES = {
  routerbench: 'routerbench3_11models',
  llmrouter: 'llmrouter_9models',
  routerarena: 'routerarena_2models',
  gsm8k: 'routellm_gsm8k',
  mmlu: 'routellm_mmlu',
};
const SHARES = [1, 0.98, 0.95];
const LAMBDAS = [0, 0.003, 0.007, 0.012, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1];
// Prices a call where none is recorded: RouteLLM's two, and LLMRouter's by size of model with 200 tokens out.
const CALL = { 'gpt-4-1106-preview': 24.7, 'mixtral-8x7b': 0.24 };

function prices() {
  const out = new Map();
  for (const line of readFileSync(join(folder, 'prices.csv'), 'utf8').trim().split('\n').slice(1)) {
    const cells = line.split(',');
    out.set(cells[1], cells.slice(2).map(Number));
  }
  return out;
}

function load(set) {
  const rows = gunzipSync(readFileSync(join(folder, `${FILES[set]}.jsonl.gz`)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const quality = (row, m) => row.q?.[m] ?? row.score?.[m];
  const models = Object.keys(rows[0].q ?? rows[0].score).sort();
  const list = prices();
  const cost = (row, m) => {
    if (row.cost_usd) return row.cost_usd[m];
    if (CALL[m]) return CALL[m];
    const [input, output] = list.get(m) ?? [0.2, 0.2];
    return ((row.prompt.length / 4) * input + 200 * (output || input)) / 1e6;
  };
  return {
    models,
    rows: rows.map((r) => ({
      text: r.prompt,
      label: r.domain,
      q: models.map((m) => Number(quality(r, m))),
      cost: models.map((m) => cost(r, m)),
    })),
  };
}

function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
function shuffled(items, random) {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}
const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;

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
 * The kind of each question of a stream, as a router finds them online. They follow from the texts alone, never from outcomes, so
 * every policy of a seed sees the same ones.
 */
function kindsOf(stream, seed) {
  const router = new QueryRouter({
    models: [{ name: 'any', cost: 1 }],
    refit: 'manual',
    seed,
    maxDomains: OURS.maxDomains,
    domainThreshold: OURS.domainThreshold,
  });
  return stream.map((row) => {
    const decision = router.route(row.text);
    // Learns the text; the quality is the same for all, so it says nothing.
    router.observe({ decision, model: 'any', quality: 0.5 });
    return decision.domain >= 0 ? decision.domain : 'new';
  });
}

// First guesses, not tuned on anything; `--ours` overrides them, for tuning on seeds 1 to 3 of routerbench alone.
const OURS = {
  selection: 'thompson',
  pooling: 4,
  prior: { alpha: 1, beta: 1 },
  limit: 20,
  maxDomains: 8,
  domainThreshold: 0.5,
  ...JSON.parse(flags.ours),
};

/** Consensus on the kinds found; with `estimates`, those of a QueryRouter that learns from the same outcomes count as well. */
function consensusPolicy({ models, C, lambda, seed, kinds }, estimates) {
  const costs = new Costs(models);
  const consensus = new Consensus({
    models: models.map((name) => ({ name, cost: C })),
    energy: { cost: lambda, costNormaliser: C },
    selection: OURS.selection,
    learning: { pooling: OURS.pooling, prior: OURS.prior, external: { limit: OURS.limit } },
    seed,
  });
  const router =
    estimates &&
    new QueryRouter({ models: models.map((name) => ({ name, cost: 1, priorQuality: 0.6 })), seed, maxDomains: 16 });
  let route;
  return {
    choose(row, i) {
      const costScale = {};
      for (const [m, name] of models.entries()) costScale[name] = costs.of(kinds[i], m) / C;
      const context = { domain: kinds[i], costScale };
      if (router) {
        route = router.route(row.text);
        context.quality = Object.fromEntries(
          route.models.map((e) => [e.model, { mean: e.quality, uncertainty: e.uncertainty }]),
        );
      }
      return models.indexOf(consensus.choose(context).model);
    },
    learn(_row, m, quality, cost, i) {
      const q = Math.min(1, Math.max(0, quality));
      costs.add(kinds[i], m, cost);
      consensus.observe({ model: models[m], domain: kinds[i], success: q });
      if (router) router.observe({ decision: route, model: models[m], quality: q });
    },
  };
}

// Every policy: { choose(row, i) -> model index, learn(row, model, quality, cost, i) }.
const POLICIES = {
  'ours: Consensus on kinds found': (world) => consensusPolicy(world, false),
  'ours, with QueryRouter estimates': (world) => consensusPolicy(world, true),
  'epsilon-greedy 0.1 on kinds found'({ models, C, lambda, random, kinds }) {
    const byKind = new Map();
    const sumsOf = (kind) => {
      if (!byKind.has(kind))
        byKind.set(
          kind,
          models.map(() => [0, 0]),
        );
      return byKind.get(kind);
    };
    return {
      choose(_row, i) {
        const sums = sumsOf(kinds[i]);
        const untried = sums.findIndex((s) => s[1] === 0);
        if (untried >= 0) return untried;
        if (random() < 0.1) return Math.floor(random() * models.length);
        return best(sums.map((s) => s[0] / s[1]));
      },
      learn(_row, m, quality, cost, i) {
        const own = sumsOf(kinds[i])[m];
        own[0] += quality - (lambda * cost) / C;
        own[1]++;
      },
    };
  },
  'epsilon-greedy 0.1'({ models, C, lambda, random }) {
    const sums = models.map(() => [0, 0]);
    return {
      choose() {
        const untried = sums.findIndex((s) => s[1] === 0);
        if (untried >= 0) return untried;
        if (random() < 0.1) return Math.floor(random() * models.length);
        return best(sums.map((s) => s[0] / s[1]));
      },
      learn(_row, m, quality, cost) {
        sums[m][0] += quality - (lambda * cost) / C;
        sums[m][1]++;
      },
    };
  },
  UCB1({ models, C, lambda }) {
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
        sums[m][0] += quality - (lambda * cost) / C;
        sums[m][1]++;
      },
    };
  },
  LinUCB({ models, C, lambda }) {
    // L. Li et al., WWW 2010, on 24 hashed words and the length; the inverses are kept up to date by Sherman and Morrison.
    const d = 26;
    const arms = models.map(() => {
      const inverse = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
      return { inverse, b: new Float64Array(d) };
    });
    const times = (a, x) =>
      Float64Array.from({ length: d }, (_, i) => x.reduce((sum, v, j) => sum + a[i * d + j] * v, 0));
    const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
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
        for (let i = 0; i < d; i++) b[i] += (quality - (lambda * cost) / C) * x[i];
      },
    };
  },
  'always the best single model (known in advance)'({ models, rows, C, lambda }) {
    const aims = models.map((_, m) => mean(rows.map((r) => r.q[m] - (lambda * r.cost[m]) / C)));
    return { choose: () => best(aims), learn() {} };
  },
  'domain mean (label, all outcomes)'({ models, rows, C, lambda }) {
    const byLabel = new Map();
    for (const row of rows) byLabel.set(row.label, [...(byLabel.get(row.label) ?? []), row]);
    const choice = new Map();
    for (const [label, own] of byLabel)
      choice.set(label, best(models.map((_, m) => mean(own.map((r) => r.q[m] - (lambda * r.cost[m]) / C)))));
    return { choose: (row) => choice.get(row.label), learn() {} };
  },
  'oracle (all outcomes)'({ models, C, lambda }) {
    return {
      choose: (row) => best(models.map((_, m) => row.q[m] - (Math.max(lambda, 1e-6) * row.cost[m]) / C)),
      learn() {},
    };
  },
};

function best(values) {
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return at;
}
function hashed(row, d) {
  if (row.hashed) return row.hashed;
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
  row.hashed = x;
  return x;
}

/** Saving at a share of the reference's quality, on the lower hull of the curve and the single models ("zero router"). */
function saving(points, reference, share) {
  const wanted = share * reference.quality;
  let least = Infinity;
  for (const p of points) {
    if (p.quality >= wanted) least = Math.min(least, p.cost);
    for (const o of points) {
      if (!(p.quality < wanted && o.quality > wanted)) continue;
      const w = (wanted - p.quality) / (o.quality - p.quality); // a mixture of the two
      least = Math.min(least, p.cost + w * (o.cost - p.cost));
    }
  }
  return least === Infinity ? Number.NaN : 1 - least / reference.cost;
}

const percent = (x) => (Number.isNaN(x) ? 'n/a' : `${(100 * x).toFixed(1)}`);
function withInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.some(Number.isNaN)) {
    const reached = sorted.filter((v) => !Number.isNaN(v));
    return reached.length === 0
      ? 'not reached'
      : `${percent(mean(reached))} (reached by ${reached.length}/${values.length})`;
  }
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return `${percent(mean(values))} [${percent(at(0.025))}, ${percent(at(0.975))}]`;
}

const interval = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return `${mean(values).toFixed(0)} [${at(0.025).toFixed(0)}, ${at(0.975).toFixed(0)}]`;
};
const SHOWN = 0.1;

for (const set of flags.sets.split(',')) {
  const { models, rows } = load(set);
  const started = performance.now();
  const singlesOf = (some) =>
    models.map((_, m) => ({ quality: mean(some.map((r) => r.q[m])), cost: mean(some.map((r) => r.cost[m])) }));
  const singles = singlesOf(rows);
  const reference = best(singles.map((s) => s.quality));
  const C = singles[reference].cost;
  // One shuffled sample, its kinds and the yardstick of its second half a seed, the same for every policy.
  const worlds = Array.from({ length: Number(flags.seeds) }, (_, k) => {
    const stream = shuffled(rows, generator(k + 1)).slice(0, Number(flags.rows));
    const half = Math.floor(stream.length / 2);
    return { seed: k + 1, stream, half, kinds: kindsOf(stream, k + 1), here: singlesOf(stream.slice(half)) };
  });
  const length = worlds[0].stream.length;
  const kinds = mean(worlds.map((w) => new Set(w.kinds).size));
  console.log(
    `\n## ${set}: ${length} of ${rows.length} questions, ${models.length} models, ${kinds.toFixed(0)} kinds found (${new Set(rows.map((r) => r.label)).size} labels); best single model ${models[reference]}, quality ${singles[reference].quality.toFixed(4)}\n`,
  );
  console.log(
    `| policy | seeds | saving % at 100 % | at 98 % | at 95 % | regret at lambda ${SHOWN} | quality, cost % at lambda ${SHOWN} |`,
  );
  console.log('|---|---:|---:|---:|---:|---:|---:|');
  const zero = SHARES.map((share) => withInterval(worlds.map(({ here }) => saving(here, here[reference], share))));
  console.log(`| zero router (hull of single models) | ${worlds.length} | ${zero.join(' | ')} | | |`);
  for (const [name, make] of Object.entries(POLICIES)) {
    if (flags.policies && !flags.policies.split(',').some((part) => name.includes(part))) continue;
    const seeds = name.includes('QueryRouter') ? Math.min(worlds.length, Number(flags['router-seeds'])) : worlds.length;
    if (seeds === 0) continue;
    const savings = [[], [], []];
    const regrets = [];
    const shown = [];
    for (const { seed, stream, half, kinds, here } of worlds.slice(0, seeds)) {
      const points = [];
      for (const lambda of LAMBDAS) {
        const random = generator(seed * 1009 + 1);
        const policy = make({ models, rows, C, lambda, seed, random, kinds });
        const aim = Math.max(...models.map((_, m) => mean(stream.map((r) => r.q[m] - (lambda * r.cost[m]) / C))));
        let regret = 0;
        let quality = 0;
        let cost = 0;
        for (const [i, row] of stream.entries()) {
          const m = policy.choose(row, i);
          policy.learn(row, m, row.q[m], row.cost[m], i);
          regret += aim - (row.q[m] - (lambda * row.cost[m]) / C);
          if (i >= half) {
            quality += row.q[m];
            cost += row.cost[m];
          }
        }
        const point = { quality: quality / (length - half), cost: cost / (length - half) };
        points.push(point);
        if (lambda === SHOWN) {
          regrets.push(regret);
          shown.push(point);
        }
      }
      // The single models on the same half, so that its luck is everybody's.
      for (const [k, share] of SHARES.entries()) savings[k].push(saving([...points, ...here], here[reference], share));
    }
    const q = mean(shown.map((p) => p.quality)).toFixed(4);
    const c = percent(mean(shown.map((p) => p.cost)) / C);
    console.log(
      `| ${name} | ${seeds} | ${savings.map(withInterval).join(' | ')} | ${interval(regrets)} | ${q}, ${c} |`,
    );
  }
  console.log(`\n${((performance.now() - started) / 1000).toFixed(0)} s`);
}
