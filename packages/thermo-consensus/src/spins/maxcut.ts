import { objectIn } from '@x/cuda-core/addon';
import { parseGraph, run, type Solution, type SolveOptions, sizeIn, solution, type WeightedGraph } from './ising';

/**
 * A cut of large weight: nodes are split into two sides, `spins[i] = ±1`, and `cut` is the weight of the edges between
 * them. Weights may be negative. See solveIsing for the method.
 *
 * @param graph `edges` as flat pairs from 0, `weights` one a pair (all 1 when left out).
 * @param options `target` is a cut: the search stops as soon as one of at least that weight is found.
 * @throws InvalidArgumentError naming what is wrong; the signal's reason when aborted.
 */
export async function solveMaxCut(
  graph: WeightedGraph,
  options: SolveOptions = {},
): Promise<Solution & { cut: number }> {
  objectIn(graph, 'graph');
  const { n, edges, weights } = parseGraph(graph, sizeIn(graph.n));
  // cut = (Σ c - Σ c s s) / 2: the ground state for the couplings -c.
  const total = weights.reduce((sum, w) => sum + w, 0);
  const size = weights.reduce((sum, w) => sum + Math.abs(w), 0);
  const whole = weights.every(Number.isInteger);
  const slack = whole ? 0 : 1e-12 * size; // a target read off a sum of rounded weights is still reached
  const model = { n, edges, weights: weights.map((w) => -w), fields: undefined };
  const { result, spins } = await run(model, options, (target) => total - 2 * target + slack);
  let cut = 0;
  for (let k = 0; k < weights.length; k++) if (spins[edges[2 * k]!] !== spins[edges[2 * k + 1]!]) cut += weights[k]!;
  return { cut, ...solution(result, spins) };
}
