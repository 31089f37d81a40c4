// The models of a pool by name, and what a request says of them.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import { estimateStrength, type ResolvedLearning } from '../learning/beliefs';
import type { ChooseContext } from './options';

const NO_DOMAIN = '';

export class Pool {
  readonly #index: ReadonlyMap<string, number>;

  /** @throws InvalidArgumentError when two models have one name. */
  constructor(readonly names: readonly string[]) {
    const index = new Map<string, number>();
    for (const [i, name] of names.entries()) {
      if (index.has(name)) refuse(`models[${i}].name`, `there are two models called ${shown(name)}.`);
      index.set(name, i);
    }
    this.#index = index;
  }

  indexOf(name: unknown, field: string): number {
    const index = this.#index.get(name as string);
    if (index === undefined)
      return refuse(
        field,
        `there is no model called ${shown(name)}; the models are ${this.names.slice(0, 20).map(shown).join(', ')}.`,
      );
    return index;
  }

  /** One factor a model. */
  readScales(scale: ChooseContext['costScale'], out: Float64Array): void {
    if (scale === undefined || typeof scale === 'number') {
      out.fill(scale === undefined ? 1 : numberIn(scale, 'costScale', { min: 0 }));
      return;
    }
    objectIn(scale, 'costScale');
    out.fill(1);
    for (const name of Object.keys(scale))
      out[this.indexOf(name, 'costScale')] = numberIn(scale[name], `costScale.${name}`, { min: 0 });
  }

  /** Estimates from outside as pseudo-outcomes, written to `out[successes + i]` and `out[failures + i]`. */
  readEstimates(
    estimates: NonNullable<ChooseContext['quality']>,
    { strength, limit }: ResolvedLearning['external'],
    out: number[],
    successes: number,
    failures: number,
  ): void {
    objectIn(estimates, 'quality');
    for (const name of Object.keys(estimates)) {
      const i = this.indexOf(name, 'quality');
      const given = estimates[name]!;
      const bare = typeof given === 'number';
      const mean = bare ? given : objectIn(given, 'quality').mean;
      // The full check builds the field's name, which costs more than the choice: only a wrong value pays for it.
      if (!isProbability(mean)) numberIn(mean, bare ? `quality.${name}` : `quality.${name}.mean`, { min: 0, max: 1 });
      let weight = strength;
      if (!bare) {
        const { uncertainty } = given;
        if (!isProbability(uncertainty)) numberIn(uncertainty, `quality.${name}.uncertainty`, { min: 0 });
        weight = estimateStrength(mean as number, uncertainty, limit);
      }
      out[successes + i] = weight * (mean as number);
      out[failures + i] = weight * (1 - (mean as number));
    }
  }

  /** Gives the models that must not be chosen an energy of +Infinity. */
  exclude(names: readonly string[], energies: Float64Array): void {
    if (!Array.isArray(names)) refuse('exclude', `exclude is ${shown(names)}; it must be an array of names.`);
    for (const name of names) energies[this.indexOf(name, 'exclude')] = Number.POSITIVE_INFINITY;
    if (energies.every((e) => e === Number.POSITIVE_INFINITY))
      refuse('exclude', 'every model is excluded; at least one must remain.');
  }
}

const isProbability = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1;

export function domainKey(domain: unknown): string {
  if (domain === undefined) return NO_DOMAIN;
  if (typeof domain === 'string' && domain !== NO_DOMAIN) return domain;
  if (typeof domain === 'number' && !Number.isNaN(domain)) return String(domain);
  return refuse('domain', `domain is ${shown(domain)}; it must be a number or a string that is not empty.`);
}
