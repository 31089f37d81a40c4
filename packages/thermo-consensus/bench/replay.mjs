// Recorded outcomes of real models replayed as a bandit: each question is answered by one model, and only that model's outcome and
// cost are seen. Nobody tells which benchmark a question comes from; kinds of questions are found in the texts by @x/te-router, and the
// rows "text" read the texts themselves.
//
//   node bench/replay.mjs [--sets routerbench,llmrouter,routerarena,gsm8k,mmlu] [--seeds 1-20] [--policies 'a;b'] [--knobs 0.98]
//     [--out runs.jsonl]
//   node bench/replay.mjs --report runs.jsonl...
//
// A stream is the rows in random order, anew for each seed, at most `--rows` of them. Two accounts are given. `last 30 %`: everybody has
// learnt on the first 70 % and goes on learning; the row "domain mean" was fitted on the first 70 % with labels and all outcomes.
// `whole`: the cost of learning included, from nothing. A policy's curve comes from a sweep of its knob, each point a bandit of its
// own; "saving at 98 %" is what the lower hull of the curve and the single models ("zero router") spends less than the best single
// model at 98 % of its quality on the same rows. Reading a curve that way needs hindsight, so savings are optimistic, for all alike.
// `of means` is the saving on the curve averaged over seeds, which is hardly so. The second table has no hindsight: the target was
// set before. Intervals are 2.5 and 97.5 percentiles over seeds.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { best, POLICIES, REGRET_LAMBDA } from './policies.mjs';
import { generator, kindsOf, load, mean, shuffled } from './recorded.mjs';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sets: { type: 'string', default: 'routerbench,llmrouter,routerarena,gsm8k,mmlu' },
    seeds: { type: 'string', default: '1-20' },
    rows: { type: 'string', default: '6000' },
    policies: { type: 'string' },
    out: { type: 'string', default: 'replay.jsonl' },
    report: { type: 'boolean', default: false },
    'max-domains': { type: 'string', default: '4' },
    knobs: { type: 'string' },
  },
});
const SHARES = [1, 0.98, 0.95];
const LEARNT = 0.7;

function run() {
  const [first, last = first] = flags.seeds.split('-').map(Number);
  const names = flags.policies ? flags.policies.split(';') : Object.keys(POLICIES);
  writeFileSync(flags.out, '');
  for (const set of flags.sets.split(',')) {
    const { models, rows } = load(set);
    for (let seed = first; seed <= last; seed++) {
      const stream = shuffled(rows, generator(seed)).slice(0, Number(flags.rows));
      const kinds = kindsOf(stream, { seed, maxDomains: Number(flags['max-domains']), domainThreshold: 0.5 });
      const cut = Math.floor(LEARNT * stream.length);
      const singles = { last: singlesOf(models, stream.slice(cut)), whole: singlesOf(models, stream) };
      const at = best(singles.whole.map((s) => s.quality));
      const C = singles.whole[at].cost;
      const record = (values) => appendFileSync(flags.out, `${JSON.stringify({ set, seed, ...values })}\n`);
      record({ models, rows: stream.length, kinds: new Set(kinds).size, best: at, singles });
      for (const name of names)
        for (const knob of flags.knobs?.split(',').map(Number) ?? POLICIES[name].knobs)
          record({ policy: name, knob, ...replay({ models, rows: stream, kinds, C, cut, seed, knob }, name) });
    }
  }
}

const singlesOf = (models, rows) =>
  models.map((_, m) => ({ quality: mean(rows.map((r) => r.quality[m])), cost: mean(rows.map((r) => r.cost[m])) }));

function replay(world, name) {
  const { models, rows, C, cut, seed } = world;
  const policy = POLICIES[name].make({ ...world, random: generator(seed * 1009 + 1) });
  const aims = models.map((_, m) => mean(rows.map((r) => r.quality[m] - (REGRET_LAMBDA * r.cost[m]) / C)));
  const aim = Math.max(...aims);
  const sums = { first: { quality: 0, cost: 0 }, last: { quality: 0, cost: 0 } };
  let regret = 0;
  for (const [i, row] of rows.entries()) {
    const m = policy.choose(row, i);
    policy.learn(row, m, row.quality[m], row.cost[m], i);
    regret += aim - (row.quality[m] - (REGRET_LAMBDA * row.cost[m]) / C);
    const part = i < cut ? sums.first : sums.last;
    part.quality += row.quality[m];
    part.cost += row.cost[m];
  }
  const over = (n, ...parts) => ({
    quality: parts.reduce((s, p) => s + p.quality, 0) / n,
    cost: parts.reduce((s, p) => s + p.cost, 0) / n,
  });
  return { regret, last: over(rows.length - cut, sums.last), whole: over(rows.length, sums.first, sums.last) };
}

