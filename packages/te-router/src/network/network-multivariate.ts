import { UnsupportedError } from '@x/cuda-core';
import { parseDevice, runJob } from '@x/cuda-core/addon';
import { integer } from '../estimation/estimation-options';
import { addon } from '../native';
import { ESTIMATORS } from './native-network';
import type { NetworkLink, NetworkSeries, TransferEntropyNetwork, TransferEntropyNetworkOptions } from './network';
import { adjustedPValues } from './network-links';

/** Greedy inference of every target's sources: what `transferEntropyNetwork` does with `method: 'multivariate'`. */
export async function multivariate(
  data: NetworkSeries,
  options: TransferEntropyNetworkOptions,
  estimator: 'ksg1' | 'gaussian' | 'binned',
  targets: readonly [number, number],
  alpha: number,
  fdr: boolean,
): Promise<TransferEntropyNetwork> {
  if (estimator === 'binned')
    throw new UnsupportedError('multivariate inference knows the estimators ksg1 and gaussian', { field: 'estimator' });
  const { variables } = data;
  const minLag = integer('delay', options.delay, 1, 1, 1000);
  const maxLag = integer('maxLag', options.maxLag, Math.max(5, minLag), minLag, 1000);
  const maxHistory = integer('maxHistory', options.maxHistory, maxLag, 1, 1000);
  const surrogates = integer('surrogates', options.surrogates, estimator === 'ksg1' ? 200 : 0, 0, 100_000);
  const raw = await runJob({ signal: options.signal, onProgress: options.onProgress }, (control) =>
    addon().networkGreedy(
      data.values,
      variables,
      data.samples,
      {
        estimator: ESTIMATORS[estimator],
        k: integer('k', options.k, 4, 1, 64),
        maxLag,
        minLag,
        maxHistory,
        theiler: integer('theiler', options.theiler, 0, 0),
        surrogates,
        from: targets[0],
        to: targets[1],
        maxSources: integer('maxSources', options.maxSources, 20, 1, 1000),
        alpha,
        seed: integer('seed', options.seed, 0, 0, Number.MAX_SAFE_INTEGER),
        device: parseDevice(options.device),
      },
      control,
    ),
  );
  const links: NetworkLink[] = [];
  for (let m = 0; m < raw.links.length; m += 5) {
    const [source, target, lag, te, pValue] = raw.links.subarray(m, m + 5) as unknown as [
      number,
      number,
      number,
      number,
      number,
    ];
    links.push({ source, target, lag, te, pValue });
  }
  return multivariateResult({
    variables,
    samples: data.samples - Math.max(maxLag, maxHistory),
    targets,
    alpha,
    fdr,
    inference: { links, omnibusTe: raw.omnibusTe, omnibusP: raw.omnibusP },
    surrogates,
    delay: minLag,
  });
}

/** Control over all tests, and the matrices, from what was inferred of each target; also of merged parts. */
export function multivariateResult(
  raw: Pick<TransferEntropyNetwork, 'variables' | 'samples' | 'targets' | 'delay' | 'alpha' | 'fdr' | 'surrogates'> &
    Required<Pick<TransferEntropyNetwork, 'inference'>>,
): TransferEntropyNetwork {
  const { variables, targets, alpha, fdr, inference } = raw;
  const [from, to] = targets;
  // One test let each link in, and one more a target, which failed, ended its search.
  const adjusted = fdr
    ? adjustedPValues(
        inference.links.map(({ pValue }) => pValue as number),
        inference.links.length + to - from,
      )
    : undefined;
  const links = inference.links
    .map((link, m) => (adjusted ? { ...link, qValue: adjusted[m] as number } : link))
    .filter((link) => (link.qValue ?? (link.pValue as number)) <= alpha)
    .filter(({ target }) => (inference.omnibusP[target] as number) <= alpha)
    .sort((a, b) => a.source - b.source || a.target - b.target || a.lag - b.lag);
  const te = new Float64Array(variables * variables).fill(Number.NaN);
  const pValue = new Float64Array(variables * variables).fill(Number.NaN);
  const lag = new Int32Array(variables * variables);
  for (let x = 0; x < variables; x++) {
    te.fill(0, x * variables + from, x * variables + to);
    pValue.fill(1, x * variables + from, x * variables + to);
  }
  for (const link of links) {
    const at = link.source * variables + link.target;
    te[at] = link.te;
    if ((link.pValue as number) < (pValue[at] as number) || lag[at] === 0) lag[at] = link.lag;
    pValue[at] = Math.min(pValue[at] as number, link.pValue as number);
  }
  return { ...raw, te, pValue, lag, links, method: 'multivariate', precision: 'f64', device: 'cpu' };
}
