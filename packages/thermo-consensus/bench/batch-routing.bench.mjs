// chooseBatch on recorded routing data, beside HiGHS's optimum of the same predicted utilities:
//   node bench/batch-routing.bench.mjs [--highs 20] [--seconds 1] [--splits 10] [--parts one,splits,size]
//     [--data RouterBench-11,LLMRouter-9]
// Learns each model's quality a domain from one half of the rows (a hash), then routes the other half; the first table is one split,
// the second sums up several. Latencies are
// not recorded anywhere: they are simulated from the models' recorded answer lengths or sizes and serve to exercise the
// deadlines. Data: $X_REFERENCE_DIR, else ../shared beside the repository.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { Consensus, InfeasibleError } from '@x/thermo-consensus';
import { gapModel, highsSolver } from './highs.mjs';

const { values } = parseArgs({
  options: {
    highs: { type: 'string' },
    seconds: { type: 'string', default: '1' },
    splits: { type: 'string', default: '10' },
    parts: { type: 'string', default: 'one,splits,size' },
    data: { type: 'string', default: 'RouterBench-11,LLMRouter-9' },
  },
});
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const folder = join(process.env.X_REFERENCE_DIR ?? join(root, '..', 'shared'), 'reference', 'routing');
if (!existsSync(folder)) throw new Error(`the reference data is not there: ${folder}`);
const rows = (name) =>
  gunzipSync(readFileSync(join(folder, name)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

function hash(text) {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return h >>> 0;
}
const mean = (list) => list.reduce((sum, x) => sum + x, 0) / Math.max(1, list.length);

// Price in USD a million tokens where no cost is recorded (see SOURCES.md of the data).
const SIZE_PRICE = [
  [/70b|51b|49b/i, 0.9],
  [/8b|7b/i, 0.2],
  [/9b/i, 0.1],
];
function load(name, file, split = '') {
  const all = rows(file);
  const models = Object.keys(all[0].q);
  const costOf = (row, m) =>
    row.cost_usd?.[m] ??
    ((row.prompt.length / 4 + 200) * (SIZE_PRICE.find(([size]) => size.test(m))?.[1] ?? 0.2)) / 1e6;
  const learn = all.filter((row) => hash(split + row.id) % 2 === 0);
  const test = all.filter((row) => hash(split + row.id) % 2 === 1);
  const meanCost = Object.fromEntries(models.map((m) => [m, mean(learn.map((row) => costOf(row, m)))]));
  const dearest = Math.max(...Object.values(meanCost));
  const latency = Object.fromEntries(models.map((m) => [m, 1 + 9 * Math.sqrt(meanCost[m] / dearest)]));
  return { name, models, learn, test, costOf, meanCost, latency };
}

function train({ models, learn, meanCost, latency }) {
  const consensus = new Consensus({
    models: models.map((m) => ({ name: m, cost: meanCost[m], latency: latency[m] })),
    energy: { cost: 0.05, quality: 1 },
    seed: 1,
  });
  for (const row of learn)
    for (const m of models) consensus.observe({ model: m, domain: row.domain, success: Math.min(1, row.q[m]) });
  return consensus;
}

// Queries of a domain differ in length, and with it in cost.
function contextsOf({ learn, test }) {
  const typical = mean(learn.map((row) => row.in_chars ?? row.prompt.length));
  return test.map((row, i) => {
    const length = row.in_chars ?? row.prompt.length;
    return {
      domain: row.domain,
      costScale: 0.3 + (0.7 * length) / typical,
      tokens: Math.ceil(length / 4) + 200,
      ...(i % 4 === 0 ? { deadline: 6 } : {}),
    };
  });
}

// The same energies as chooseBatch minimises, read from the public explanation of single choices: without the deadlines, which are
// terms of a single choice's energy and constraints of a batch.
function matrixOf(consensus, contexts) {
  const models = consensus.models;
  const n = contexts.length;
  const energies = new Float64Array(models.length * n);
  const costs = new Float64Array(models.length * n);
  contexts.forEach(({ deadline: _, ...context }, j) => {
    consensus.choose(context).explanation.forEach((m, i) => {
      energies[i * n + j] = m.energy;
      costs[i * n + j] = m.cost;
    });
  });
  return { energies, costs };
}

/** HiGHS's best for the same energies; a model too slow for a query's deadline is not allowed there. */
function solvedBy(peer, data, contexts, rateLimits, budget, { energies, costs }) {
  const n = contexts.length;
  const late = (k) =>
    data.latency[data.models[Math.floor(k / n)]] > (contexts[k % n].deadline ?? Number.POSITIVE_INFINITY);
  return peer(
    gapModel({
      sense: 'min',
      agents: data.models.length,
      jobs: n,
      costs: energies.map((e, k) => (late(k) ? Number.POSITIVE_INFINITY : e)),
      loads: new Float64Array(energies.length).fill(1),
      capacities: Float64Array.from(data.models, (m) => rateLimits[m]),
      budgets: [{ amounts: costs, limit: budget }],
    }),
    Number(values.highs),
  );
}

const peer = values.highs ? await highsSolver() : undefined;
console.log(
  `${cpus()[0].model}, Node ${process.version}; time limit ${values.seconds} s; HiGHS ${peer ? `${values.highs} s` : 'not run'}\n`,
);
const SETS = [
  ['RouterBench-11', 'routerbench3_11models.jsonl.gz'],
  ['LLMRouter-9', 'llmrouter_9models.jsonl.gz'],
].filter(([name]) => values.data.split(',').includes(name));

async function oneSplit() {
  const header = [
    'data',
    'queries',
    'budget',
    'energy',
    'bound',
    'gap',
    'ms',
    'quality: expected',
    'realised',
    'cost: expected',
    'realised',
  ];
  if (peer) header.push('HiGHS energy', 'its s', 'ours to its optimum', 'its realised quality');
  console.log(`| ${header.join(' | ')} |\n|${header.map(() => '---').join('|')}|`);
  let tried = 0;
  let refused = 0;
  let lost = 0;
  for (const data of SETS.map(([name, file]) => load(name, file))) {
    const contexts = contextsOf(data);
    const n = contexts.length;
    const { energies, costs } = matrixOf(train(data), contexts);
    const dearest = data.models.reduce((a, b) => (data.meanCost[a] > data.meanCost[b] ? a : b));
    const total = contexts.reduce((sum, c) => sum + c.costScale * data.meanCost[dearest], 0);
    for (const share of [0.05, 0.1, 0.2, 0.4]) {
      const budget = share * total;
      const rateLimits = Object.fromEntries(data.models.map((m) => [m, Math.ceil(0.35 * n)]));
      tried++;
      let routing;
      try {
        routing = await train(data).chooseBatch(
          contexts,
          { budget, rateLimits },
          { timeLimitMs: 1000 * Number(values.seconds) },
        );
      } catch (error) {
        if (!(error instanceof InfeasibleError)) lost++;
        refused++;
        console.log(`| ${data.name} | ${n} | ${share} | ${error.message} |`);
        continue;
      }
      const realised = (choose) => mean(data.test.map((row, j) => row.q[data.models[choose(j)]]));
      const spent = data.test.reduce((sum, row, j) => sum + data.costOf(row, data.models[routing.assignment[j]]), 0);
      const cells = [
        data.name,
        n,
        `${share * 100} % of all-${dearest.split('/').at(-1)}`,
        routing.energy.toFixed(4),
        routing.bound.toFixed(4),
        `${(routing.gap * 100).toFixed(5)} %`,
        routing.timeMs.toFixed(0),
        routing.quality.toFixed(4),
        realised((j) => routing.assignment[j]).toFixed(4),
        routing.cost.toPrecision(4),
        spent.toPrecision(4),
      ];
      if (peer) {
        const found = solvedBy(peer, data, contexts, rateLimits, budget, { energies, costs });
        const agent = new Map(found.pairs.map(([i, j]) => [j, i]));
        cells.push(
          `${found.objective.toFixed(4)} (${found.status})`,
          found.seconds.toFixed(1),
          `${(((routing.energy - found.objective) / Math.abs(found.objective)) * 100).toFixed(5)} %`,
          realised((j) => agent.get(j)).toFixed(4),
        );
      }
      console.log(`| ${cells.join(' | ')} |`);
    }
  }
  console.log(`\n${tried} problems: ${refused} refused as infeasible or not solved (${lost} of them without a proof).`);
}

const spread = (list, digits) => {
  if (list.length === 0) return '';
  const sorted = [...list].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))].toFixed(digits);
  return `${mean(list).toFixed(digits)} [${at(0.025)}, ${at(0.975)}]`;
};
/** Over splits: means, with 2.5 and 97.5 percentiles. */
async function severalSplits() {
  console.log(
    `\n| data | budget | splits | infeasible | gap to the bound, % | ms | realised less expected quality |${peer ? ' ours behind HiGHS, % | HiGHS s | HiGHS without proof |' : ''}`,
  );
  console.log(`|---|---:|---:|---:|---:|---:|---:|${peer ? '---:|---:|---:|' : ''}`);
  for (const [name, file] of SETS)
    for (const share of [0.05, 0.1, 0.2, 0.4]) {
      const runs = [];
      let infeasible = 0;
      for (let split = 1; split <= Number(values.splits); split++) {
        const data = load(name, file, `${split}:`);
        const contexts = contextsOf(data);
        const n = contexts.length;
        const dearest = Math.max(...Object.values(data.meanCost));
        const budget = share * contexts.reduce((sum, c) => sum + c.costScale * dearest, 0);
        const rateLimits = Object.fromEntries(data.models.map((m) => [m, Math.ceil(0.35 * n)]));
        try {
          const consensus = train(data);
          const routing = await consensus.chooseBatch(contexts, { budget, rateLimits });
          const quality = mean(data.test.map((row, j) => row.q[data.models[routing.assignment[j]]]));
          const result = { gap: 100 * routing.gap, ms: routing.timeMs, off: quality - routing.quality };
          if (peer) {
            const found = solvedBy(peer, data, contexts, rateLimits, budget, matrixOf(train(data), contexts));
            result.behind = ((routing.energy - found.objective) / Math.abs(found.objective)) * 100;
            result.seconds = found.seconds;
            result.unproven = found.status !== 'Optimal';
          }
          runs.push(result);
        } catch (error) {
          if (!(error instanceof InfeasibleError)) throw error;
          infeasible++;
        }
      }
      const cells = [
        name,
        `${100 * share} %`,
        values.splits,
        infeasible,
        spread(
          runs.map((r) => r.gap),
          4,
        ),
        spread(
          runs.map((r) => r.ms),
          0,
        ),
        spread(
          runs.map((r) => r.off),
          4,
        ),
      ];
      if (peer)
        cells.push(
          spread(
            runs.map((r) => r.behind),
            4,
          ),
          spread(
            runs.map((r) => r.seconds),
            1,
          ),
          runs.filter((r) => r.unproven).length,
        );
      console.log(`| ${cells.join(' | ')} |`);
    }
}

