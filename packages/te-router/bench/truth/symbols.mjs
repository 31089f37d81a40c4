// What the binned estimator would say of an endless series: the information between symbols, which is less than that between
// values. Counted here, by no estimator of the package.

/** Equal-frequency symbols 0..bins-1. */
function symbols(series, bins) {
  const sorted = series.slice().sort();
  const cuts = Array.from({ length: bins - 1 }, (_, b) => sorted[Math.floor(((b + 1) * sorted.length) / bins)]);
  return Uint8Array.from(series, (v) => cuts.reduce((s, cut) => s + (v >= cut ? 1 : 0), 0));
}

/** Of x -> y, histories 1 and delay 1, in nats, less the bias that so many cells have. */
function informationOf([x, y], bins) {
  const [s, f] = [symbols(x, bins), symbols(y, bins)];
  const n = y.length - 1;
  const count = (size, at) => {
    const cells = new Float64Array(size);
    for (let t = 0; t < n; t++) cells[at(t)]++;
    return cells.reduce((sum, c) => (c > 0 ? sum - (c / n) * Math.log(c / n) : sum), 0);
  };
  const past = count(bins, (t) => f[t]);
  const futurePast = count(bins ** 2, (t) => f[t + 1] * bins + f[t]);
  const sourcePast = count(bins ** 2, (t) => s[t] * bins + f[t]);
  const all = count(bins ** 3, (t) => (s[t] * bins + f[t + 1]) * bins + f[t]);
  return futurePast + sourcePast - past - all - ((bins - 1) ** 2 * bins) / (2 * n);
}

/** The mean of two long series; half their difference is the error. */
export function symbolTruth({ make, none }, bins, samples = 1e6) {
  if (none) return { te: 0, error: 0 };
  const [a, b] = [700001, 700002].map((seed) => informationOf(make(samples, seed), bins));
  return { te: (a + b) / 2, error: Math.abs(a - b) / 2 };
}
