// What the router's statistics promise, measured:
//   node bench/routing_statistics.mjs [drift] [ab] [calibration] [te] [--rows=mmlu,gsm8k,routerbench,llmrouter]
// drift: delay and false alarms beside CUSUM and Page-Hinkley; ab: false positives under peeking; calibration: coverage of
// intervals; te: what transfer entropy adds to the fit, with its shuffled-time control.
import { DriftDetector, QueryRouter, RoutingExperiment } from '../dist/index.js';
import { load, present, split } from './routing/data.mjs';
import { deviation, generator, mean, pairMetrics } from './routing/metrics.mjs';

const wanted = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const only = process.argv
  .find((a) => a.startsWith('--rows='))
  ?.slice(7)
  .split(',');
const takes = (file) => !only || only.some((name) => file.includes(name));
const wants = (name) => wanted.length === 0 || wanted.includes(name);
const line = (...cells) => console.log(`| ${cells.join(' | ')} |`);
const header = (...cells) => {
  line(...cells);
  line(...cells.map(() => '---'));
};

/** Page's CUSUM of expected - outcome with an allowance, one-sided. */
class Cusum {
  constructor(threshold, allowance = 0.15) {
    Object.assign(this, { threshold, allowance, sum: 0 });
  }
  add(expected, outcome) {
    this.sum = Math.max(0, this.sum + expected - outcome - this.allowance);
    if (this.sum < this.threshold) return false;
    this.sum = 0;
    return true;
  }
}
/** Page-Hinkley on the same errors, by their running mean. */
class PageHinkley {
  constructor(threshold, delta = 0.05) {
    Object.assign(this, { threshold, delta });
    this.reset();
  }
  reset() {
    Object.assign(this, { n: 0, mean: 0, sum: 0, least: 0 });
  }
  add(expected, outcome) {
    const error = expected - outcome;
    this.n++;
    this.mean += (error - this.mean) / this.n;
    this.sum += error - this.mean - this.delta;
    this.least = Math.min(this.least, this.sum);
    if (this.sum - this.least < this.threshold) return false;
    this.reset();
    return true;
  }
}

