// From a request to the energies of all models: what is believed of their qualities, and what the request costs with each.
import { numberIn, objectIn, refuse } from '@x/cuda-core/addon';
import type { Beliefs, Lent } from '../learning/beliefs';
import { truncate } from '../learning/normal';
import { betaOf, type Moments } from '../learning/pooling';
import type { RequestBelief } from '../learning/request-belief';
import { COLUMN, COLUMNS } from './decision';
import type { Demand, Energy } from './energy';
import type { LatencyBelief } from './latency';
import type { ChooseContext } from './options';
import { domainKey, type Pool } from './pool';
import { resolveTokens } from './pricing';

/** Expected qualities are kept this far from 0 and 1 by the context. */
const MEAN_MARGIN = 0.005;

/** Scratch of one choice after the other; `block` holds the columns of decision.ts. */
export class Weighing {
  // A plain array because copying one costs a tenth of copying a typed array, which needs memory outside the heap.
  readonly block: number[];
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** The posteriors' means, unless a draw is put in their place. */
  readonly quality: Float64Array;
  readonly energies: Float64Array;
  /** What the contextual belief goes by in the request at hand. */
  regressors: Float64Array | undefined;
  readonly #scales: Float64Array;
  readonly #shifts: Float64Array;
  readonly #variances: Float64Array;
  readonly #lent: Lent = { successes: 0, failures: 0 };
  readonly #moments: Moments = { mean: 0, variance: 0 };

  constructor(
    readonly pool: Pool,
    readonly energy: Energy,
    readonly beliefs: Beliefs,
    readonly requests: RequestBelief,
    readonly latencies: readonly LatencyBelief[],
    /** Tokens billed in this period, by model. */
    readonly billed: Float64Array,
  ) {
    const count = pool.names.length;
    const column = () => new Float64Array(count);
    this.block = Array.from({ length: COLUMNS * count }, () => 0);
    this.alpha = column();
    this.beta = column();
    this.quality = column();
    this.energies = column();
    this.#scales = column();
    this.#shifts = column();
    this.#variances = column();
  }

  /** Posteriors of all models for this context, and their means as qualities. */
  believe(context: ChooseContext, where = ''): Demand {
    objectIn(context, 'context');
    const domain = domainKey(context.domain);
    const count = this.pool.names.length;
    const { block } = this;
    const { prior, external } = this.beliefs.learning;
    block.fill(0, COLUMN.externalSuccesses * count, (COLUMN.contextFailures + 1) * count);
    if (context.quality !== undefined)
      this.pool.readEstimates(
        context.quality,
        external,
        block,
        COLUMN.externalSuccesses * count,
        COLUMN.externalFailures * count,
      );
    const regressors = this.requests.regressors(context, where);
    this.regressors = regressors;
    if (regressors) this.requests.belief!.predict(regressors, this.#shifts, this.#variances);
    const own = this.beliefs.of(domain);
    const lent = this.#lent;
    for (let i = 0; i < count; i++) {
      this.beliefs.lent(i, own, lent);
      const s = own.successes[i]!;
      const f = own.failures[i]!;
      let alpha = prior.alpha + s + lent.successes;
      let beta = prior.beta + f + lent.failures;
      if (regressors) [alpha, beta] = this.#inContext(i, alpha, beta);
      alpha += block[COLUMN.externalSuccesses * count + i]!;
      beta += block[COLUMN.externalFailures * count + i]!;
      const n = alpha + beta;
      const spread = (alpha / n) * (beta / n);
      this.alpha[i] = alpha;
      this.beta[i] = beta;
      this.quality[i] = alpha / n;
      block[COLUMN.alpha * count + i] = alpha;
      block[COLUMN.beta * count + i] = beta;
      block[COLUMN.ownSuccesses * count + i] = s;
      block[COLUMN.ownFailures * count + i] = f;
      block[COLUMN.lentSuccesses * count + i] = lent.successes;
      block[COLUMN.lentFailures * count + i] = lent.failures;
      block[COLUMN.epistemic * count + i] = Math.sqrt(spread / (n + 1));
      block[COLUMN.aleatoric * count + i] = Math.sqrt(spread);
    }
    return {
      tokens:
        context.tokens === undefined
          ? undefined
          : resolveTokens(context.tokens, `${where}tokens`, this.energy.tokens.output),
      deadline: context.deadline === undefined ? undefined : numberIn(context.deadline, 'deadline', { min: 0 }),
    };
  }

  /** The Beta distribution nearest to what domain and context say together of a rate, which is between 0 and 1. */
  #inContext(i: number, alpha: number, beta: number): [alpha: number, beta: number] {
    const n = alpha + beta;
    const ofRate = (alpha / n) * (beta / n) * (1 / (n + 1));
    this.#moments.mean = alpha / n + this.#shifts[i]!;
    this.#moments.variance = ofRate + this.#variances[i]!;
    truncate(this.#moments, MEAN_MARGIN);
    const together = betaOf(this.#moments);
    const count = this.pool.names.length;
    this.block[COLUMN.contextSuccesses * count + i] = together[0] - alpha;
    this.block[COLUMN.contextFailures * count + i] = together[1] - beta;
    return together;
  }

  /** Energies of all models, by the qualities at hand. */
  weigh(demand: Demand, context: ChooseContext): void {
    const count = this.pool.names.length;
    const { block, energies } = this;
    const scales = this.#scales;
    this.pool.readScales(context.costScale, scales);
    let possible = 0;
    for (let i = 0; i < count; i++) {
      const cost = this.energy.cost(i, demand, this.billed[i]!, scales[i]!);
      const belief = {
        quality: this.quality[i]!,
        epistemic: block[COLUMN.epistemic * count + i]!,
        aleatoric: block[COLUMN.aleatoric * count + i]!,
      };
      const at = COLUMN.terms * count + i;
      energies[i] = this.energy.terms(i, cost, belief, this.latencies[i]!, demand, block, at, count);
      if (energies[i]! < Number.POSITIVE_INFINITY) possible++;
      block[COLUMN.cost * count + i] = cost;
      block[COLUMN.quality * count + i] = belief.quality;
    }
    if (possible === 0)
      refuse(
        'tokens',
        'the request is longer than the context of every model; shorten it, or give context a finite weight.',
      );
    if (context.exclude !== undefined) this.pool.exclude(context.exclude, energies);
  }
}
