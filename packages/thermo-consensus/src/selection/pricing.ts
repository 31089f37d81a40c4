// What a request costs by a price list: tokens in, tokens in that the provider has cached, tokens out, and volume discounts.
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';

/** Prices of one token, in any unit common to the models; 0 or more. */
export interface Price {
  input: number;
  output: number;
  /** Of an input token that is cached. Default `input`. */
  cachedInput?: number;
  /** Discounts by volume: tokens beyond `above` of a billing period cost `factor` (0 or more) times the price. */
  tiers?: readonly { above: number; factor: number }[];
}

/** Tokens of one request. `cached` of the `input` tokens are cached. */
export interface Tokens {
  input: number;
  output?: number;
  cached?: number;
}

export interface ResolvedPrice {
  input: number;
  output: number;
  cachedInput: number;
  /** By ascending `above`. */
  tiers: { above: number; factor: number }[];
}
export type ResolvedTokens = Required<Tokens>;

export function resolvePrice(given: Price, field: string): ResolvedPrice {
  const price = objectIn(given, field) as unknown as Price;
  const input = numberIn(price.input, `${field}.input`, { min: 0 });
  const tiers = price.tiers ?? [];
  if (!Array.isArray(tiers)) refuse(`${field}.tiers`, `${field}.tiers is ${shown(tiers)}; it must be an array.`);
  return {
    input,
    output: numberIn(price.output, `${field}.output`, { min: 0 }),
    cachedInput: numberIn(price.cachedInput ?? input, `${field}.cachedInput`, { min: 0 }),
    tiers: tiers
      .map((tier, i) => ({
        above: numberIn(objectIn(tier, `${field}.tiers[${i}]`).above, `${field}.tiers[${i}].above`, { min: 0 }),
        factor: numberIn(tier.factor, `${field}.tiers[${i}].factor`, { min: 0 }),
      }))
      .sort((a, b) => a.above - b.above),
  };
}

/** A bare number is of tokens in. */
export function resolveTokens(given: number | Tokens, field: string, fallbackOutput = 0): ResolvedTokens {
  if (typeof given === 'number') return { input: numberIn(given, field, { min: 0, max: 1e12 }), output: 0, cached: 0 };
  const tokens = objectIn(given, field) as unknown as Tokens;
  const input = numberIn(tokens.input, `${field}.input`, { min: 0 });
  return {
    input,
    output: numberIn(tokens.output ?? fallbackOutput, `${field}.output`, { min: 0 }),
    cached: numberIn(tokens.cached ?? 0, `${field}.cached`, { min: 0, max: input }),
  };
}

/** Cost of a request when `billed` tokens of the period were billed before. A tier's border may lie inside the request. */
export function costOf(price: ResolvedPrice, tokens: ResolvedTokens, billed: number): number {
  const full =
    (tokens.input - tokens.cached) * price.input + tokens.cached * price.cachedInput + tokens.output * price.output;
  const count = tokens.input + tokens.output;
  if (price.tiers.length === 0 || count === 0) return full;
  let discounted = 0;
  let from = billed;
  let factor = 1;
  for (const tier of [...price.tiers, { above: Number.POSITIVE_INFINITY, factor: 1 }]) {
    const to = Math.min(billed + count, Math.max(from, tier.above));
    discounted += (to - from) * factor;
    from = to;
    factor = tier.factor;
  }
  return full * (discounted / count);
}