function drift() {
  console.log('\n### Drift: a model whose quality is switched at a known time\n');
  console.log(
    'Questions of varying difficulty, so that the expected quality varies by ± 0.15 around the mean; it is known before',
  );
  console.log(
    'the switch. Rivals watch for the worse with thresholds set for about one false alarm in 20,000 outcomes at quality 0.8.',
  );
  console.log(
    'Delay: median and 90th percentile of the outcomes of this model until the alarm, 300 runs; none within 2000 counts as 2000.\n',
  );
  const detectors = () => ({
    'e-detector (ours)': (() => {
      const d = new DriftDetector({ falseAlarmEvery: 700, tolerance: 0.05 });
      return { add: (e, o) => d.add(e, o) !== undefined };
    })(),
    CUSUM: new Cusum(CUSUM_AT),
    'Page-Hinkley': new PageHinkley(PH_AT),
  });
  // Thresholds by bisection on the same stream of 400,000 outcomes.
  const alarms = (make, n = 400_000) => {
    const draw = generator(99);
    const d = make();
    let count = 0;
    for (let i = 0; i < n; i++) {
      const e = 0.8 + 0.3 * (draw() - 0.5);
      if (d.add(e, draw() < e ? 1 : 0)) count++;
    }
    return count;
  };
  const bisect = (make) => {
    let low = 0.5;
    let high = 60;
    for (let i = 0; i < 18; i++) {
      const t = (low + high) / 2;
      if (alarms(() => make(t)) > 20) low = t;
      else high = t;
    }
    return high;
  };
  const CUSUM_AT = bisect((t) => new Cusum(t));
  const PH_AT = bisect((t) => new PageHinkley(t));
  console.log(
    `CUSUM allowance 0.15, threshold ${CUSUM_AT.toFixed(2)}; Page-Hinkley delta 0.05, threshold ${PH_AT.toFixed(2)}.\n`,
  );
  const cases = [
    [0.9, 0.6],
    [0.8, 0.6],
    [0.8, 0.4],
    [0.6, 0.3],
    [0.5, 0.3],
  ];
  header('detector', 'false alarms per 10,000 (0.5 / 0.8 / 0.85)', ...cases.map(([a, b]) => `${a} -> ${b}`));
  for (const name of Object.keys(detectors())) {
    const rates = [0.5, 0.8, 0.85].map((q) => {
      const draw = generator(7);
      const d = detectors()[name];
      let count = 0;
      const n = 1_000_000;
      for (let i = 0; i < n; i++) {
        const e = q + 0.3 * (draw() - 0.5);
        if (d.add(e, draw() < e ? 1 : 0)) count++;
      }
      return ((count * 10_000) / n).toFixed(2);
    });
    const delays = cases.map(([before, after]) => {
      const out = [];
      for (let run = 0; run < 300; run++) {
        const draw = generator(1000 + run);
        const d = detectors()[name];
        for (let i = 0; i < 500; i++) {
          const e = Math.min(0.999, before + 0.3 * (draw() - 0.5));
          d.add(e, draw() < e ? 1 : 0);
        }
        let delay = 2000;
        for (let i = 1; i <= 2000; i++) {
          const shift = 0.3 * (draw() - 0.5);
          if (d.add(Math.min(0.999, before + shift), draw() < after + shift ? 1 : 0)) {
            delay = i;
            break;
          }
        }
        out.push(delay);
      }
      out.sort((a, b) => a - b);
      return `${out[150]}, ${out[270]}`;
    });
    line(name, rates.join(' / '), ...delays);
  }

  console.log(
    '\nThrough the router (what it expects is learnt, not known): a model falls from 0.85 to 0.45 after 2000 of 4000',
  );
  console.log('outcomes of two kinds of question, 10 seeds; another model never changes.\n');
  header(
    '',
    'alarm within 2000',
    'delay, median',
    'error of expected quality 200 outcomes later',
    'false alarms per 10,000',
  );
  for (const watch of [true, false]) {
    const delays = [];
    const errors = [];
    let false1 = 0;
    let seen = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const draw = generator(seed);
      const router = new QueryRouter({
        models: [
          { name: 'a', cost: 1 },
          { name: 'b', cost: 2 },
        ],
        refit: 'manual',
        ...(!watch && { drift: false }),
      });
      const ask = (i) =>
        draw() < 0.5 ? `What is ${Math.floor(100 * draw())} + ${i % 97}?` : `Name a word like river${i % 13}.`;
      let noticed;
      for (let i = 0; i < 4000; i++) {
        const query = ask(i);
        router.observe({ query, model: 'a', quality: draw() < (i < 2000 ? 0.85 : 0.45) ? 1 : 0 });
        router.observe({ query, model: 'b', quality: draw() < 0.7 ? 1 : 0 });
        noticed ??= router.driftEvents.find((e) => e.model === 'a' && e.at > 4000)?.at;
        if (i === 2199) errors.push(Math.abs(router.route(query).models[0].quality - 0.45));
      }
      delays.push(noticed === undefined ? 2000 : (noticed - 4000) / 2);
      false1 += router.driftEvents.filter((e) => e.model === 'b' || e.at <= 4000).length;
      seen += 6000;
    }
    delays.sort((a, b) => a - b);
    line(
      watch ? 'drift watched (default)' : 'drift: false',
      watch ? `${delays.filter((d) => d < 2000).length} of 10` : '-',
      watch ? delays[5] : '-',
      mean(errors).toFixed(3),
      watch ? ((false1 * 10_000) / seen).toFixed(2) : '-',
    );
  }
}

