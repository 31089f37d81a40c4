// The rival of the MaxCut bench: one spin after the other by Metropolis with kept local fields, one thread, T falling
// geometrically from 3 to 0.15. Whole weights only, so that the exponentials of a sweep are a table.

/** Runs of `sweeps` sweeps until `seconds` are over: the best cut, how many runs reached `target`, and the time a run took. */
export function plainAnnealing({ n, edges, weights }, target, sweeps, seconds, seed = 1) {
  const pairs = weights.length;
  const offsets = new Int32Array(n + 1);
  for (const node of edges) offsets[node + 1]++;
  for (let i = 0; i < n; i++) offsets[i + 1] += offsets[i];
  const next = offsets.slice(0, n);
  const neighbours = new Int32Array(2 * pairs);
  const bonds = new Int32Array(2 * pairs);
  let widest = 0;
  const sums = new Int32Array(n);
  for (let k = 0; k < pairs; k++) {
    for (const [a, b] of [
      [edges[2 * k], edges[2 * k + 1]],
      [edges[2 * k + 1], edges[2 * k]],
    ]) {
      bonds[next[a]] = weights[k];
      neighbours[next[a]++] = b;
      sums[a] += Math.abs(weights[k]);
      widest = Math.max(widest, sums[a]);
    }
  }
  let state = seed >>> 0 || 1;
  const draw = () => {
    state ^= state << 13; // xorshift32
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const spins = new Int8Array(n);
  const gain = new Int32Array(n); // what flipping adds to the cut, times s_i: Σ w s_j
  const odds = new Float64Array(2 * widest + 2);
  let best = Number.NEGATIVE_INFINITY;
  let runs = 0;
  let hits = 0;
  const begin = performance.now();
  let spent = 0;
  do {
    for (let i = 0; i < n; i++) spins[i] = draw() & 65536 ? 1 : -1;
    gain.fill(0);
    let cut = 0;
    for (let i = 0; i < n; i++)
      for (let k = offsets[i]; k < offsets[i + 1]; k++) {
        gain[i] += bonds[k] * spins[neighbours[k]];
        if (spins[i] !== spins[neighbours[k]]) cut += bonds[k] / 2;
      }
    let most = cut;
    for (let sweep = 0; sweep < sweeps; sweep++) {
      const temperature = 3 * (0.15 / 3) ** (sweep / (sweeps - 1));
      // E = Σ w s s: the energy grows by twice what the cut loses.
      for (let d = 0; d < odds.length; d++) odds[d] = Math.exp((-2 * d) / temperature) * 2 ** 32;
      for (let i = 0; i < n; i++) {
        const change = gain[i] * spins[i];
        if (change < 0 && draw() >= odds[-change]) continue;
        spins[i] = -spins[i];
        cut += change;
        if (cut > most) most = cut;
        const twice = 2 * spins[i];
        for (let k = offsets[i]; k < offsets[i + 1]; k++) gain[neighbours[k]] += twice * bonds[k];
      }
    }
    best = Math.max(best, most);
    hits += most >= target ? 1 : 0;
    runs++;
    spent = (performance.now() - begin) / 1000;
  } while (spent < seconds);
  const p = hits / runs;
  const tts = hits === 0 ? Infinity : (spent / runs) * Math.max(1, p < 1 ? Math.log(0.01) / Math.log(1 - p) : 1);
  return { best, runs, hits, secondsARun: spent / runs, tts, updatesANs: (runs * sweeps * n) / spent / 1e9 };
}
