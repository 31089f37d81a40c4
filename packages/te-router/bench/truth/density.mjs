// Entropies from densities on a grid: the truth of systems that have no closed form. No estimator of the package takes part.

/** ln of the density of a normal with this deviation has the mean -normalEntropy. */
export const normalEntropy = (deviation) => 0.5 * Math.log(2 * Math.PI * Math.E * deviation * deviation);

/** Differential entropy of a density on a line, by the trapezoid rule. */
export function entropyOnLine(density, from, to, step) {
  let h = 0;
  for (let v = from; v < to; v += step) {
    const p = density(v);
    if (p > 1e-300) h -= p * Math.log(p) * step;
  }
  return h;
}

/**
 * Entropies of latent values that are observed with independent Gaussian noise of known deviation: the density of what is
 * observed is exactly the latent one, blurred. The latent one is a histogram of a long orbit; a point is dealt to its nearest
 * cells by distance, whose own spread (cell^2 / 6) is taken off the blur.
 *
 * @param orbit calls its argument with every latent point, an array of as many numbers as there are axes.
 * @param axes of each number: { low, high, cells, deviation of the noise }.
 * @returns entropy(kept): differential entropy in nats of the axes whose indices are `kept`.
 */
export function blurredDensity(orbit, axes) {
  const width = axes.map(({ low, high, cells }) => (high - low) / cells);
  const stride = axes.map((_, a) => axes.slice(a + 1).reduce((product, { cells }) => product * cells, 1));
  let mass = new Float64Array(axes[0].cells * stride[0]);
  let count = 0;
  const deal = (point, a, at, weight) => {
    if (a === axes.length) {
      mass[at] += weight;
      return;
    }
    const x = (point[a] - axes[a].low) / width[a] - 0.5;
    const cell = Math.floor(x);
    if (!(cell >= 0 && cell + 1 < axes[a].cells)) throw new RangeError(`axis ${a} does not reach ${point[a]}`);
    deal(point, a + 1, at + cell * stride[a], weight * (1 - (x - cell)));
    deal(point, a + 1, at + (cell + 1) * stride[a], weight * (x - cell));
  };
  orbit((point) => {
    deal(point, 0, 0, 1);
    count++;
  });
  axes.forEach(({ cells, deviation }, a) => {
    mass = blurred(mass, cells, stride[a], Math.sqrt(deviation ** 2 - width[a] ** 2 / 6) / width[a]);
  });
  const entropy = (kept) => {
    const sums = new Float64Array(kept.reduce((product, a) => product * axes[a].cells, 1));
    for (let m = 0; m < mass.length; m++) {
      if (mass[m] === 0) continue;
      let at = 0;
      for (const a of kept) at = at * axes[a].cells + (Math.floor(m / stride[a]) % axes[a].cells);
      sums[at] += mass[m] / count;
    }
    let h = 0;
    let whole = 0;
    const cell = kept.reduce((product, a) => product * width[a], 1);
    for (const v of sums) {
      if (v > 0) h -= v * Math.log(v / cell);
      whole += v;
    }
    if (Math.abs(whole - 1) > 1e-6) throw new RangeError(`the grid lost ${1 - whole} of the mass`);
    return h;
  };
  return { entropy };
}

/** Convolution with a normal along one axis of a flat array. */
function blurred(from, cells, stride, deviation) {
  const reach = Math.ceil(6 * deviation);
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * deviation ** 2)),
  );
  const norm = kernel.reduce((a, b) => a + b, 0);
  const to = new Float64Array(from.length);
  const block = cells * stride;
  for (let base = 0; base < from.length; base += block)
    for (let c = 0; c < cells; c++)
      for (let r = Math.max(0, c - reach); r <= Math.min(cells - 1, c + reach); r++) {
        const weight = kernel[r - c + reach] / norm;
        const source = base + c * stride;
        const target = base + r * stride;
        for (let i = 0; i < stride; i++) if (from[source + i] !== 0) to[target + i] += weight * from[source + i];
      }
  return to;
}
