/** A generator of its own: the tests must not depend on what they test. Standard normals by sums of twelve uniforms. */
export function noise(seed: number): () => number {
  let state = BigInt(seed) + 0x9e3779b97f4a7c15n;
  const uniform = () => {
    state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn;
    return Number((z ^ (z >> 31n)) >> 11n) * 2 ** -53;
  };
  return () => {
    let sum = -6;
    for (let m = 0; m < 12; m++) sum += uniform();
    return sum;
  };
}

/** Linear series: `drives` holds [source, target, weight, lag]. */
export function linearNetwork(
  variables: number,
  samples: number,
  drives: [number, number, number, number][],
  seed = 1,
) {
  const normal = noise(seed);
  const burn = 100;
  const x = Array.from({ length: variables }, () => new Float64Array(samples + burn));
  for (let t = 10; t < samples + burn; t++) {
    for (let v = 0; v < variables; v++)
      (x[v] as Float64Array)[t] = 0.4 * ((x[v] as Float64Array)[t - 1] as number) + normal();
    for (const [s, y, weight, lag] of drives)
      (x[y] as Float64Array)[t]! += weight * ((x[s] as Float64Array)[t - lag] as number);
  }
  const values = new Float64Array(variables * samples);
  x.forEach((row, v) => {
    values.set(row.subarray(burn), v * samples);
  });
  return { values, variables, samples };
}
