// What is learnt of requests by their texts or features: the passage from a request to the contextual belief about it.
import { numberIn, objectIn, refuse } from '@x/cuda-core/addon';
import type { ResolvedLearning } from './beliefs';
import { ContextualBelief, type SavedContext } from './contextual-belief';
import { FeatureMap } from './feature-map';
import { TEXT_FEATURES } from './text-features';

/** Where a request or an outcome tells of the request. */
export interface Described {
  text?: string;
  features?: ArrayLike<number>;
}

export interface SavedRequestBelief extends SavedContext {
  features: number;
}

const FEATURES_MAX = 16_384;

/** Nothing is allocated before the first request that tells something. */
export class RequestBelief {
  #map: FeatureMap | undefined;
  #belief: ContextualBelief | undefined;

  constructor(
    readonly models: number,
    readonly learning: ResolvedLearning,
  ) {}

  /** Undefined as long as nobody described a request. */
  get belief(): ContextualBelief | undefined {
    return this.#belief;
  }

  /**
   * What the contextual belief goes by; undefined when the request tells nothing.
   *
   * @throws InvalidArgumentError
   */
  regressors({ text, features }: Described, where = ''): Float64Array | undefined {
    const kind = this.learning.context;
    if (kind === false) return undefined;
    if (kind === 'text') {
      if (features !== undefined)
        refuse(`${where}features`, "features are given, but learning.context is 'text'; set it to 'features'.");
      if (text === undefined) return undefined;
      return this.#of(TEXT_FEATURES).text(text, `${where}text`);
    }
    if (text !== undefined)
      refuse(`${where}text`, "a text is given, but learning.context is 'features'; set it to 'text'.");
    if (features === undefined) return undefined;
    const field = `${where}features`;
    const length = numberIn(features?.length, `${field}.length`, { min: 1, max: FEATURES_MAX, integer: true });
    return this.#of(this.#map?.features ?? length).vector(features, field);
  }

  /** Learns an outcome that differed by this much from the model's rate; of a decision made by another pool, where it can be. */
  learn(model: number, regressors: Float64Array, difference: number): void {
    if (this.learning.context === 'text') this.#of(TEXT_FEATURES);
    if (this.#belief?.size === regressors.length) this.#belief.observe(model, regressors, difference);
  }

  #of(features: number): FeatureMap {
    if (!this.#map) {
      const map = new FeatureMap(features);
      const { forgetting, changeDetection } = this.learning;
      const fades = forgetting < 1 || changeDetection !== false;
      this.#belief = new ContextualBelief(this.models, map.size, forgetting, fades);
      this.#map = map;
    }
    return this.#map;
  }

  toJSON(): SavedRequestBelief | undefined {
    return this.#map && { features: this.#map.features, ...this.#belief!.toJSON() };
  }

  /** @throws InvalidArgumentError when it is nothing that `toJSON` gave for the same pool and options. */
  restore(saved: SavedRequestBelief | undefined): void {
    if (saved === undefined) return;
    const { features } = objectIn(saved, 'context');
    const count = numberIn(features, 'context.features', { min: 1, max: FEATURES_MAX, integer: true });
    if (this.learning.context === false || (this.learning.context === 'text' && count !== TEXT_FEATURES))
      refuse('context.features', `context.features is ${count}, which does not go with learning.context.`);
    this.#of(count);
    this.#belief!.restore(saved);
  }
}
