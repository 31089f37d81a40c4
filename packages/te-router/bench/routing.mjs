// What the router earns on recorded outcomes, beside rivals that learn from the same rows:
//   node bench/routing.mjs [--sets=mmlu,gsm8k,mtbench,routerbench,llmrouter] [--splits=5]
// On a machine of many cores one process a split, and their results put together:
//   node bench/routing.mjs --sets=mmlu --only=3 --json=mmlu-3.json;  node bench/routing.mjs --merge=mmlu-1.json,mmlu-2.json,...
// 70 % of the rows are fitted, the rest is scored once; five splits by the hash of a row's id; 95 % bootstrap intervals over
// the test rows, averaged over the splits. No benchmark label reaches the router. MT-Bench: five folds over all rows.
// Defaults throughout: `new QueryRouter({ models })`, `fit`, `route`.
import { execSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { QueryRouter } from '../dist/index.js';
import * as baselines from './routing/baselines.mjs';
import { draw, load, PAIR_COST, present, split } from './routing/data.mjs';
import { bootstrap, curve, deviation, mean, pairMetrics, savings } from './routing/metrics.mjs';

const flag = (name, fallback) => {
  const given = process.argv.find((a) => a.startsWith(`--${name}=`));
  return given ? given.slice(name.length + 3) : fallback;
};
if (!present) {
  console.log('skipped: no reference/routing below X_REFERENCE_DIR or ../shared');
  process.exit(0);
}
const SETS = flag('sets', 'mtbench,gsm8k,routerbench,llmrouter,mmlu').split(',');
const ONLY = Number(flag('only', 0));
const SPLITS = ONLY > 0 ? [ONLY] : Array.from({ length: Number(flag('splits', 5)) }, (_, i) => i + 1);
const STRONG = 'gpt-4-1106-preview';
const WEAK = 'mixtral-8x7b';

/** Predictions of every model for each test row, by the public API. */
async function ours(train, test, models, policies = []) {
  const meanCost = (m) => (train[0].cost ? mean(train.map((r) => r.cost[m])) : 1);
  const router = new QueryRouter({ models: models.map((name) => ({ name, cost: meanCost(name) })) });
  const rows = train.map(({ text, quality, cost }) => ({ query: text, quality, ...(cost && { cost }) }));
  const started = performance.now();
  await router.fit(rows);
  const fitted = (performance.now() - started) / 1000;
  const decisions = test.map((r) => router.route(r.text));
  // Thresholds fixed on the training rows, and what they then yield on the test rows.
  const fixed = [];
  for (const policy of policies) {
    const tuned = router.tunePolicy(policy);
    const chosen = test.map((r) => router.route(r.text).choice);
    fixed.push({
      policy,
      promised: tuned,
      quality: mean(test.map((r, i) => r.quality[chosen[i]])),
      cost: mean(test.map((r, i) => r.cost[chosen[i]])),
    });
  }
  return {
    predicted: decisions.map((d) => d.models.map((m) => m.quality)),
    cost: decisions.map((d) => d.models.map((m) => m.cost)),
    deviations: decisions.map((d) => d.models.map((m) => m.uncertainty)),
    fitted,
    fixed,
  };
}

const RIVALS = ['random', 'length', 'domainMean', 'knn', 'logistic', 'oracle'];
const table = [];
const row = (...cells) => table.push(`| ${cells.join(' | ')} |`);
const pm = (v, digits = 3) => `${mean(v).toFixed(digits)} ± ${deviation(v).toFixed(digits)}`;
const ci = (v, digits = 3) =>
  `[${mean(v.map((x) => x[0])).toFixed(digits)}, ${mean(v.map((x) => x[1])).toFixed(digits)}]`;
const percent = (v) => `${(100 * mean(v)).toFixed(1).replace(/^-(0\.0)$/, '$1')} %`;

async function pair(name, file) {
  const rows = load(file);
  const results = Object.fromEntries(['QueryRouter', ...RIVALS].map((r) => [r, []]));
  const fixed = [];
  for (const s of SPLITS) {
    const { train, test } = split(rows, s);
    const strong = test.map((r) => r.quality[STRONG]);
    const weak = test.map((r) => r.quality[WEAK]);
    const add = (who, predicted) => {
      const score = predicted.map((p) => p[0] - p[1]);
      const metrics = pairMetrics(score, strong, weak, { strong: PAIR_COST[STRONG], weak: PAIR_COST[WEAK] });
      const interval = bootstrap(test.length, (i) => {
        const gains = curve(
          i.map((j) => score[j]),
          i.map((j) => strong[j]),
          i.map((j) => weak[j]),
        );
        const n = i.length;
        let area = 0;
        for (let k = 1; k <= n; k++) area += (gains[k] + gains[k - 1]) / 2 / gains[n] / n;
        return area;
      });
      results[who].push({ ...metrics, interval });
    };
    const own = await ours(
      train,
      test,
      [STRONG, WEAK],
      [{ costShare: 0.25 }, { costShare: 0.5 }, { quality: 0.95 }, { quality: 0.98 }],
    );
    add('QueryRouter', own.predicted);
    const always = { q: mean(strong), c: mean(test.map((r) => r.cost[STRONG])) };
    fixed.push(own.fixed.map((f) => ({ ...f, qualityShare: f.quality / always.q, costShare: f.cost / always.c })));
    for (const rival of RIVALS) add(rival, baselines[rival](train, test, [STRONG, WEAK]));
  }
  return { name, rows: rows.length, results, fixed };
}

function pairTable({ name, rows, results, fixed }) {
  table.push('', `### ${name}: ${rows} rows, ${fixed.length} splits`, '');
  row('router', 'APGR, mean ± sd of splits', '95 % bootstrap', 'CPT50', 'CPT80', 'saving at 95 %', 'at 98 %');
  row('---', '---', '---', '---', '---', '---', '---');
  for (const [who, r] of Object.entries(results))
    row(
      who === 'domainMean' ? 'domain mean (uses the label)' : who,
      pm(r.map((x) => x.apgr)),
      ci(r.map((x) => x.interval)),
      percent(r.map((x) => x.cpt50)),
      percent(r.map((x) => x.cpt80)),
      percent(r.map((x) => x.saving95)),
      percent(r.map((x) => x.saving98)),
    );
  fixedRows(fixed, 'gpt-4-1106-preview');
}

function fixedRows(fixed, reference) {
  table.push('', `Thresholds fixed on the training rows (shares of ${reference} alone on the test rows):`, '');
  row('policy', 'quality', 'cost');
  row('---', '---', '---');
  fixed[0].forEach((f, i) => {
    const [[key, value]] = Object.entries(f.policy);
    row(`${key} ${value}`, percent(fixed.map((x) => x[i].qualityShare)), percent(fixed.map((x) => x[i].costShare)));
  });
}

async function mtbench() {
  const rows = load('routellm_mtbench');
  const results = Object.fromEntries(['QueryRouter', ...RIVALS].map((r) => [r, []]));
  // Five folds, five times; every question is scored by a fit that has not seen it, as one curve.
  for (const s of SPLITS) {
    const order = [...rows].sort((a, b) => draw(a.id, s) - draw(b.id, s));
    const scores = Object.fromEntries(Object.keys(results).map((r) => [r, new Array(rows.length)]));
    for (let f = 0; f < 5; f++) {
      const train = order.filter((_, i) => i % 5 !== f);
      const test = order.filter((_, i) => i % 5 === f);
      const put = (who, predicted) =>
        predicted.forEach((p, j) => {
          scores[who][5 * j + f] = p[0] - p[1];
        });
      put('QueryRouter', (await ours(train, test, [STRONG, WEAK])).predicted);
      for (const rival of RIVALS) put(rival, baselines[rival](train, test, [STRONG, WEAK]));
    }
    const strong = order.map((r) => r.quality[STRONG]);
    const weak = order.map((r) => r.quality[WEAK]);
    for (const [who, score] of Object.entries(scores)) {
      const metrics = pairMetrics(score, strong, weak, { strong: PAIR_COST[STRONG], weak: PAIR_COST[WEAK] });
      const interval = bootstrap(
        rows.length,
        (i) =>
          pairMetrics(
            i.map((j) => score[j]),
            i.map((j) => strong[j]),
            i.map((j) => weak[j]),
            { strong: 1, weak: 0 },
          ).apgr,
      );
      results[who].push({ ...metrics, interval });
    }
  }
  return { rows: rows.length, results, fixed: SPLITS };
}

function mtbenchTable({ rows, results, fixed }) {
  table.push('', `### MT-Bench: ${rows} questions, 5-fold, ${fixed.length} times`, '');
  row('router', 'APGR, mean ± sd', '95 % bootstrap', 'CPT50', 'CPT80');
  row('---', '---', '---', '---', '---');
  for (const [who, r] of Object.entries(results))
    row(
      who === 'domainMean' ? 'domain mean (uses the label)' : who,
      pm(r.map((x) => x.apgr)),
      ci(r.map((x) => x.interval)),
      percent(r.map((x) => x.cpt50)),
      percent(r.map((x) => x.cpt80)),
    );
}

async function many(name, file, parts, policies) {
  const rows = load(file);
  const models = Object.keys(rows[0].quality).sort();
  const results = Object.fromEntries(['QueryRouter', ...RIVALS, 'best single'].map((r) => [r, []]));
  const fixed = [];
  for (const s of SPLITS) {
    const { train, test } = split(rows, s);
    const quality = test.map((r) => models.map((m) => r.quality[m]));
    const cost = test.map((r) => models.map((m) => r.cost[m]));
    const single = models.map((m) => mean(train.map((r) => r.quality[m])));
    const reference = single.indexOf(Math.max(...single));
    const meanCost = models.map((m) => mean(train.map((r) => r.cost[m])));
    const add = (who, predicted, predictedCost) => {
      const at = savings(predicted, predictedCost, quality, cost, reference, parts);
      // A bootstrap of the quality at lambda 0 and of the savings, with fewer draws: each is a whole curve.
      const chosen = predicted.map((p) => p.indexOf(Math.max(...p)));
      const interval = bootstrap(test.length, (i) => mean(i.map((j) => quality[j][chosen[j]])));
      results[who].push({ ...at, interval });
    };
    const own = await ours(train, test, models, policies);
    add('QueryRouter', own.predicted, own.cost);
    const alwaysQ = mean(quality.map((q) => q[reference]));
    const alwaysC = mean(cost.map((c) => c[reference]));
    fixed.push(own.fixed.map((f) => ({ ...f, qualityShare: f.quality / alwaysQ, costShare: f.cost / alwaysC })));
    for (const rival of RIVALS)
      add(rival, baselines[rival](train, test, models), rival === 'oracle' ? cost : test.map(() => meanCost));
    add(
      'best single',
      test.map(() => single),
      test.map(() => meanCost),
    );
  }
  return { name, rows: rows.length, models: models.length, parts, results, fixed };
}

function manyTable({ name, rows, models, parts, results, fixed }) {
  table.push('', `### ${name}: ${rows} rows, ${models} models, ${fixed.length} splits`, '');
  row('router', 'quality at lambda 0', '95 % bootstrap', 'best quality', ...parts.map((p) => `saving at ${100 * p} %`));
  row('---', '---', '---', '---', ...parts.map(() => '---'));
  for (const [who, r] of Object.entries(results))
    row(
      who === 'domainMean' ? 'domain mean (uses the label)' : who,
      pm(r.map((x) => x.quality)),
      ci(r.map((x) => x.interval)),
      pm(r.map((x) => x.best)),
      ...parts.map((_, i) => {
        const known = r.map((x) => x.savings[i]).filter(Number.isFinite);
        return known.length === 0
          ? 'not reached'
          : `${percent(known)}${known.length < r.length ? ` (${known.length} of ${r.length} splits)` : ''}`;
      }),
    );
  fixedRows(fixed, 'the best single model');
}

const RUN = {
  mmlu: () => pair('RouteLLM MMLU', 'routellm_mmlu'),
  gsm8k: () => pair('RouteLLM GSM8K', 'routellm_gsm8k'),
  mtbench,
  routerbench: () =>
    many(
      'RouterBench subset',
      'routerbench3_11models',
      [1, 0.98, 0.95],
      [{ quality: 1 }, { quality: 0.98 }, { quality: 0.95 }, { lambda: 0 }],
    ),
  llmrouter: () => many('LLMRouter-9', 'llmrouter_9models', [1, 0.98, 0.95], [{ quality: 1 }, { lambda: 0 }]),
};
const TABLE = { mmlu: pairTable, gsm8k: pairTable, mtbench: mtbenchTable, routerbench: manyTable, llmrouter: manyTable };
const runs = {};
const merge = flag('merge', '');
if (merge) {
  for (const path of merge.split(','))
    for (const [set, run] of Object.entries(JSON.parse(readFileSync(path, 'utf8')))) {
      if (!runs[set]) {
        runs[set] = run;
        continue;
      }
      for (const [who, values] of Object.entries(run.results)) runs[set].results[who].push(...values);
      runs[set].fixed.push(...run.fixed);
    }
} else for (const set of SETS) runs[set] = await RUN[set]();
const json = flag('json', '');
// What lies behind the tables; curves are left out.
if (json) writeFileSync(json, JSON.stringify(runs, (key, value) => (key === 'points' ? undefined : value)));
for (const [set, run] of Object.entries(runs)) TABLE[set](run);
console.log(table.join('\n'));
let commit = 'unknown';
try {
  commit = execSync('git rev-parse --short HEAD', { stdio: ['ignore', 'pipe', 'ignore'] }).toString().trim();
} catch {
  // A copy without its history.
}
console.log(`\n${cpus()[0].model}, Node ${process.version}, commit ${commit}`);
