import { type Device, InvalidArgumentError } from '@x/cuda-core';
import { booleanIn, numberIn, objectIn, parseDevice, SEED_MAX } from '@x/cuda-core/addon';
import {
  arrayData,
  enumeratePolicies,
  type ModelArrays,
  type ParsedModel,
  type PolicySet,
  parseModel,
  parsePolicies,
  preferenceData,
  priorData,
} from './model';
import { type NativeInference, type NativeModel, native, WHICH } from './native';
import { concatenate, describe, split, type Tensor } from './tensor';

/**
 * What the agent sees, one entry a modality: the index of the outcome, a distribution over outcomes, or `null` when the
 * modality was not observed. With one modality the index alone will do.
 */
export type Observation = number | readonly (number | ArrayLike<number> | null)[];

/** Learning by Dirichlet counts; an array is learned when its counts are given, and starts as their mean. */
export interface LearningOptions {
  /** Counts shaped as A. */
  pA?: Tensor | readonly Tensor[];
  /** Counts shaped as B. */
  pB?: Tensor | readonly Tensor[];
  /** Counts shaped as D; learned from the first observation after `reset()`. */
  pD?: Tensor | readonly Tensor[];
  /** Weight of one observation, at least 0. Default 1. */
  learningRate?: number;
  /** Share of the old counts of A and B kept at each update, in (0, 1]; below 1 forgets. Default 1. */
  retention?: number;
}

export interface DiscreteAgentOptions extends ModelArrays {
  /** Habit: prior weight of each policy. Default: uniform. */
  E?: ArrayLike<number>;
  /** The policies considered, [policy][step][factor]. Default: all of `policyLength`. */
  policies?: Tensor;
  /** Steps of enumerated policies. Default 1. */
  policyLength?: number;
  /** Precision of the choice between policies, at least 0. Default 16. */
  gamma?: number;
  /** Precision of a stochastic action, at least 0. Default 16. */
  alpha?: number;
  /** `'deterministic'`: the most probable action, the lowest index among equals. Default. */
  actionSelection?: 'deterministic' | 'stochastic';
  /** Whether expected information about states counts beside utility. Default true. */
  informationGain?: boolean;
  learning?: LearningOptions;
  /** Of stochastic actions, 0 to 2^53 - 1. Default 0. */
  seed?: number;
  /** Most sweeps of coordinate ascent an inference may take; only models of several factors need more than one. Default 64. */
  iterations?: number;
  /** Where expected free energies are computed; `'auto'` takes a GPU for large policy sets. Default `'auto'`. */
  device?: Device;
}

/** Beliefs about the hidden states, and how they explain the observation. In nats. */
export interface StateInference {
  /** One distribution a factor. */
  beliefs: Float64Array[];
  /** Variational free energy F = complexity - accuracy; with one factor, -ln p(observation). */
  freeEnergy: number;
  /** KL divergence of the beliefs from the prior. */
  complexity: number;
  /** Expected log likelihood of the observation. */
  accuracy: number;
  /** Sweeps of coordinate ascent taken, and whether the last one changed F by less than 1e-12. */
  sweeps: number;
  converged: boolean;
}

/** One value a policy, in the order of `agent.policies`; energies in nats. */
export interface PolicyInference {
  policyProbabilities: Float64Array;
  /** G = -(utility + information gain): lower is better. */
  expectedFreeEnergy: Float64Array;
  /** Expected log preference (normalised by a softmax over outcomes), summed over steps and modalities. */
  utility: Float64Array;
  /** Expected information about the states, summed over steps and modalities. */
  informationGain: Float64Array;
  /** Probability of each first action, one distribution a factor. */
  actionProbabilities: Float64Array[];
}

export interface StepResult extends StateInference, PolicyInference {
  /** The action taken, one index a factor. */
  action: number[];
}

type Counts = Float64Array | undefined;

