// Rivals in the same run: each learns from the training rows and predicts every model's quality for a test row.
import { generator } from './metrics.mjs';

const matrix = (rows, models) => rows.map((r) => models.map((m) => r.quality[m]));
const means = (y) => y[0].map((_, m) => y.reduce((s, r) => s + r[m], 0) / y.length);

export function random(_train, test, models) {
  const uniform = generator(7);
  return test.map(() => models.map(() => uniform()));
}

/** Longer questions gain more from the stronger model, or shorter ones: whichever the training rows say. */
export function length(train, test, models) {
  const y = matrix(train, models);
  const x = train.map((r) => Math.log(1 + r.text.length));
  const mx = x.reduce((a, b) => a + b, 0) / x.length;
  const sxx = x.reduce((s, v) => s + (v - mx) ** 2, 0) || 1;
  const my = means(y);
  const slope = my.map((mean, m) => x.reduce((s, v, i) => s + (v - mx) * (y[i][m] - mean), 0) / sxx);
  return test.map((r) => my.map((mean, m) => mean + slope[m] * (Math.log(1 + r.text.length) - mx)));
}

/** The benchmark's label as the domain: what no live router knows. Shrunken by ten rows of the overall mean. */
export function domainMean(train, test, models) {
  const all = means(matrix(train, models));
  const sums = new Map();
  for (const r of train) {
    const s = sums.get(r.domain) ?? { n: 0, q: models.map(() => 0) };
    s.n++;
    models.forEach((m, i) => {
      s.q[i] += r.quality[m];
    });
    sums.set(r.domain, s);
  }
  return test.map((r) => {
    const s = sums.get(r.domain) ?? { n: 0, q: models.map(() => 0) };
    return all.map((mean, i) => (s.q[i] + 10 * mean) / (s.n + 10));
  });
}

/** TF-IDF rows of words and pairs of words, of length 1. */
function tfidf(train, test) {
  const grams = (text) => {
    const words = text.toLowerCase().match(/[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
    return [...words, ...words.slice(1).map((w, i) => `${words[i]} ${w}`)];
  };
  const df = new Map();
  const docs = train.map((r) => grams(r.text));
  for (const d of docs) for (const g of new Set(d)) df.set(g, (df.get(g) ?? 0) + 1);
  const least = train.length < 400 ? 1 : 2;
  const index = new Map([...df].filter(([, n]) => n >= least).map(([g], i) => [g, i]));
  const row = (d) => {
    const counts = new Map();
    for (const g of d) {
      const i = index.get(g);
      if (i !== undefined) counts.set(i, (counts.get(i) ?? 0) + 1);
    }
    return counts;
  };
  const idf = new Float64Array(index.size);
  for (const [g, i] of index) idf[i] = 1 + Math.log((1 + train.length) / (1 + df.get(g)));
  const scaled = (d) => {
    const entries = [...row(d)].map(([i, n]) => [i, (1 + Math.log(n)) * idf[i]]);
    const norm = Math.sqrt(entries.reduce((s, [, v]) => s + v * v, 0)) || 1;
    return entries.map(([i, v]) => [i, v / norm]);
  };
  return { size: index.size, train: docs.map(scaled), test: test.map((r) => scaled(grams(r.text))) };
}

/** Mean quality of the 40 most alike training questions, weighted by cosine. */
export function knn(train, test, models, k = 40) {
  const t = tfidf(train, test);
  const postings = Array.from({ length: t.size }, () => []);
  t.train.forEach((row, r) => {
    for (const [i, v] of row) postings[i].push(r, v);
  });
  const y = matrix(train, models);
  const all = means(y);
  const score = new Float64Array(train.length);
  return t.test.map((row) => {
    score.fill(0);
    for (const [i, v] of row) {
      const p = postings[i];
      for (let a = 0; a < p.length; a += 2) score[p[a]] += v * p[a + 1];
    }
    const near = [...score.keys()].sort((a, b) => score[b] - score[a]).slice(0, k);
    const weight = near.reduce((s, r) => s + score[r], 0);
    return all.map((mean, m) => (weight > 0 ? near.reduce((s, r) => s + score[r] * y[r][m], 0) / weight : mean));
  });
}

/** A logistic regression a model on the TF-IDF rows, penalty 1 on the log loss's sum (C = 1), by averaged Adagrad. */
export function logistic(train, test, models) {
  const t = tfidf(train, test);
  const y = matrix(train, models);
  const n = train.length;
  const uniform = generator(3);
  const order = Array.from({ length: n }, (_, i) => i);
  return models
    .map((_, m) => {
      const w = new Float64Array(t.size + 1);
      const g2 = new Float64Array(t.size + 1).fill(1e-2);
      for (let epoch = 0; epoch < 12; epoch++) {
        for (let i = n - 1; i > 0; i--) {
          const j = Math.floor(uniform() * (i + 1));
          [order[i], order[j]] = [order[j], order[i]];
        }
        for (const i of order) {
          const row = t.train[i];
          let z = w[t.size];
          for (const [j, v] of row) z += v * w[j];
          const e = 1 / (1 + Math.exp(-z)) - y[i][m];
          for (const [j, v] of row) {
            const g = e * v + w[j] / n;
            g2[j] += g * g;
            w[j] -= (0.3 * g) / Math.sqrt(g2[j]);
          }
          g2[t.size] += e * e;
          w[t.size] -= (0.3 * e) / Math.sqrt(g2[t.size]);
        }
      }
      return t.test.map((row) => {
        let z = w[t.size];
        for (const [j, v] of row) z += v * w[j];
        return 1 / (1 + Math.exp(-z));
      });
    })
    .reduce(
      (rows, column) => rows.map((r, i) => [...r, column[i]]),
      test.map(() => []),
    );
}

export function oracle(_train, test, models) {
  return test.map((r) => models.map((m) => r.quality[m]));
}