function ab() {
  console.log('\n### A/B tests, looked at after every outcome (level 0.05, 400 runs of 2000 units)\n');
  const run = (rates, seed, units, onLook) => {
    const test = new RoutingExperiment({ arms: ['a', 'b'], seed });
    const draw = generator(seed);
    const stats = [
      [0, 0],
      [0, 0],
    ];
    for (let u = 0; u < units; u++) {
      const unit = `${seed}-${u}`;
      const arm = test.assign(unit) === 'a' ? 0 : 1;
      const quality = draw() < rates(u)[arm] ? 1 : 0;
      test.record({ unit, quality });
      stats[arm][0]++;
      stats[arm][1] += quality;
      if (onLook(test, stats, u)) return u + 1;
    }
    return undefined;
  };
  const fixedP = ([[n, x], [m, y]]) => {
    if (n < 10 || m < 10) return 1;
    const p = (x + y) / (n + m);
    const z = Math.abs(x / n - y / m) / Math.sqrt(Math.max(1e-9, p * (1 - p) * (1 / n + 1 / m)));
    return 2 * (1 - cdf(z));
  };
  header('both arms at', 'false positives, ours', 'two-sample z test, same looks', 'interval ever missed the truth');
  for (const [label, rates] of [
    ['0.5', () => [0.5, 0.5]],
    ['0.8', () => [0.8, 0.8]],
    ['0.95', () => [0.95, 0.95]],
    ['0.9, falling to 0.5 in time', (u) => [0.9 - u / 5000, 0.9 - u / 5000]],
  ]) {
    let ours = 0;
    let naive = 0;
    let missed = 0;
    const runs = 400;
    for (let seed = 1; seed <= runs; seed++) {
      let a = false;
      let b = false;
      let c = false;
      run(rates, seed, 2000, (test, stats, u) => {
        b ||= fixedP(stats) <= 0.05;
        // p-values only fall and intervals only shrink: looking now and then sees what looking always would.
        if (u % 100 === 99) {
          const [r] = test.result().comparisons;
          a ||= r.pValue <= 0.05;
          c ||= r.interval[0] > 0 || r.interval[1] < 0;
        }
        return false;
      });
      ours += a;
      naive += b;
      missed += c;
    }
    line(label, ...[ours, naive, missed].map((x) => `${((100 * x) / runs).toFixed(1)} %`));
  }
  console.log(
    '\nPower: units until p <= 0.05 (looked at every 20), 100 runs of at most 20,000; median, and the fixed-size test',
  );
  console.log('of 80 % power for comparison:\n');
  header('rates', 'median units', 'fixed size for 80 % power', 'found at all');
  for (const [p, q] of [
    [0.5, 0.6],
    [0.7, 0.8],
    [0.8, 0.85],
  ]) {
    const at = [];
    for (let seed = 1; seed <= 100; seed++)
      at.push(
        run(
          () => [p, q],
          seed,
          20_000,
          (test, _s, u) => u % 20 === 19 && test.result().comparisons[0].pValue <= 0.05,
        ) ?? Number.POSITIVE_INFINITY,
      );
    at.sort((a, b) => a - b);
    const fixed = Math.ceil((2 * (1.96 + 0.8416) ** 2 * (p * (1 - p) + q * (1 - q))) / (p - q) ** 2);
    line(`${p} / ${q}`, at[50], fixed, `${((100 * at.filter(Number.isFinite).length) / 100).toFixed(0)} %`);
  }
}

