// What a router is made with, checked.
import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown, textIn } from '@x/cuda-core/addon';
import { type DriftOptions, FALSE_ALARM_EVERY } from './drift';
import type { QueryTokenizer } from './features';
import { type Policy, policyIn } from './policy';

export interface RoutedModel {
  /** Unique name. */
  name: string;
  /** What a call costs, in any one unit; more than 0. Relative costs alone matter. */
  cost: number;
  /**
   * Expected quality before anything was observed, 0 to 1 exclusive. Default: from 0.5 for the cheapest to 0.8 for the
   * dearest model, by the logarithm of cost.
   */
  priorQuality?: number;
}

export interface QueryRouterOptions {
  /** The models to choose from, one or more. */
  models: readonly RoutedModel[];
  /** How firmly the prior is held, more than 0: prior variances are divided by it. Default 1. */
  priorStrength?: number;
  /** Seed of hashes, fits and `featureInfluence`, an integer from 0 to 2^32 - 1. Default 0. */
  seed?: number;
  /** 1: nothing is forgotten. Below, quality may drift; each outcome keeps this part of what was known. (0.9, 1]. Default 1. */
  forgetting?: number;
  /** Most domains that may be told apart, 1 to 128. Default 64. */
  maxDomains?: number;
  /** Part of a question's (weighted) tokens that must be usual in a domain for it to belong there, (0, 1). Default 0.5. */
  domainThreshold?: number;
  /** Latest outcomes kept for `featureInfluence`, 16 to 100,000. Default 2000. */
  window?: number;
  /**
   * How `decision.choice` weighs quality against cost. Levels and shares are turned into a threshold by each fit, on its
   * own rows held out; before the first fit they count as `{ lambda: 0.15 }`, the default.
   */
  policy?: Policy;
  /** The model that questions unlike any seen are sent to. Default: the one of the highest prior quality. */
  safeModel?: string;
  /** Questions stranger than all but this part of the known ones are outliers, [0, 0.5]. 0: none are. Default 0.01. */
  outlierLevel?: number;
  /** Probability that `interval` of an estimate should hold the true rate with, (0, 1). Default 0.9. */
  intervalLevel?: number;
  /** When a model counts as changed; `false`: never. Default: see `DriftOptions`. */
  drift?: DriftOptions | false;
  /** Decisions that may still be given an outcome by id, 0 to 1,000,000. Default 10,000. */
  pendingLimit?: number;
  /** Questions kept for fits, 100 to 1,000,000. Default 20,000. */
  journalLimit?: number;
  /**
   * `'auto'`: after 400 outcomes, and whenever their number has grown by half, the text model is fitted anew to what was
   * observed, a slice of the work with each `observe`. `'manual'`: only `fit` and `refit` do it. Default `'auto'`.
   */
  refit?: 'auto' | 'manual';
  /** Splits text into tokens, e.g. a `Tokenizer` of `@x/bpe-tokenizer`. Default: words, numbers and marks. */
  tokenizer?: QueryTokenizer;
}

export interface CheckedOptions {
  models: Required<RoutedModel>[];
  priorStrength: number;
  seed: number;
  forgetting: number;
  maxDomains: number;
  domainThreshold: number;
  window: number;
  policy: Policy;
  safeModel: string;
  outlierLevel: number;
  intervalLevel: number;
  drift: Required<DriftOptions> | false;
  pendingLimit: number;
  journalLimit: number;
  refit: 'auto' | 'manual';
}

/** A number between 0 and 1, both excluded. */
function inside(value: unknown, field: string): number {
  const number = numberIn(value, field, { min: 0, above: true, max: 1 });
  return number < 1 ? number : refuse(field, `${field} is 1; it must be below 1.`);
}

/** @throws InvalidArgumentError, with `field`, for an option outside its range. */
export function checkOptions(options: QueryRouterOptions): CheckedOptions {
  objectIn(options, 'options');
  const { models } = options;
  if (!Array.isArray(models) || models.length === 0)
    throw new InvalidArgumentError('models must hold at least one model', { field: 'models' });
  const names = new Set<string>();
  for (const [i, m] of models.entries()) {
    const name = textIn(objectIn(m, `models[${i}]`).name, `models[${i}].name`);
    if (names.has(name)) refuse(`models[${i}].name`, `there are two models called ${shown(name)}.`);
    names.add(name);
    numberIn(m.cost, `models[${i}].cost`, { min: 0, above: true });
  }
  const costs = models.map((m: RoutedModel) => Math.log(m.cost));
  const cheapest = Math.min(...costs);
  const span = Math.max(...costs) - cheapest;
  const checked = models.map((m: RoutedModel, i): Required<RoutedModel> => {
    const expected = 0.5 + (span > 0 ? (0.3 * (costs[i]! - cheapest)) / span : 0);
    return {
      name: m.name,
      cost: m.cost,
      priorQuality: inside(m.priorQuality ?? expected, `models[${i}].priorQuality`),
    };
  });
  const best = checked.reduce((a, b) => (b.priorQuality > a.priorQuality ? b : a));
  const safeModel = options.safeModel ?? best.name;
  if (!names.has(safeModel))
    refuse('safeModel', `safeModel is ${shown(safeModel)}; it must be one of ${[...names].join(', ')}.`);
  const { refit = 'auto', drift = {}, tokenizer } = options;
  if (refit !== 'auto' && refit !== 'manual')
    refuse('refit', `refit is ${shown(refit)}; it must be 'auto' or 'manual'.`);
  if (tokenizer !== undefined && typeof (tokenizer as QueryTokenizer | null)?.encode !== 'function')
    refuse('tokenizer', `tokenizer is ${shown(tokenizer)}; it must have a function encode.`);
  if (drift !== false) objectIn(drift, 'drift');
  return {
    models: checked,
    priorStrength: numberIn(options.priorStrength ?? 1, 'priorStrength', { min: 0, above: true }),
    seed: numberIn(options.seed ?? 0, 'seed', { min: 0, max: 2 ** 32 - 1, integer: true }),
    forgetting: numberIn(options.forgetting ?? 1, 'forgetting', { min: 0.9, above: true, max: 1 }),
    maxDomains: numberIn(options.maxDomains ?? 64, 'maxDomains', { min: 1, max: 128, integer: true }),
    domainThreshold: inside(options.domainThreshold ?? 0.5, 'domainThreshold'),
    window: numberIn(options.window ?? 2000, 'window', { min: 16, max: 100_000, integer: true }),
    policy: policyIn(options.policy ?? { lambda: 0.15 }),
    safeModel,
    outlierLevel: numberIn(options.outlierLevel ?? 0.01, 'outlierLevel', { min: 0, max: 0.5 }),
    intervalLevel: inside(options.intervalLevel ?? 0.9, 'intervalLevel'),
    drift: drift !== false && {
      falseAlarmEvery: numberIn(drift.falseAlarmEvery ?? FALSE_ALARM_EVERY, 'drift.falseAlarmEvery', {
        min: 10,
        max: 1e9,
      }),
      tolerance: numberIn(drift.tolerance ?? 0.05, 'drift.tolerance', { min: 0, max: 0.49 }),
    },
    pendingLimit: numberIn(options.pendingLimit ?? 10_000, 'pendingLimit', { min: 0, max: 1_000_000, integer: true }),
    journalLimit: numberIn(options.journalLimit ?? 20_000, 'journalLimit', { min: 100, max: 1_000_000, integer: true }),
    refit,
  };
}
