// Do credible intervals cover what they say? Posteriors of each (model, domain) are learnt from a few outcomes a domain, with
// learning.pooling 0, 4 and 'auto' side by side.
//
//   node bench/calibration.mjs [--parts rates,quantities,recorded] [--sets routerbench,llmrouter,gsm8k,mmlu] [--splits 20]
//     [--populations 40] [--pooling 0,4,auto]
//
// Synthetic outcomes: the true rates are drawn from a Beta population, so the interval of the rate itself must cover them.
//
// Recorded outcomes: the true rate is unknown. Rows are split at random; the first half teaches, and what is predicted is the number
// K of right answers among the N rows of the hidden half: Beta-binomial(N, alpha, beta), which has the posterior's uncertainty and
// that of the hidden sample. K is discrete, so intervals at exactly 80 % do not exist; the probability integral transform, made
// uniform by a random number within the jump at K (C. Czado, T. Gneiting, L. Held, Biometrics 65, 2009), is compared with the
// central interval of each level instead, and coverage is exact when the forecast is. Outcomes that are parts count as right from 0.5
// on. "+-" is the standard error over splits of the rows: it does not see that models and rows are the same in all splits.
import { parseArgs } from 'node:util';
import { BeliefTable, Consensus } from '@x/thermo-consensus';
import { generator, load, mean, shuffled } from './recorded.mjs';

const { values: flags } = parseArgs({
  options: {
    parts: { type: 'string', default: 'rates,quantities,recorded' },
    sets: { type: 'string', default: 'routerbench,llmrouter,gsm8k,mmlu' },
    splits: { type: 'string', default: '20' },
    populations: { type: 'string', default: '40' },
    pooling: { type: 'string', default: '0,4,auto' },
  },
});
const LEVELS = [0.5, 0.8, 0.95];
const POOLING = flags.pooling.split(',').map((p) => (p === 'auto' ? p : Number(p)));
const SIZES = [5, 20, 80];
/** Hidden rows that a domain must have. */
const HIDDEN_MIN = 10;

