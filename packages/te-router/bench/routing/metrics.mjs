// Definitions of RouteLLM (arXiv 2406.18665): the performance gap recovered at a share of strong calls, its mean (APGR), and
// the least share that recovers a part (CPT).

/** Quality of the test rows as the best-scored are sent to the strong model, one after the other: n + 1 values. */
export function curve(score, strong, weak) {
  const order = [...score.keys()].sort((a, b) => score[b] - score[a] || a - b);
  let gain = 0;
  const out = [0];
  for (const i of order) {
    gain += strong[i] - weak[i];
    out.push(gain);
  }
  return out;
}

/** APGR, CPT50 and CPT80 (shares), saving by calls at 95 and 98 % of the strong model's quality. */
export function pairMetrics(score, strong, weak, cost) {
  const n = score.length;
  const gains = curve(score, strong, weak);
  const total = gains[n];
  const base = weak.reduce((a, b) => a + b, 0);
  let area = 0;
  for (let i = 1; i <= n; i++) area += (gains[i] + gains[i - 1]) / 2 / total / n;
  const cpt = (part) => {
    for (let i = 0; i <= n; i++)
      if (gains[i] >= part * total) {
        if (i === 0) return 0;
        const before = gains[i - 1];
        return (i - 1 + (part * total - before) / (gains[i] - before)) / n;
      }
    return 1;
  };
  const saving = (part) => {
    const wanted = part * (base + total);
    const i = gains.findIndex((g) => base + g >= wanted);
    const share = i < 0 ? 1 : i / n;
    return 1 - share - ((1 - share) * cost.weak) / cost.strong;
  };
  return { apgr: area, cpt50: cpt(0.5), cpt80: cpt(0.8), saving95: saving(0.95), saving98: saving(0.98) };
}

/** Percentile bootstrap over rows of a statistic of row indices. */
export function bootstrap(n, statistic, { draws = 300, seed = 1, level = 0.95 } = {}) {
  const uniform = generator(seed);
  const values = [];
  for (let d = 0; d < draws; d++) {
    const rows = Array.from({ length: n }, () => Math.floor(uniform() * n));
    const v = statistic(rows);
    if (Number.isFinite(v)) values.push(v);
  }
  values.sort((a, b) => a - b);
  const at = (q) => values[Math.min(values.length - 1, Math.max(0, Math.round(q * (values.length - 1))))];
  return [at((1 - level) / 2), at((1 + level) / 2)];
}

/**
 * Quality against cost of the choices by predicted quality - lambda x predicted cost, over lambda. Gives for each part of the
 * reference's quality the largest saving, read off this very curve (as CPT is), and the quality at lambda 0.
 */
export function savings(predicted, predictedCost, quality, cost, reference, parts) {
  const n = quality.length;
  const models = quality[0].length;
  const mean = (rows, m) => rows.reduce((s, r) => s + r[m], 0) / n;
  const refQuality = mean(quality, reference);
  const refCost = mean(cost, reference);
  const points = lambdas(predicted, predictedCost).map((lambda) => {
    let q = 0;
    let c = 0;
    for (let i = 0; i < n; i++) {
      let best = 0;
      for (let m = 1; m < models; m++)
        if (predicted[i][m] - lambda * predictedCost[i][m] > predicted[i][best] - lambda * predictedCost[i][best])
          best = m;
      q += quality[i][best] / n;
      c += cost[i][best] / n;
    }
    return { lambda, q, c };
  });
  const at = parts.map((part) => {
    const ok = points.filter((p) => p.q >= part * refQuality);
    return ok.length > 0 ? 1 - Math.min(...ok.map((p) => p.c)) / refCost : Number.NaN;
  });
  return { savings: at, quality: points[0].q, best: Math.max(...points.map((p) => p.q)), points, refQuality, refCost };
}

/** 0 and 400 values from where the first choice changes to where the last does. */
function lambdas(predicted, predictedCost) {
  const steps = [];
  predicted.forEach((q, i) => {
    const best = q.indexOf(Math.max(...q));
    for (let m = 0; m < q.length; m++) {
      const dear = predictedCost[i][best] - predictedCost[i][m];
      if (dear > 0) steps.push((q[best] - q[m]) / dear);
    }
  });
  steps.sort((a, b) => a - b);
  return [0, ...Array.from({ length: 400 }, (_, g) => steps[Math.floor(((g + 0.5) * steps.length) / 400)] ?? 0)];
}

export function generator(seed) {
  let s = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
export const deviation = (v) =>
  v.length > 1 ? Math.sqrt(v.reduce((s, x) => s + (x - mean(v)) ** 2, 0) / (v.length - 1)) : 0;
