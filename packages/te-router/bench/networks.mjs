// Networks with known links, common drivers and indirect paths: precision, recall, false discoveries and AUROC of pairwise and
// multivariate inference beside correlation and pairwise Granger; and how time grows. `node bench/networks.mjs [seeds]`
import { transferEntropyNetwork } from '../dist/index.js';

const seeds = Number(process.argv[2] ?? 3);

function generator(seed) {
  let s = BigInt(seed) * 7919n + 12345n;
  const uniform = () => {
    s = (s + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
    let z = s;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
    return Number((z ^ (z >> 31n)) >> 11n) * 2 ** -53;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}

// Chains a -> b -> c (the indirect link a -> c is none) and forks a -> b, a -> c (b -> c is none), linear or by a threshold.
function make(variables, samples, seed, kind) {
  const { uniform, normal } = generator(seed);
  const truth = new Set();
  const into = Array.from({ length: variables }, () => []);
  const add = (s, t, lag) => {
    truth.add(s * variables + t);
    into[t].push([s, lag, uniform() < 0.5 ? -0.6 : 0.6]);
  };
  for (let v = 0; v + 2 < variables; v += 3) {
    add(v, v + 1, 1);
    if ((v / 3) % 2 === 0) add(v + 1, v + 2, 1);
    else add(v, v + 2, 2);
  }
  const burn = 100;
  const x = Array.from({ length: variables }, () => new Float64Array(samples + burn));
  for (let t = 3; t < samples + burn; t++)
    for (let v = 0; v < variables; v++) {
      let sum = 0.3 * x[v][t - 1] + normal();
      for (const [s, lag, weight] of into[v]) {
        const u = x[s][t - lag];
        sum += kind === 'linear' ? weight * u : 2 * weight * (Math.abs(u) > 0.9 ? 1 : 0);
      }
      x[v][t] = sum;
    }
  const values = new Float64Array(variables * samples);
  x.forEach((row, v) => {
    values.set(row.subarray(burn), v * samples);
  });
  return { series: { values, variables, samples }, truth };
}

function auroc(score, truth, variables) {
  const all = [];
  for (let m = 0; m < score.length; m++) if (m % (variables + 1) !== 0) all.push([score[m], truth.has(m) ? 1 : 0]);
  all.sort((a, b) => a[0] - b[0]);
  let ranks = 0;
  let positives = 0;
  all.forEach(([, y], r) => {
    if (y) (ranks += r + 1), positives++;
  });
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (all.length - positives));
}

function lagCorrelation({ values, variables, samples }) {
  const out = new Float64Array(variables * variables);
  const unit = (v, from, n) => {
    const row = values.subarray(v * samples + from, v * samples + from + n);
    const mean = row.reduce((a, b) => a + b, 0) / n;
    const c = row.map((y) => y - mean);
    const length = Math.hypot(...c);
    return c.map((y) => y / length);
  };
  const past = Array.from({ length: variables }, (_, v) => unit(v, 0, samples - 1));
  const next = Array.from({ length: variables }, (_, v) => unit(v, 1, samples - 1));
  for (let a = 0; a < variables; a++)
    for (let b = 0; b < variables; b++) {
      let dot = 0;
      for (let t = 0; t < samples - 1; t++) dot += past[a][t] * next[b][t];
      out[a * variables + b] = Math.abs(dot);
    }
  return out;
}

const rate = (links, truth, variables) => {
  const found = new Set(links.map(({ source, target }) => source * variables + target));
  let right = 0;
  for (const m of found) if (truth.has(m)) right++;
  return { precision: found.size ? right / found.size : 1, recall: right / truth.size };
};

console.log('| system | V | method | precision | recall | FDR | AUROC | ms |');
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [kind, variables, samples] of [
  ['linear', 20, 1000],
  ['threshold', 20, 1000],
  ['linear', 100, 1000],
  ['linear', 1000, 500],
]) {
  const methods = {
    'Granger, pairwise': { estimator: 'gaussian', maxLag: 2, analytic: true },
    'Gaussian, multivariate': { estimator: 'gaussian', method: 'multivariate', maxLag: 2 },
    ...(variables <= 100 && { 'KSG, pairwise': { maxLag: 2, surrogates: variables < 100 ? 999 : 200, stopAfter: 10 } }),
    ...(variables <= 20 && { 'KSG, multivariate': { method: 'multivariate', maxLag: 2, surrogates: 60 } }),
  };
  const rows = new Map();
  for (let seed = 1; seed <= (variables > 100 ? 1 : seeds); seed++) {
    const { series, truth } = make(variables, samples, seed, kind);
    if (variables <= 100) {
      const list = rows.get('correlation at lag 1') ?? [];
      list.push({
        precision: Number.NaN,
        recall: Number.NaN,
        area: auroc(lagCorrelation(series), truth, variables),
        ms: Number.NaN,
      });
      rows.set('correlation at lag 1', list);
    }
    for (const [name, options] of Object.entries(methods)) {
      const start = performance.now();
      const network = await transferEntropyNetwork(series, { ...options, seed });
      const ms = performance.now() - start;
      const list = rows.get(name) ?? [];
      list.push({ ...rate(network.links, truth, variables), area: auroc(network.te, truth, variables), ms });
      rows.set(name, list);
    }
  }
  for (const [name, list] of rows) {
    const mean = (key) => list.reduce((sum, row) => sum + row[key], 0) / list.length;
    const show = (value, digits) => (Number.isNaN(value) ? '' : value.toFixed(digits));
    const p = mean('precision');
    console.log(
      `| ${kind} | ${variables} | ${name} | ${show(p, 3)} | ${show(mean('recall'), 3)} | ${show(1 - p, 3)} | ${show(mean('area'), 3)} | ${show(mean('ms'), 0)} |`,
    );
  }
}