/** Saving at a share of the reference's quality, on the lower hull of the points; 0 where only the reference reaches it. */
function saving(points, reference, share) {
  const wanted = share * reference.quality;
  let least = reference.cost;
  for (const p of points) {
    if (p.quality >= wanted) least = Math.min(least, p.cost);
    for (const o of points) {
      if (!(p.quality < wanted && o.quality > wanted)) continue;
      const w = (wanted - p.quality) / (o.quality - p.quality); // a mixture of the two
      least = Math.min(least, p.cost + w * (o.cost - p.cost));
    }
  }
  return 1 - least / reference.cost;
}

const percent = (x) => (100 * x).toFixed(1);
function interval(values, digits) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  return `${digits(mean(values))} [${digits(at(0.025))}, ${digits(at(0.975))}]`;
}
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);

function report(files) {
  const records = files.flatMap((file) => readFileSync(file, 'utf8').trim().split('\n').map(JSON.parse));
  for (const set of new Set(records.map((r) => r.set))) {
    const own = records.filter((r) => r.set === set);
    const worlds = new Map(own.filter((r) => r.singles).map((r) => [r.seed, r]));
    const runs = own.filter((r) => r.policy);
    const [world] = worlds.values();
    console.log(
      `\n### ${set}: ${world.rows} questions, ${world.models.length} models, best ${world.models[world.best]}, ${worlds.size} seeds\n`,
    );
    row(
      'policy',
      'account',
      ...SHARES.map((s) => `saving % at ${100 * s} %`),
      '',
      'of means',
      '',
      `regret at ${REGRET_LAMBDA}`,
    );
    row('---', '---', '---:', '---:', '---:', '---:', '---:', '---:', '---:');
    for (const policy of new Set(['zero router', ...runs.map((r) => r.policy)])) {
      const mine = runs.filter((r) => r.policy === policy);
      const knobs = [...new Set(mine.map((r) => r.knob))];
      for (const account of ['last', 'whole']) {
        const savings = SHARES.map(() => []);
        for (const [seed, { singles, best: at }] of worlds) {
          const points = mine.filter((r) => r.seed === seed).map((r) => r[account]);
          if (points.length === 0 && mine.length > 0) continue;
          for (const [k, share] of SHARES.entries())
            savings[k].push(saving([...points, ...singles[account]], singles[account][at], share));
        }
        // Relative to the reference of each seed, then averaged over the seeds.
        const relative = (point, { singles, best: at }) => ({
          quality: point.quality / singles[account][at].quality,
          cost: point.cost / singles[account][at].cost,
        });
        const averaged = (points) => ({
          quality: mean(points.map((p) => p.quality)),
          cost: mean(points.map((p) => p.cost)),
        });
        const curve = [
          ...knobs.map((knob) =>
            averaged(mine.filter((r) => r.knob === knob).map((r) => relative(r[account], worlds.get(r.seed)))),
          ),
          ...world.models.map((_, m) => averaged([...worlds.values()].map((w) => relative(w.singles[account][m], w)))),
        ];
        const ofMeans = SHARES.map((share) => percent(saving(curve, { quality: 1, cost: 1 }, share)));
        const regrets = mine.filter((r) => r.knob === REGRET_LAMBDA).map((r) => r.regret);
        const regret = account === 'whole' && regrets.length > 0 ? interval(regrets, (x) => x.toFixed(0)) : '';
        row(policy, account, ...savings.map((v) => interval(v, percent)), ...ofMeans, regret);
      }
    }
    console.log('\nTargets set before, share of the best single model alone in the last 30 %:\n');
    row('policy', 'target %', 'quality %', 'cost %', 'whole stream: quality %', 'cost %');
    row('---', '---:', '---:', '---:', '---:', '---:');
    for (const policy of Object.keys(POLICIES).filter((name) => name.includes('target')))
      for (const target of [0.95, 0.98, 1]) {
        const mine = runs.filter((r) => r.policy === policy && r.knob === target);
        if (mine.length === 0) continue;
        const shares = (account, what) =>
          interval(
            mine.map((r) => {
              const { singles, best: at } = worlds.get(r.seed);
              return r[account][what] / singles[account][at][what];
            }),
            percent,
          );
        row(policy, 100 * target, ...['last', 'whole'].flatMap((a) => [shares(a, 'quality'), shares(a, 'cost')]));
      }
  }
}

if (flags.report) report(positionals);
else {
  run();
  report([flags.out]);
}