const normal = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** G. Marsaglia, W. W. Tsang, ACM TOMS 26 (2000). */
function gamma(shape, random) {
  if (shape < 1) return gamma(shape + 1, random) * (1 - random()) ** (1 / shape);
  const d = shape - 1 / 3;
  for (;;) {
    const x = normal(random);
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}
function beta(a, b, random) {
  const x = gamma(a, random);
  return x / (x + gamma(b, random));
}

/** Probabilities of fewer than `k` and of exactly `k` right answers among `n`, by the recurrence of neighbouring terms. */
function betaBinomial(k, n, a, b) {
  // Relative to the first term, in logarithms, so that nothing underflows.
  const logs = [0];
  for (let i = 0; i < n; i++) logs.push(logs[i] + Math.log(((n - i) * (a + i)) / ((i + 1) * (b + n - i - 1))));
  const top = Math.max(...logs);
  const terms = logs.map((l) => Math.exp(l - top));
  const total = terms.reduce((sum, t) => sum + t, 0);
  return { below: terms.slice(0, k).reduce((sum, t) => sum + t, 0) / total, at: terms[k] / total };
}

const consensusOf = (models, pooling) =>
  new Consensus({ models: models.map((name) => ({ name, cost: 1 })), learning: { pooling } });

/** Shares of `hits` (one array of booleans a level and repetition), and their standard error over the repetitions. */
function coverage(repetitions) {
  return LEVELS.map((_, l) => {
    const shares = repetitions.map((hits) => mean(hits[l].map(Number)));
    const m = mean(shares);
    const error = Math.sqrt(mean(shares.map((s) => (s - m) ** 2)) / Math.max(1, shares.length - 1));
    return `${(100 * m).toFixed(1)} +- ${(100 * error).toFixed(1)}`;
  });
}
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`);

/** Coverage of the true means after these samples, one table of all pairs a repetition. */
async function quantities(what, size, prior, repeat) {
  const repetitions = [];
  let pairs = 0;
  for (let p = 1; p <= Number(flags.populations); p++) {
    const { means, samples } = repeat(generator(104729 * p + size));
    pairs = means.length;
    const table = new BeliefTable({ pairs, prior: { kind: 'normal', ...prior }, device: 'cpu' });
    const average = samples.map(mean);
    await table.update({
      count: Float32Array.from(samples, (s) => s.length),
      mean: Float32Array.from(average),
      squaredDeviations: Float32Array.from(samples, (s, i) => s.reduce((sum, x) => sum + (x - average[i]) ** 2, 0)),
    });
    const hits = [];
    for (const level of LEVELS) {
      const { lower, upper } = await table.summary({ level });
      hits.push(means.map((m, i) => lower[i] <= m && m <= upper[i]));
    }
    table.dispose();
    repetitions.push(hits);
  }
  row(what, pairs, size, ...coverage(repetitions));
}

async function quantitiesPart() {
  console.log('\n## Quantities (normal-inverse-gamma): intervals of the mean\n');
  row('what', 'pairs', 'observations a pair', ...LEVELS.map((l) => `${100 * l} %`));
  row(':--', '--:', '--:', ...LEVELS.map(() => '--:'));
  for (const size of SIZES) {
    // Means and variances drawn from the prior itself.
    const prior = { mean: 1, kappa: 0.5, alpha: 3, beta: 2 };
    await quantities('drawn from the prior', size, prior, (random) => {
      const drawn = Array.from({ length: 200 }, () => {
        const deviation = Math.sqrt(prior.beta / gamma(prior.alpha, random));
        const centre = prior.mean + (deviation * normal(random)) / Math.sqrt(prior.kappa);
        return [centre, Array.from({ length: size }, () => centre + deviation * normal(random))];
      });
      return { means: drawn.map(([m]) => m), samples: drawn.map(([, s]) => s) };
    });
  }
  for (const size of SIZES.filter((n) => n <= 20)) {
    // Recorded costs of RouterBench's answers, as logarithms, by model and domain; the true mean is that of all rows, of which the
    // sample is at most a fifteenth. The prior is nearly flat.
    const { models, rows } = load('routerbench');
    const groups = [...new Set(rows.map((r) => r.label))].flatMap((label) =>
      models.map((_, m) => rows.filter((r) => r.label === label).map((r) => Math.log(r.cost[m]))),
    );
    await quantities(
      'log costs of RouterBench',
      size,
      { mean: -8, kappa: 1e-3, alpha: 1e-3, beta: 1e-6 },
      (random) => ({
        means: groups.map(mean),
        samples: groups.map((values) => shuffled(values, random).slice(0, size)),
      }),
    );
  }
}

function ratesPart() {
  console.log('## Synthetic: intervals of the rate itself, 4 models x 12 domains\n');
  row('population', 'outcomes a domain', 'pooling', ...LEVELS.map((l) => `${100 * l} %`), 'mean width at 80 %');
  row(':--', '--:', '--:', ...LEVELS.map(() => '--:'), '--:');
  for (const [a, b] of [
    [1, 1],
    [1.4, 0.6],
    [6, 4],
    [24, 8],
    [140, 60],
  ]) {
    for (const size of SIZES) {
      for (const pooling of POOLING) {
        const repetitions = [];
        const widths = [];
        for (let p = 1; p <= Number(flags.populations); p++) {
          const random = generator(7919 * p + size);
          const models = ['a', 'b', 'c', 'd'];
          const consensus = consensusOf(models, pooling);
          const pairs = models.flatMap((model) =>
            Array.from({ length: 12 }, (_, domain) => ({ model, domain, rate: beta(a, b, random) })),
          );
          for (const { model, domain, rate } of pairs)
            for (let i = 0; i < size; i++) consensus.observe({ model, domain, success: random() < rate });
          const hits = LEVELS.map(() => []);
          for (const { model, domain, rate } of pairs) {
            const posterior = consensus.posterior(model, domain);
            for (const [l, level] of LEVELS.entries()) {
              const [low, high] = posterior.interval(level);
              hits[l].push(low <= rate && rate <= high);
              if (level === 0.8) widths.push(high - low);
            }
          }
          repetitions.push(hits);
        }
        row(`Beta(${a}, ${b})`, size, pooling, ...coverage(repetitions), mean(widths).toFixed(3));
      }
    }
  }
}

function recordedPart() {
  console.log('\n## Recorded: right answers among the hidden rows\n');
  row('set', 'models x domains', 'outcomes a domain, at most', 'pooling', ...LEVELS.map((l) => `${100 * l} %`));
  row(':--', '--:', '--:', '--:', ...LEVELS.map(() => '--:'));
  for (const set of flags.sets.split(',')) {
    const { models, rows } = load(set);
    for (const size of SIZES) {
      for (const pooling of POOLING) {
        const repetitions = [];
        let domains = 0;
        for (let seed = 1; seed <= Number(flags.splits); seed++) {
          const random = generator(seed);
          const order = shuffled(rows, random);
          const half = Math.floor(order.length / 2);
          const parts = new Map();
          for (const [i, r] of order.entries()) {
            const part = parts.get(r.label) ?? { learnt: [], hidden: [] };
            parts.set(r.label, part);
            if (i >= half) part.hidden.push(r);
            else if (part.learnt.length < size) part.learnt.push(r);
          }
          const consensus = consensusOf(models, pooling);
          for (const [domain, { learnt }] of parts)
            for (const r of learnt)
              for (const [m, model] of models.entries())
                consensus.observe({ model, domain, success: r.quality[m] >= 0.5 });
          const hits = LEVELS.map(() => []);
          const tested = [...parts].filter(([, { hidden }]) => hidden.length >= HIDDEN_MIN);
          domains = tested.length;
          for (const [domain, { hidden }] of tested) {
            for (const [m, model] of models.entries()) {
              const right = hidden.filter((r) => r.quality[m] >= 0.5).length;
              const posterior = consensus.posterior(model, domain);
              const { below, at } = betaBinomial(right, hidden.length, posterior.alpha, posterior.beta);
              const u = below + random() * at;
              for (const [l, level] of LEVELS.entries()) hits[l].push(Math.abs(u - 0.5) <= level / 2);
            }
          }
          repetitions.push(hits);
        }
        row(set, `${models.length} x ${domains}`, size, pooling, ...coverage(repetitions));
      }
    }
  }
}

const parts = flags.parts.split(',');
if (parts.includes('rates')) ratesPart();
if (parts.includes('quantities')) await quantitiesPart();
if (parts.includes('recorded')) recordedPart();
