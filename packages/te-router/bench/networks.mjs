// Networks with known links, common drivers and indirect paths: precision, recall, false discoveries and AUROC of pairwise and
// multivariate inference beside correlation and pairwise Granger, and the recall of screening.
//
//   node bench/networks.mjs [--systems linear:20:1000,quadratic:100:1000] [--methods granger,ksg] [--seeds 3] [--device auto]
//   node bench/networks.mjs screening [--systems ...] [--seeds 3]
//
// A row a network is written as JSON to --out FILE as it comes; `table FILE...` makes tables of such files. Of large multivariate
// networks --targets FROM:TO infers a range of targets; its row carries what was inferred, and `table` merges the ranges.
import { appendFileSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { mergeNetworks, transferEntropyNetwork } from '../dist/index.js';
import { generator } from './truth/generator.mjs';

const { values: args, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    systems: { type: 'string', default: 'linear:20:1000,quadratic:20:1000,threshold:20:1000,linear:100:1000' },
    methods: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    first: { type: 'string', default: '1' },
    device: { type: 'string', default: 'auto' },
    targets: { type: 'string' },
    out: { type: 'string' },
  },
});

/** Even couplings have no linear part: no correlation, no Granger causality. */
const COUPLINGS = {
  linear: (u) => u,
  quadratic: (u) => Math.min(u * u, 9) - 1, // bounded, or chains of squares would run away
  threshold: (u) => 2 * (Math.abs(u) > 0.9 ? 1 : 0),
};

// Chains a -> b -> c (the indirect link a -> c is none) and forks a -> b, a -> c (b -> c is none), by one of the couplings.
function make(variables, samples, seed, kind) {
  const { uniform, normal } = generator(seed);
  const truth = new Set();
  const indirect = new Set(); // pairs that are no links but depend on each other
  const driven = new Set();
  const into = Array.from({ length: variables }, () => []);
  const add = (s, t, lag) => {
    truth.add(s * variables + t);
    into[t].push([s, lag, uniform() < 0.5 ? -0.6 : 0.6]);
  };
  for (let v = 0; v + 2 < variables; v += 3) {
    add(v, v + 1, 1);
    if ((v / 3) % 2 === 0) {
      add(v + 1, v + 2, 1);
      indirect.add(v * variables + v + 2);
    } else {
      add(v, v + 2, 2);
      driven.add((v + 1) * variables + v + 2).add((v + 2) * variables + v + 1);
    }
  }
  const burn = 100;
  const x = Array.from({ length: variables }, () => new Float64Array(samples + burn));
  for (let t = 3; t < samples + burn; t++)
    for (let v = 0; v < variables; v++) {
      let sum = 0.3 * x[v][t - 1] + normal();
      for (const [s, lag, weight] of into[v]) {
        const u = x[s][t - lag];
        sum += weight * COUPLINGS[kind](u);
      }
      x[v][t] = sum;
    }
  const values = new Float64Array(variables * samples);
  x.forEach((row, v) => {
    values.set(row.subarray(burn), v * samples);
  });
  return { series: { values, variables, samples }, truth, indirect, driven };
}