/**
 * An active inference agent in a discrete world that it sees in part. It infers hidden states by minimising variational
 * free energy, and chooses policies by softmax(ln E - gamma G) over their expected free energy G: preferred outcomes and
 * information about states. Its arrays A, B and D can be learned as it goes.
 *
 * ```ts
 * const agent = new DiscreteAgent({
 *   A: [[0.9, 0.2], [0.1, 0.8]],                            // P(outcome | state)
 *   B: [[[1, 0], [1, 0]], [[0, 1], [0, 1]]],                // B[next][state][action]: the action chooses the state
 *   C: [0, 2],                                              // outcome 1 is preferred
 * });
 * const { action, beliefs } = agent.step(0);
 * ```
 *
 * Formulas: Da Costa et al. (2020), "Active inference on discrete state-spaces: a synthesis", J. Math. Psych. 99.
 */
export class DiscreteAgent {
  readonly gamma: number;
  readonly alpha: number;
  /** The policies considered: [policy][step][factor], flat. */
  readonly policies: Readonly<PolicySet>;
  readonly #model: ParsedModel;
  readonly #native: NativeModel;
  readonly #device: ReturnType<typeof parseDevice>;
  readonly #habit: Float64Array | undefined;
  readonly #stochastic: boolean;
  readonly #informationGain: boolean;
  readonly #seed: number;
  readonly #iterations: number;
  readonly #rate: number;
  readonly #retention: number;
  readonly #pA: Float64Array | undefined;
  readonly #pB: Float64Array | undefined;
  readonly #pD: Float64Array | undefined;
  #initial: Float64Array;
  #draws = 0;
  // The course of the current episode.
  #time = 0;
  #prior: Float64Array;
  #observation: Float64Array | undefined;
  #inference: NativeInference | undefined;
  #previous: Float64Array | undefined;
  #action: Int32Array | undefined;
  #policyInference: PolicyInference | undefined;

  /**
   * @throws InvalidArgumentError for arrays that are ragged, do not fit each other or hold no distributions; `field`
   * names the array. LimitExceededError for more policies than memory should hold.
   */
  constructor(options: DiscreteAgentOptions) {
    objectIn(options, 'options');
    this.#model = parseModel(options);
    const { spec, states, controls } = this.#model;
    this.gamma = numberIn(options.gamma ?? 16, 'gamma', { min: 0 });
    this.alpha = numberIn(options.alpha ?? 16, 'alpha', { min: 0 });
    const selection = options.actionSelection ?? 'deterministic';
    if (selection !== 'deterministic' && selection !== 'stochastic') {
      throw new InvalidArgumentError(
        `actionSelection must be 'deterministic' or 'stochastic', not ${describe(selection)}`,
        {
          field: 'actionSelection',
        },
      );
    }
    this.#stochastic = selection === 'stochastic';
    this.#informationGain = booleanIn(options.informationGain ?? true, 'informationGain');
    this.#seed = numberIn(options.seed ?? 0, 'seed', { min: 0, max: SEED_MAX, integer: true });
    this.#iterations = numberIn(options.iterations ?? 64, 'iterations', { min: 1, max: 1_000_000, integer: true });
    this.#device = parseDevice(options.device);
    this.#native = native.createModel(spec);
    this.policies = options.policies
      ? parsePolicies(options.policies, states.length)
      : enumeratePolicies(controls, options.policyLength ?? 1);
    if (options.E && options.E.length !== this.policies.count) {
      throw new InvalidArgumentError(`E has ${options.E.length} values for ${this.policies.count} policies`, {
        field: 'E',
      });
    }
    this.#habit = options.E && Float64Array.from(options.E);
    const learning = options.learning ?? {};
    objectIn(learning, 'learning');
    this.#rate = numberIn(learning.learningRate ?? 1, 'learning.learningRate', { min: 0 });
    this.#retention = numberIn(learning.retention ?? 1, 'learning.retention', { min: 0, above: true, max: 1 });
    this.#pA = learning.pA && arrayData(learning.pA, 'A', this.#model, 'pA');
    this.#pB = learning.pB && arrayData(learning.pB, 'B', this.#model, 'pB');
    this.#pD = learning.pD && priorData(learning.pD, states, 'pD');
    this.#initial = spec.d;
    this.#takeMeans({ A: this.#pA, B: this.#pB, D: this.#pD });
    this.#prior = this.#initial;
  }