/** The stated size: 10,000 queries x 11 models with budget, rates and deadlines. */
async function statedSize() {
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  const models = Array.from({ length: 11 }, (_, i) => ({ name: `m${i}`, cost: 0.1 * 1.5 ** i, latency: 1 + i / 2 }));
  const many = Array.from({ length: 10_000 }, (_, j) => ({
    domain: j % 20,
    quality: Object.fromEntries(
      models.map((m, i) => [
        m.name,
        { mean: Math.min(1, Math.max(0, 0.3 + 0.05 * i + 0.4 * (random() - 0.3))), uncertainty: 0.05 },
      ]),
    ),
    costScale: 0.2 + 2 * random(),
    tokens: Math.floor(100 + 2000 * random()),
    deadline: random() < 0.2 ? 3 : 20,
  }));
  console.log(
    '\n| 10,000 queries x 11 models | whole call, median of 5, ms | of it solving | gap to the bound |\n|---|---:|---:|---:|',
  );
  for (const [what, more] of [
    ['budget, rates, deadlines', {}],
    ['and tokens of two models, floor of quality', { tokenLimits: { m9: 500_000, m2: 800_000 }, minQuality: 0.5 }],
  ]) {
    const runs = [];
    for (let k = 0; k < 5; k++) {
      const consensus = new Consensus({ models, energy: { cost: 0.3, quality: 1 }, seed: 1 });
      const start = performance.now();
      const rateLimits = Object.fromEntries(models.map((m, i) => [m.name, i < 5 ? 2000 : 1200]));
      const routing = await consensus.chooseBatch(many, { budget: 4000, rateLimits, ...more });
      runs.push({ ms: performance.now() - start, solving: routing.timeMs, gap: routing.gap });
    }
    const median = runs.sort((a, b) => a.ms - b.ms)[2];
    console.log(
      `| ${what} | ${median.ms.toFixed(0)} | ${median.solving.toFixed(0)} | ${(median.gap * 100).toFixed(5)} % |`,
    );
  }
}

const parts = { one: oneSplit, splits: severalSplits, size: statedSize };
for (const name of values.parts.split(',')) await parts[name]();
