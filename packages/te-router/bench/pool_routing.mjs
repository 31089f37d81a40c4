// Routes a stream of recorded questions, learning from the chosen model's outcome alone, beside fixed choices:
//   node bench/pool_routing.mjs [questions.jsonl] [--n=1000] [--lambda=0.15] [--seeds=5] [--width=0.15]
// Costs are parameters (millions) times tokens; tokens are estimated as 12 + a third of the characters. The choice is
// Thompson sampling: quality + width * uncertainty * normal - lambda * cost / dearest cost.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { QueryRouter } from '../dist/index.js';
import { deviation, generator, mean } from './routing/metrics.mjs';

const args = process.argv.slice(2);
const flag = (name, fallback) => {
  const given = args.find((a) => a.startsWith(`--${name}=`));
  return given ? Number(given.slice(name.length + 3)) : fallback;
};
const shared = process.env.X_REFERENCE_DIR ?? join(dirname(fileURLToPath(import.meta.url)), '../../../../shared');
const path = args[0] && !args[0].startsWith('--') ? args[0] : join(shared, 'pool', 'questions.jsonl');
const rows = readFileSync(path, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));
const N = flag('n', 1000);
const LAMBDA = flag('lambda', 0.15);
const SEEDS = flag('seeds', 5);
const WIDTH = flag('width', 0.15); // how much of the uncertainty is explored
const params = { nano: 0.92, small: 3.41, numbers: 4.2, letters: 4.2, large: 20.98 };
const names = Object.keys(params);
const right = (row, model) => (row.replies[model] === row.answer ? 1 : 0);
const cost = (row, model) => params[model] * (12 + (row.question.length + row.replies[model].length) / 3);

/** Standard normal numbers out of uniform ones. */
const normalOf = (uniform) => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

const spearman = (a, b) => {
  const rank = (v) => {
    const order = v.map((x, i) => [x, i]).sort((p, q) => p[0] - q[0]);
    const out = new Array(v.length);
    for (let i = 0; i < order.length; ) {
      let j = i;
      while (j < order.length && order[j][0] === order[i][0]) j++;
      for (let m = i; m < j; m++) out[order[m][1]] = (i + j - 1) / 2;
      i = j;
    }
    return out;
  };
  const [x, y] = [rank(a), rank(b)];
  const [mx, my] = [mean(x), mean(y)];
  const dot = (u, v, mu, mv) => u.reduce((s, e, i) => s + (e - mu) * (v[i] - mv), 0);
  return dot(x, y, mx, my) / Math.sqrt(dot(x, x, mx, mx) * dot(y, y, my, my));
};

const table = {};
const add = (name, accuracy, total) => {
  table[name] ??= { accuracy: [], cost: [] };
  table[name].accuracy.push(accuracy);
  table[name].cost.push(total);
};
const notes = { domains: [], purity: [], difficulty: [], first100: [], half: [], reliability: [], routesPerSecond: [] };
for (let seed = 1; seed <= SEEDS; seed++) {
  const uniform = generator(seed);
  const stream = rows
    .map((r) => [uniform(), r])
    .sort((a, b) => a[0] - b[0])
    .slice(0, N)
    .map(([, r]) => r);
  const large = stream.reduce((s, r) => s + cost(r, 'large'), 0);
  const score = (name, pick) => {
    let correct = 0;
    let spent = 0;
    for (const row of stream) {
      const model = pick(row);
      correct += right(row, model);
      spent += cost(row, model);
    }
    add(name, correct / N, spent / large);
  };
  for (const name of names) score(`always ${name}`, () => name);
  score('random', () => names[Math.floor(uniform() * names.length)]);
  score('oracle', (row) => names.find((m) => right(row, m)) ?? 'nano');

  const router = new QueryRouter({ models: names.map((name) => ({ name, cost: params[name] })), seed });
  const members = new Map();
  const difficulty = [];
  const bins = Array.from({ length: 5 }, () => [0, 0, 0]);
  let early = 0;
  let late = 0;
  let spentRouting = 0;
  let at = 0;
  score('QueryRouter', (row) => {
    const start = performance.now();
    const decision = router.route(row.question);
    spentRouting += performance.now() - start;
    let best;
    let value = -Infinity;
    for (const m of decision.models) {
      const v = m.quality + WIDTH * m.uncertainty * normalOf(uniform) - (LAMBDA * m.cost) / params.large;
      if (v > value) [best, value] = [m, v];
    }
    const outcome = right(row, best.model);
    const bin = bins[Math.min(4, Math.floor(best.quality * 5))];
    bin[0]++;
    bin[1] += best.quality;
    bin[2] += outcome;
    router.observe({ decision, model: best.model, quality: outcome });
    if (at < 100) early += outcome;
    if (at >= N / 2) late += outcome;
    if (at >= N / 2) {
      difficulty.push([decision.difficulty, row.difficulty]);
      const counts = members.get(decision.domain) ?? {};
      counts[row.domain] = (counts[row.domain] ?? 0) + 1;
      members.set(decision.domain, counts);
    }
    at++;
    return best.model;
  });
  notes.first100.push(early / 100);
  notes.half.push(late / (N / 2));
  notes.domains.push(members.size);
  notes.purity.push([...members.values()].reduce((s, c) => s + Math.max(...Object.values(c)), 0) / difficulty.length);
  notes.difficulty.push(
    spearman(
      difficulty.map((d) => d[0]),
      difficulty.map((d) => d[1]),
    ),
  );
  notes.reliability.push(bins.reduce((s, [, p, o]) => s + Math.abs(p - o), 0) / N);
  notes.routesPerSecond.push((1000 * N) / spentRouting);
}
console.log(`${N} questions, ${SEEDS} seeds, lambda ${LAMBDA}`);
console.log('| choice | right, % | cost, % of always large |\n|---|---|---|');
for (const [name, r] of Object.entries(table)) {
  const cell = (v) => `${(100 * mean(v)).toFixed(1)} +- ${(100 * deviation(v)).toFixed(1)}`;
  console.log(`| ${name} | ${cell(r.accuracy)} | ${cell(r.cost)} |`);
}
console.log(
  `first 100 questions right: ${(100 * mean(notes.first100)).toFixed(1)} %, second half ${(100 * mean(notes.half)).toFixed(1)} %`,
);
console.log(
  `domains found ${mean(notes.domains).toFixed(1)}, purity ${mean(notes.purity).toFixed(3)} (second half; labels were not given)`,
);
console.log(`difficulty: rank correlation with the label ${mean(notes.difficulty).toFixed(2)}`);
console.log(`expected calibration error of the chosen model's quality ${mean(notes.reliability).toFixed(3)}`);
console.log(`route(): ${Math.round(mean(notes.routesPerSecond))} a second`);
