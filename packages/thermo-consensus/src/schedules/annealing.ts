// The temperature of each choice: what the schedule says, and what an adaptive one makes of how the choice went.
import { refuse, shown } from '@x/cuda-core/addon';
import { scrambled } from '../learning/random';
import type { Schedule, ScheduleState } from './schedules';

/** One choice, as far as a schedule is told about it. */
export interface AnnealedChoice {
  step: number;
  temperature: number;
  energies: Float64Array;
  probabilities: Float64Array;
  chosen: number;
  /** In nats. */
  entropy: number;
  meanEnergy: number;
}

export class Annealing {
  /** What the schedule keeps from choice to choice. */
  state: ScheduleState;

  constructor(
    readonly schedule: Schedule,
    readonly seed: number,
  ) {
    this.state = schedule.initial;
  }

  /** @throws InvalidArgumentError when a user-defined schedule gives no temperature. */
  temperature(step: number): number {
    const temperature = this.schedule.temperature(step, this.state);
    if (typeof temperature !== 'number' || !(temperature >= 0))
      refuse(
        'schedule',
        `the schedule gave the temperature ${shown(temperature)} for step ${step}; it must be 0 or more.`,
      );
    return temperature;
  }

  /** Lets an adaptive schedule learn from the choice. */
  advance(choice: AnnealedChoice): void {
    if (!this.schedule.advance) return;
    const { step, energies, probabilities, chosen } = choice;
    let possible = 0;
    let likeliest = 0;
    for (let i = 0; i < energies.length; i++) {
      if (energies[i]! !== Number.POSITIVE_INFINITY) possible++;
      likeliest = Math.max(likeliest, probabilities[i]!);
    }
    if (possible < 2) return; // a forced choice says nothing about the temperature
    this.state = this.schedule.advance(this.state, {
      entropy: choice.entropy / Math.log(possible),
      acceptance: 1 - likeliest,
      heatCapacity: heatCapacity(choice),
      energy: energies[chosen]!,
      step,
      uniform: scrambled(this.seed, step),
    });
  }
}

/** Variance of the energy in units of the squared temperature. */
function heatCapacity({ temperature, energies, probabilities, meanEnergy }: AnnealedChoice): number {
  if (temperature === 0 || temperature === Number.POSITIVE_INFINITY) return 0;
  let variance = 0;
  for (let i = 0; i < energies.length; i++) {
    const p = probabilities[i]!;
    if (p > 0) variance += p * (energies[i]! - meanEnergy) ** 2;
  }
  return variance / temperature ** 2;
}