function cdf(z) {
  const t = 1 / (1 + 0.2316419 * z);
  return (
    1 -
    Math.exp(-z * z * 0.5) *
      0.3989422804014327 *
      t *
      (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  );
}

async function calibration() {
  console.log('\n### Calibration of expected quality on rows held out (five splits)\n');
  console.log(
    'ECE: mean |expected - observed| over ten bins. Coverage: a group is a benchmark domain and model with 20 test rows or',
  );
  console.log(
    'more; its mean expected quality is +- z x sqrt(uncertainty^2 + chance of its rows); counted is how often the observed',
  );
  console.log('mean lies inside.\n');
  header('rows', 'ECE', 'coverage at 50 %', 'at 80 %', 'at 95 %', 'groups');
  for (const [name, file] of [
    ['MMLU', 'routellm_mmlu'],
    ['GSM8K', 'routellm_gsm8k'],
    ['RouterBench subset', 'routerbench3_11models'],
    ['LLMRouter-9', 'llmrouter_9models'],
  ].filter(([, file]) => takes(file))) {
    const rows = load(file);
    const models = Object.keys(rows[0].quality);
    const splits = file === 'routellm_mmlu' || file === 'llmrouter_9models' ? 2 : 5;
    const eces = [];
    const inside = [0, 0, 0];
    let groups = 0;
    for (let s = 1; s <= splits; s++) {
      const { train, test } = split(rows, s);
      const router = new QueryRouter({ models: models.map((m) => ({ name: m, cost: 1 })) });
      await router.fit(train.map(({ text, quality }) => ({ query: text, quality })));
      const bins = Array.from({ length: 10 }, () => [0, 0, 0]);
      const byGroup = new Map();
      for (const r of test) {
        router.route(r.text).models.forEach((m) => {
          const y = r.quality[m.model];
          const bin = bins[Math.min(9, Math.floor(10 * m.quality))];
          bin[0]++;
          bin[1] += m.quality;
          bin[2] += y;
          const key = `${r.domain}\n${m.model}`;
          const g = byGroup.get(key) ?? { n: 0, p: 0, y: 0, sd: 0, chance: 0 };
          g.n++;
          g.p += m.quality;
          g.y += y;
          g.sd += m.uncertainty;
          g.chance += m.quality * (1 - m.quality);
          byGroup.set(key, g);
        });
      }
      eces.push(bins.reduce((sum, [, p, y]) => sum + Math.abs(p - y), 0) / (test.length * models.length));
      for (const g of byGroup.values()) {
        if (g.n < 20) continue;
        groups++;
        const spread = Math.sqrt((g.sd / g.n) ** 2 + g.chance / g.n / g.n);
        const z = Math.abs(g.y - g.p) / g.n / spread;
        [0.6745, 1.2816, 1.96].forEach((limit, i) => {
          inside[i] += z <= limit;
        });
      }
    }
    line(name, mean(eces).toFixed(4), ...inside.map((c) => `${((100 * c) / groups).toFixed(1)} %`), groups);
  }
}

async function te() {
  console.log(
    '\n### What transfer entropy adds: features of structure chosen by it, beside all, and beside its control\n',
  );
  console.log(
    'Quality streams are the training rows in a random order. `chosen` keeps features whose transfer entropy to some',
  );
  console.log(
    'model passes a false discovery rate of 0.1 against shuffled time; the control chooses by the same rule from',
  );
  console.log('features shuffled among rows, where every choice is false.\n');
  header(
    'rows',
    'features chosen (mean)',
    'chosen in shuffled time',
    'APGR, all features',
    'APGR, chosen by TE',
    'difference',
  );
  for (const [name, file, splits] of [
    ['GSM8K', 'routellm_gsm8k', 5],
    ['MMLU', 'routellm_mmlu', 2],
  ].filter(([, file]) => takes(file))) {
    const models = ['gpt-4-1106-preview', 'mixtral-8x7b'];
    const rows = load(file);
    const all = [];
    const chosen = [];
    const counts = [];
    const falseCounts = [];
    for (let s = 1; s <= splits; s++) {
      const { train, test } = split(rows, s);
      const order = generator(s);
      const mixed = train
        .map((r) => [order(), r])
        .sort((a, b) => a[0] - b[0])
        .map(([, r]) => r);
      const strong = test.map((r) => r.quality[models[0]]);
      const weak = test.map((r) => r.quality[models[1]]);
      const streamed = Math.min(1000, mixed.length >> 1);
      const score = async (select) => {
        const router = new QueryRouter({
          models: models.map((m) => ({ name: m, cost: 1 })),
          refit: 'manual',
          drift: false,
        });
        if (select) {
          for (const r of mixed.slice(-streamed))
            for (const m of models) router.observe({ query: r.text, model: m, quality: r.quality[m] });
          await router.selectFeatures({ surrogates: 199, device: 'cpu' });
          counts.push(router.selectedFeatures.length);
          const fake = new QueryRouter({
            models: models.map((m) => ({ name: m, cost: 1 })),
            refit: 'manual',
            drift: false,
          });
          mixed.slice(-streamed).forEach((r, i, list) => {
            const other = list[(i + 389) % list.length];
            for (const m of models) fake.observe({ query: other.text, model: m, quality: r.quality[m] });
          });
          const found = await fake.selectFeatures({ surrogates: 199, device: 'cpu' });
          const names = new Set(
            Object.values(found).flatMap((f) => f.filter((x) => x.qValue <= 0.1).map((x) => x.feature)),
          );
          falseCounts.push(names.size);
        }
        const fresh = select
          ? router
          : new QueryRouter({ models: models.map((m) => ({ name: m, cost: 1 })), refit: 'manual' });
        await fresh.fit(
          (select ? mixed.slice(0, -streamed) : mixed).map(({ text, quality }) => ({ query: text, quality })),
        );
        const predicted = test.map((r) => fresh.route(r.text).models.map((m) => m.quality));
        return pairMetrics(
          predicted.map((p) => p[0] - p[1]),
          strong,
          weak,
          { strong: 1, weak: 0 },
        ).apgr;
      };
      all.push(await score(false));
      chosen.push(await score(true));
    }
    const difference = chosen.map((c, i) => c - all[i]);
    line(
      name,
      mean(counts).toFixed(1),
      mean(falseCounts).toFixed(1),
      mean(all).toFixed(3),
      mean(chosen).toFixed(3),
      `${mean(difference).toFixed(3)} ± ${deviation(difference).toFixed(3)}`,
    );
  }
}

if (wants('drift')) drift();
if (wants('ab')) ab();
if (present && wants('calibration')) await calibration();
if (present && wants('te')) await te();