  /** Beliefs about the current states: after the last inference, else the prior. */
  get beliefs(): Float64Array[] {
    return split(this.#inference?.beliefs ?? this.#prior, this.#model.states);
  }

  /** What the agent expects before it has looked: D, or B of its last action. */
  get prior(): Float64Array[] {
    return split(this.#prior, this.#model.states);
  }

  /** The Dirichlet counts learned so far, flat and concatenated; `undefined` for an array that is not learned. */
  get counts(): { pA: Float64Array | undefined; pB: Float64Array | undefined; pD: Float64Array | undefined } {
    return { pA: this.#pA?.slice(), pB: this.#pB?.slice(), pD: this.#pD?.slice() };
  }

  /** Forgets the episode, keeps what was learned: beliefs return to D. */
  reset(): void {
    this.#time = 0;
    this.#prior = this.#initial;
    this.#observation = undefined;
    this.#inference = undefined;
    this.#previous = undefined;
    this.#action = undefined;
    this.#policyInference = undefined;
  }

  /** Replaces whole arrays by others of the same shapes. A new D holds from the next `reset()` on. */
  update(arrays: Partial<Pick<ModelArrays, 'A' | 'B' | 'C' | 'D'>>): void {
    objectIn(arrays, 'arrays');
    const { outcomes, states, preferenceSteps } = this.#model;
    if (arrays.A) native.setModel(this.#native, WHICH.A, arrayData(arrays.A, 'A', this.#model, 'A'));
    if (arrays.B) native.setModel(this.#native, WHICH.B, arrayData(arrays.B, 'B', this.#model, 'B'));
    if (arrays.C) {
      const { data, steps } = preferenceData(arrays.C, outcomes);
      if (steps !== preferenceSteps)
        throw new InvalidArgumentError(`C covers ${steps} steps, the model's ${preferenceSteps}`, { field: 'C' });
      native.setModel(this.#native, WHICH.C, data);
    }
    if (arrays.D) this.#setInitial(priorData(arrays.D, states));
  }

  #setInitial(d: Float64Array): void {
    native.setModel(this.#native, WHICH.D, d);
    this.#initial = d;
  }

  #readObservation(observation: Observation): Float64Array {
    const { outcomes } = this.#model;
    const entries = typeof observation === 'number' ? [observation] : observation;
    if (!Array.isArray(entries) || entries.length !== outcomes.length) {
      throw new InvalidArgumentError(`the observation must have ${outcomes.length} entries, one a modality`, {
        field: 'observation',
      });
    }
    return concatenate(
      entries.map((entry: number | ArrayLike<number> | null, m) => {
        const n = outcomes[m]!;
        const field = `observation[${m}]`;
        const out = new Float64Array(n);
        if (entry === null) return out;
        if (typeof entry === 'number') {
          if (!Number.isInteger(entry) || entry < 0 || entry >= n)
            throw new InvalidArgumentError(`${field} is ${entry}; outcomes of this modality are 0..${n - 1}`, {
              field,
            });
          out[entry] = 1;
          return out;
        }
        if (typeof entry !== 'object' || entry.length !== n)
          throw new InvalidArgumentError(`${field} must be an index, null or a distribution over ${n} outcomes`, {
            field,
          });
        out.set(entry);
        if (out.every((p) => p === 0))
          throw new InvalidArgumentError(`${field} sums to 0; use null for a modality that was not observed`, {
            field,
          });
        return out;
      }),
    );
  }

  /**
   * Infers the hidden states. Called again before an action, it looks anew from the same prior.
   * @throws InvalidArgumentError for an outcome that does not exist or that the model holds impossible.
   */
  inferStates(observation: Observation): StateInference {
    const data = this.#readObservation(observation);
    const inference = native.infer(this.#native, data, this.#prior, this.#iterations, 1e-12);
    this.#observation = data;
    this.#inference = inference;
    this.#policyInference = undefined;
    const { freeEnergy, complexity, accuracy, sweeps, converged } = inference;
    return { beliefs: this.beliefs, freeEnergy, complexity, accuracy, sweeps, converged };
  }

  /** Evaluates the policies from the current beliefs. */
  inferPolicies(): PolicyInference {
    const { actions, steps } = this.policies;
    const beliefs = this.#inference?.beliefs ?? this.#prior;
    const { utility, informationGain } = native.expectedFreeEnergy(this.#native, this.#device, beliefs, actions, steps);
    const expectedFreeEnergy = utility.map((u, p) => -(u + (this.#informationGain ? informationGain[p]! : 0)));
    const policyProbabilities = native.policyPosterior(expectedFreeEnergy, this.#habit, this.gamma);
    const marginals = native.actionMarginals(this.#native, actions, steps, policyProbabilities);
    this.#policyInference = {
      policyProbabilities,
      expectedFreeEnergy,
      utility,
      informationGain,
      actionProbabilities: split(marginals, this.#model.controls),
    };
    return this.#policyInference;
  }

  /**
   * Acts, and expects its consequences: the next inference starts from B(action).
   * @param action one index a factor; chosen by the policies when absent.
   */
  act(action?: readonly number[]): number[] {
    const { controls } = this.#model;
    if (action && (action.length !== controls.length || !action.every((u) => Number.isInteger(u)))) {
      throw new InvalidArgumentError(`an action has ${controls.length} integers, one a factor`, { field: 'action' });
    }
    const chosen = action
      ? [...action]
      : (this.#policyInference ?? this.inferPolicies()).actionProbabilities.map((p, f) => this.#choose(p, f));
    const beliefs = this.#inference?.beliefs ?? this.#prior;
    const taken = Int32Array.from(chosen);
    this.#prior = native.predict(this.#native, beliefs, taken);
    this.#previous = beliefs;
    this.#action = taken;
    this.#observation = undefined;
    this.#inference = undefined;
    this.#policyInference = undefined;
    this.#time++;
    return chosen;
  }

  #choose(probabilities: Float64Array, factor: number): number {
    const top = probabilities.reduce((most, p) => Math.max(most, p), 0);
    if (!this.#stochastic) return probabilities.findIndex((p) => p >= top - 1e-8);
    const sharpened = probabilities.map((p) => (p / top) ** this.alpha);
    return native.draw(sharpened, this.#seed, factor, this.#draws++);
  }

  /**
   * Adds the current observation to the counts that are learned (A from observation and beliefs; B from the step before;
   * D from the first observation) and takes their means as the new arrays. Entries that are 0 in A or B stay 0.
   * @throws InvalidArgumentError when there was no observation since the last action.
   */
  learn(): void {
    const observation = this.#observation;
    const beliefs = this.#inference?.beliefs;
    if (!observation || !beliefs)
      throw new InvalidArgumentError('there is nothing to learn from: call inferStates first', {
        field: 'observation',
      });
    if (this.#pA) {
      native.learnA(this.#native, observation, beliefs, this.#rate, this.#retention, this.#pA);
      this.#takeMeans({ A: this.#pA });
    }
    if (this.#pB && this.#previous && this.#action) {
      native.learnB(this.#native, this.#action, beliefs, this.#previous, this.#rate, this.#retention, this.#pB);
      this.#takeMeans({ B: this.#pB });
    }
    if (this.#pD && this.#time === 0) {
      const pD = this.#pD;
      pD.forEach((count, i) => {
        pD[i] = count + this.#rate * beliefs[i]!;
      });
      this.#takeMeans({ D: pD });
    }
  }

  /** Makes the means of counts the arrays of the model. */
  #takeMeans({ A, B, D }: { A?: Counts; B?: Counts; D?: Counts }): void {
    if (A) native.setModel(this.#native, WHICH.A, native.dirichletMean(this.#native, WHICH.A, A));
    if (B) native.setModel(this.#native, WHICH.B, native.dirichletMean(this.#native, WHICH.B, B));
    if (D) {
      const means = split(D, this.#model.states).map((counts) => {
        const total = counts.reduce((sum, n) => sum + n, 0);
        return counts.map((n) => n / total);
      });
      this.#setInitial(concatenate(means));
    }
  }

  /** One turn: infers the states, learns what it was told to learn, evaluates the policies and acts. */
  step(observation: Observation): StepResult {
    const states = this.inferStates(observation);
    if (this.#pA || this.#pB || this.#pD) this.learn();
    const policies = this.inferPolicies();
    return { ...states, ...policies, action: this.act() };
  }
}
