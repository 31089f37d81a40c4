// What was observed: how many outcomes each model had, how it did in each domain, and the latest outcomes in their order.
import { refuse } from '@x/cuda-core/addon';
import type { RouterState } from './state';

interface ObservedOutcome {
  features: Float64Array;
  model: number;
  quality: number;
}

interface Tally {
  count: number;
  sum: number;
}

export class OutcomeRecord {
  /** Outcomes in all. */
  total = 0;
  /** Outcomes of each model. */
  readonly counts: Float64Array;
  /** Of domain x models + model. */
  private readonly tallies = new Map<number, Tally>();
  private readonly latest: ObservedOutcome[] = [];

  constructor(
    private readonly models: number,
    private readonly window: number,
  ) {
    this.counts = new Float64Array(models);
  }

  add(domain: number, outcome: ObservedOutcome): void {
    this.total++;
    this.counts[outcome.model]!++;
    const key = domain * this.models + outcome.model;
    const tally = this.tallies.get(key) ?? { count: 0, sum: 0 };
    tally.count++;
    tally.sum += outcome.quality;
    this.tallies.set(key, tally);
    this.latest.push(outcome);
    if (this.latest.length > this.window) this.latest.splice(0, this.latest.length - this.window);
  }

  /** A model's outcomes in a domain; undefined when it had none. */
  tally(domain: number, model: number): Readonly<Tally> | undefined {
    return this.tallies.get(domain * this.models + model);
  }

  /** The latest outcomes of a model, oldest first. */
  of(model: number): ObservedOutcome[] {
    return this.latest.filter((outcome) => outcome.model === model);
  }

  toJSON(): Pick<RouterState, 'tallies' | 'stream' | 'observations'> {
    return {
      tallies: [...this.tallies].map(([key, t]) => [key, t.count, t.sum]),
      stream: this.latest,
      observations: this.total,
    };
  }

  restore({ tallies, stream, observations }: ReturnType<OutcomeRecord['toJSON']>): void {
    const M = this.models;
    for (const [key, count, sum] of tallies) {
      this.tallies.set(key, { count, sum });
      this.counts[((key % M) + M) % M]! += count;
    }
    if (stream.length > this.window)
      refuse('stream', `there are ${stream.length} outcomes, more than the window holds.`);
    for (const outcome of stream) this.latest.push(outcome);
    this.total = observations;
  }
}
