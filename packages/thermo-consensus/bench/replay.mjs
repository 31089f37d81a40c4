// Recorded outcomes of real models replayed as a bandit: each question is answered by one model, and only that model's outcome and
// cost are seen. Nobody tells which benchmark a question comes from; kinds of questions are found in the text by @x/te-router.
//
//   node bench/replay.mjs [--sets routerbench,llmrouter,routerarena,gsm8k,mmlu] [--seeds 20] [--rows 6000]
//
// The stream is the rows in random order. Each policy aims at `quality - lambda cost / C`, C being the mean cost of the best single
// model. Regret is against the best single model for that aim, known in advance. A policy's curve of quality over cost comes from a
// sweep of lambda, measured on the second half of the stream while it goes on learning; "saving at 98 %" is what the curve spends less
// than the best single model at 98 % of its quality. Intervals are 2.5 and 97.5 percentiles over the seeds.
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
    rows: { type: 'string', default: '6000' },
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
const LAMBDAS = [0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1];
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
    let own = this.kinds.get(kind);
    if (!own) {
      own = this.all.map(() => [0, 0]);
      this.kinds.set(kind, own);
    }
    for (const pair of [own[m], this.all[m]]) {
      pair[0] += cost;
      pair[1]++;
    }
  }
}

// Every policy: { choose(row) -> model index, learn(row, model, quality, cost) }.
const POLICIES = {
  // As the gateway does it: the router reads the text and generalises over it; its estimates count as a few outcomes each beside what
  // was seen in this kind of question.
  ours({ models, C, lambda, seed }) {
    const costs = new Costs(models);
    const router = new QueryRouter({
      models: models.map((name) => ({ name, cost: 1, priorQuality: 0.6 })),
      seed,
      maxDomains: 16,
    });
    const consensus = new Consensus({
      models: models.map((name) => ({ name, cost: C })),
      energy: { cost: lambda, costNormaliser: C },
      selection: 'thompson',
      learning: { pooling: 0, external: { limit: 40 } },
      seed,
    });
    let route;
    return {
      choose(row) {
        route = router.route(row.text);
        const domain = route.domain >= 0 ? route.domain : 'new';
        const costScale = {};
        const quality = {};
        for (const [m, e] of route.models.entries()) {
          costScale[models[m]] = costs.of(domain, m) / C;
          quality[models[m]] = { mean: e.quality, uncertainty: e.uncertainty };
        }
        return models.indexOf(consensus.choose({ domain, costScale, quality }).model);
      },
      learn(_row, m, quality, cost) {
        const domain = route.domain >= 0 ? route.domain : 'new';
        const q = Math.min(1, Math.max(0, quality));
        costs.add(domain, m, cost);
        router.observe({ decision: route, model: models[m], quality: q });
        consensus.observe({ model: models[m], domain, success: q });
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

for (const set of flags.sets.split(',')) {
  const { models, rows: all } = load(set);
  const rows = all.slice(0, Number(flags.rows));
  const singlesOf = (some) =>
    models.map((_, m) => ({ quality: mean(some.map((r) => r.q[m])), cost: mean(some.map((r) => r.cost[m])) }));
  const singles = singlesOf(rows);
  const reference = singles[best(singles.map((s) => s.quality))];
  const C = reference.cost;
  console.log(
    `\n## ${set}: ${rows.length} questions, ${models.length} models; best single model ${models[singles.indexOf(reference)]}, quality ${reference.quality.toFixed(4)}\n`,
  );
  console.log(
    '| policy | saving % at 100 % | at 98 % | at 95 % | regret at lambda 0.1 | quality, cost % at lambda 0.1 |',
  );
  console.log('|---|---:|---:|---:|---:|---:|');
  const zero = SHARES.map((share) => percent(saving(singles, reference, share)));
  console.log(`| zero router (hull of single models) | ${zero.join(' | ')} | | |`);
  for (const [name, make] of Object.entries(POLICIES)) {
    const savings = [[], [], []];
    const regrets = [];
    const shown = [];
    for (let seed = 1; seed <= Number(flags.seeds); seed++) {
      const order = generator(seed);
      const stream = [...rows];
      for (let i = stream.length - 1; i > 0; i--) {
        const j = Math.floor(order() * (i + 1));
        [stream[i], stream[j]] = [stream[j], stream[i]];
      }
      const points = [];
      for (const lambda of LAMBDAS) {
        const random = generator(seed * 1009 + 1);
        const policy = make({ models, rows, C, lambda, seed, random });
        const aims = models.map((_, m) => mean(stream.map((r) => r.q[m] - (lambda * r.cost[m]) / C)));
        const aim = Math.max(...aims);
        let regret = 0;
        let quality = 0;
        let cost = 0;
        const half = Math.floor(stream.length / 2);
        for (const [i, row] of stream.entries()) {
          const m = policy.choose(row);
          policy.learn(row, m, row.q[m], row.cost[m]);
          regret += aim - (row.q[m] - (lambda * row.cost[m]) / C);
          if (i >= half) {
            quality += row.q[m];
            cost += row.cost[m];
          }
        }
        const point = { quality: quality / (stream.length - half), cost: cost / (stream.length - half) };
        points.push(point);
        if (lambda === 0.1) {
          regrets.push(regret);
          shown.push(point);
        }
      }
      // The single models on the same half, so that its luck is everybody's.
      const second = stream.slice(Math.floor(stream.length / 2));
      const here = singlesOf(second);
      const yardstick = here[singles.indexOf(reference)];
      for (const [k, share] of SHARES.entries()) savings[k].push(saving([...points, ...here], yardstick, share));
    }
    const q = mean(shown.map((p) => p.quality)).toFixed(4);
    const c = percent(mean(shown.map((p) => p.cost)) / C);
    console.log(`| ${name} | ${savings.map(withInterval).join(' | ')} | ${mean(regrets).toFixed(0)} | ${q}, ${c} |`);
  }
}
