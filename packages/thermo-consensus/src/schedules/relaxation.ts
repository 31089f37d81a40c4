// Entropy produced while the distribution of one choice relaxes to that of the next.
import { numberIn } from '@x/cuda-core/addon';

export class Relaxation {
  /** Sum of what was produced, as far as it was finite, in nats. */
  total = 0;
  /** The last distribution drawn from; NaN before the first. */
  readonly #previous: Float64Array;

  constructor(models: number) {
    this.#previous = new Float64Array(models).fill(Number.NaN);
  }

  get previous(): number[] | null {
    return Number.isNaN(this.#previous[0]) ? null : [...this.#previous];
  }

  restore(previous: readonly unknown[] | null, total: unknown): void {
    for (const [i, p] of (previous ?? []).entries())
      this.#previous[i] = numberIn(p, `previous[${i}]`, { min: 0, max: 1 });
    this.total = numberIn(total, 'entropyProduction', { min: 0 });
  }

  /** Relative entropy of the distribution before to this one, which then becomes the one before. See `DecisionReadings`. */
  relax(now: Float64Array, energies: Float64Array): number {
    const before = this.#previous;
    let produced = 0;
    let share = 0; // of the old distribution that is still possible
    if (!Number.isNaN(before[0]))
      for (let i = 0; i < now.length; i++) {
        const p = before[i]!;
        if (p === 0 || energies[i] === Number.POSITIVE_INFINITY) continue;
        share += p;
        produced += p * Math.log(p / now[i]!);
      }
    produced = share > 0 ? Math.max(0, produced / share - Math.log(share)) : 0;
    before.set(now);
    if (produced < Number.POSITIVE_INFINITY) this.total += produced;
    return produced;
  }
}