function auroc(score, truth, variables) {
  const all = [];
  for (let m = 0; m < score.length; m++) if (m % (variables + 1) !== 0) all.push([score[m], truth.has(m) ? 1 : 0]);
  all.sort((a, b) => a[0] - b[0]);
  let ranks = 0;
  let positives = 0;
  all.forEach(([, y], r) => {
    if (!y) return;
    ranks += r + 1;
    positives++;
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

/** Of the links found and of each kind of pair: what share is right, and what share was found. */
const rate = (links, { truth, indirect, driven }, variables) => {
  const found = new Set(links.map(({ source, target }) => source * variables + target));
  const share = (pairs) => [...pairs].filter((m) => found.has(m)).length / pairs.size;
  const right = share(truth) * truth.size;
  return {
    precision: found.size ? right / found.size : 1,
    recall: share(truth),
    indirect: share(indirect),
    driven: share(driven),
  };
};

/** Links by the correlation of x[t] and y[t + 1], tested as if samples were independent (Fisher), Benjamini-Hochberg at 0.05. */
function correlationLinks(score, variables, samples) {
  const pairs = [];
  for (let m = 0; m < score.length; m++) {
    if (m % (variables + 1) === 0) continue;
    const z = Math.atanh(Math.min(score[m], 1 - 1e-12)) * Math.sqrt(samples - 4);
    pairs.push([m, erfc(z / Math.SQRT2)]);
  }
  pairs.sort((a, b) => a[1] - b[1]);
  let passed = pairs.length;
  while (passed > 0 && pairs[passed - 1][1] * pairs.length > 0.05 * passed) passed--;
  return pairs.slice(0, passed).map(([m]) => ({ source: Math.floor(m / variables), target: m % variables }));
}
/** By its series, and from 2 on by its continued fraction. */
function erfc(x) {
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 200; n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = x;
  for (let n = 60; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}

const METHODS = {
  correlation: { name: 'correlation at lag 1' },
  granger: { name: 'Granger, pairwise', options: { estimator: 'gaussian', maxLag: 2, analytic: true } },
  gaussian: { name: 'Gaussian, multivariate', options: { estimator: 'gaussian', method: 'multivariate', maxLag: 2 } },
  ksg: {
    name: 'KSG, pairwise',
    options: { maxLag: 2, null: 'pooled' },
    surrogates: 100,
  },
  multivariate: {
    name: 'KSG, multivariate',
    options: { method: 'multivariate', maxLag: 2, maxSources: 6 },
    surrogates: 100,
  },
};

async function networkRows() {
  const wanted = (args.methods ?? Object.keys(METHODS).join()).split(',');
  for (let seed = Number(args.first); seed < Number(args.first) + Number(args.seeds); seed++)
    for (const system of args.systems.split(',')) {
      const [kind, ...numbers] = system.split(':');
      const [variables, samples] = numbers.map(Number);
      const known = make(variables, samples, seed, kind);
      const { series, truth } = known;
      for (const method of wanted) {
        const { name, options, surrogates } = METHODS[method];
        const start = performance.now();
        let links;
        let score;
        let device = 'cpu';
        if (options) {
          const draws = surrogates ? { surrogates } : {};
          const targets = args.targets?.split(':').map(Number);
          const own = { ...options, ...draws, ...(targets && { targets }), seed, device: args.device };
          const network = await transferEntropyNetwork(series, own);
          if (targets) {
            emitPart({ kind, seed, method: name, ms: performance.now() - start, network });
            continue;
          }
          ({ links, te: score, device } = network);
        } else {
          score = lagCorrelation(series);
          links = correlationLinks(score, variables, samples);
        }
        emit({
          kind,
          variables,
          samples,
          method: name,
          ...rate(links, known, variables),
          area: auroc(score, truth, variables),
          ms: performance.now() - start,
          device,
        });
      }
    }
}

/** Of the links there are, and of those that a full KSG test finds, how many are among the pairs that screening keeps. */
async function screeningRows() {
  for (let seed = Number(args.first); seed < Number(args.first) + Number(args.seeds); seed++)
    for (const system of args.systems.split(',')) {
      const [kind, ...numbers] = system.split(':');
      const [variables, samples] = numbers.map(Number);
      const { series, truth } = make(variables, samples, seed, kind);
      const all = { maxLag: 2, null: 'pooled', surrogates: 100, seed, device: args.device };
      const full = await transferEntropyNetwork(series, all);
      const found = full.links.map(({ source, target }) => source * variables + target);
      for (const keep of [0.02, 0.05, 0.1, 0.2]) {
        const { te } = await transferEntropyNetwork(series, { maxLag: 2, screen: { keep }, device: args.device });
        const kept = (m) => !Number.isNaN(te[m]);
        const share = (links) => (links.length ? links.filter(kept).length / links.length : Number.NaN);
        emit({
          kind,
          variables,
          samples,
          keep,
          ofTruth: share([...truth]),
          ofFound: share(found),
          found: found.length,
        });
      }
    }
}

/** The numbers of a multivariate part that merging looks at; its matrices follow from them. */
function emitPart({ network, ...row }) {
  const { te, pValue, lag, links, inference, ...plain } = network;
  const omnibus = Object.entries(inference).map(([name, of]) => [name, ArrayBuffer.isView(of) ? [...of] : of]);
  emit({ ...row, part: { ...plain, inference: Object.fromEntries(omnibus) } });
}

/** Rows of whole networks from those of ranges of targets. Milliseconds are those of all ranges together. */
function merged(parts) {
  const groups = new Map();
  for (const row of parts) {
    const name = [row.kind, row.seed, row.method, row.part.variables, row.part.samples].join();
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups.values()].map((group) => {
    const { kind, seed, method } = group[0];
    const network = mergeNetworks(
      group.map(({ part }) => {
        const { links, omnibusTe, omnibusP } = part.inference;
        const empty = new Float64Array(part.variables ** 2);
        return {
          ...part,
          te: empty,
          pValue: empty,
          lag: new Int32Array(empty.length),
          links: [],
          inference: { links, omnibusTe: numbers(omnibusTe), omnibusP: numbers(omnibusP) },
        };
      }),
    );
    const { variables, device } = network;
    const samples = group[0].part.samples + 2; // tuples, and the longest lag
    const known = make(variables, samples, seed, kind);
    const ms = group.reduce((sum, row) => sum + row.ms, 0);
    const area = auroc(network.te, known.truth, variables);
    return { kind, variables, samples, method, ...rate(network.links, known, variables), area, ms, device };
  });
}
/** JSON has no NaN. */
const numbers = (values) => Float64Array.from(values, (value) => value ?? Number.NaN);

const rows = [];
function emit(row) {
  rows.push(row);
  if (args.out) appendFileSync(args.out, `${JSON.stringify(row)}\n`);
}

function table(key, columns) {
  const groups = new Map();
  for (const row of rows) {
    const name = key(row).join(' | ');
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  for (const [name, group] of groups) {
    const mean = (field) => {
      const known = group.map((row) => row[field] ?? Number.NaN).filter((value) => !Number.isNaN(value));
      return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : Number.NaN;
    };
    console.log(`| ${name} | ${group.length} | ${columns(mean, group).join(' | ')} |`);
  }
}
function show() {
  const networks = rows.some((row) => row.method);
  console.log(
    networks
      ? '| system | V | N | method | seeds | precision | recall | FDR | indirect paths taken for links | common drivers’ pairs taken for links | AUROC | ms |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |'
      : '| coupling | V | N | kept by each | seeds | recall of the links there are | recall of the links that full KSG finds | those |\n| --- | --- | --- | --- | --- | --- | --- | --- |',
  );
  if (networks)
    table(
      ({ kind, variables, samples, method }) => [kind, variables, samples, method],
      (mean, group) => [
        mean('precision').toFixed(3),
        mean('recall').toFixed(3),
        (1 - mean('precision')).toFixed(3),
        mean('indirect').toFixed(3),
        mean('driven').toFixed(3),
        mean('area').toFixed(3),
        `${mean('ms').toFixed(0)} (${group[0].device})`,
      ],
    );
  else
    table(
      ({ kind, variables, samples, keep }) => [kind, variables, samples, `${100 * keep} %`],
      (mean) => [mean('ofTruth').toFixed(3), mean('ofFound').toFixed(3), mean('found').toFixed(0)],
    );
}

if (positionals[0] === 'table') {
  const read = positionals.slice(1).flatMap((file) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
  rows.push(...read.filter(({ part }) => !part), ...merged(read.filter(({ part }) => part)));
} else if (positionals[0] === 'screening') await screeningRows();
else await networkRows();
if (!args.targets) show();
