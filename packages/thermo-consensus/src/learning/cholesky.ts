/**
 * A square root L of `(A + ridge I)^-1 = L L'`, upper triangular, a row after the other.
 *
 * @param lower A, positive semidefinite, of which the lower triangle is read; a row after the other.
 * @param ridge above 0.
 */
export function invertedRoot(lower: Float64Array, ridge: number, size: number): Float64Array {
  // The Cholesky factor R of A + ridge I, row by row.
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = lower[i * size + j]! + (i === j ? ridge : 0);
      for (let k = 0; k < j; k++) sum -= factor[i * size + k]! * factor[j * size + k]!;
      // Rounding alone can make a pivot smaller than the ridge.
      factor[i * size + j] = i === j ? Math.sqrt(Math.max(sum, ridge)) : sum / factor[j * size + j]!;
    }
  }
  // L = R^-T: column by column, R's inverse is found by forward substitution.
  const out = new Float64Array(size * size);
  for (let c = 0; c < size; c++) {
    for (let i = c; i < size; i++) {
      let sum = i === c ? 1 : 0;
      for (let k = c; k < i; k++) sum -= factor[i * size + k]! * out[c * size + k]!;
      out[c * size + i] = sum / factor[i * size + i]!;
    }
  }
  return out;
}
