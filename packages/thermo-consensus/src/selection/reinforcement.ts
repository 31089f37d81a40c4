// Learning of the energy's weights from what answers were worth.
import { numberIn, objectIn } from '@x/cuda-core/addon';
import { COLUMN, type Decision } from './decision';
import type { Energy } from './energy';

export class Reinforcement {
  /** Utilities seen; their mean is the baseline that a choice is compared with. */
  #seen = { count: 0, mean: 0 };

  constructor(
    readonly energy: Energy,
    readonly rate: number,
  ) {}

  get utilities(): { count: number; mean: number } {
    return { ...this.#seen };
  }
  restore(utilities: { count: unknown; mean: unknown }): void {
    const { count, mean } = objectIn(utilities, 'utilities');
    this.#seen = {
      count: numberIn(count, 'utilities.count', { min: 0, integer: true }),
      mean: numberIn(mean, 'utilities.mean'),
    };
  }

  observe(decision: Decision, chosen: number, utility: number): void {
    const seen = this.#seen;
    if (this.rate > 0 && seen.count > 0 && decision.temperature > 0)
      this.energy.learn(
        this.rate,
        utility - seen.mean,
        chosen,
        (t, i) => decision.at(COLUMN.terms + t, i),
        (i) => decision.at(COLUMN.probability, i),
      );
    seen.count++;
    seen.mean += (utility - seen.mean) / seen.count;
  }
}
