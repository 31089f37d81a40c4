// Which kind of question this is, found online: leader clustering of templates. A domain is a running frequency of
// hashed tokens; a question belongs to the domain in which the most of its tokens are usual. A token's weight grows
// with how often it has recurred in the stream at all (template words recur, content does not) and falls with how
// common it is everywhere.
import { refuse } from '@x/cuda-core/addon';
import { SLOTS, type TextFeatures } from './features';
import { RowSums } from './text-model/row-sums';

export interface DomainState {
  seen: number;
  frequency: number[];
  domains: { label: string; members: number; tokens: [number, number][]; sizeMean: number; sizeSquares: number }[];
}

/** A domain this much less alike than the nearest weighs e times less. */
const SOFTNESS = 0.03;

interface Domain {
  label: string;
  members: number;
  sizeMean: number;
  sizeSquares: number;
}

/** Part of a question that belongs to a domain. */
export interface Membership {
  domain: number;
  weight: number;
}

export interface Assignment {
  /** The nearest domains, the first the nearest; their weights sum to 1. Empty when none is near enough. */
  memberships: Membership[];
  /** Index of the domain; -1 when none is near enough. */
  domain: number;
  /** Weighted part of the tokens that are usual in it, 0 to 1. */
  similarity: number;
  /** How large the question is beside others of the domain, in standard deviations, within [-3, 3]. */
  relativeSize: number;
}

export class Domains {
  private seen = 0;
  private frequency = new Float64Array(SLOTS);
  private list: Domain[] = [];
  /** Part of a domain's members that hold a token of a slot: slots x domains, so that one token's row is contiguous. */
  private readonly usual: RowSums;
  /** Weights of slots, and how many questions had been seen when they were worked out. */
  private readonly weighed = new Float64Array(SLOTS);
  private readonly weighedAt = new Float64Array(SLOTS).fill(-1);

  constructor(
    private readonly limit: number,
    private readonly threshold: number,
  ) {
    this.usual = new RowSums(SLOTS, limit, SLOTS);
  }

  get count(): number {
    return this.list.length;
  }
  label(domain: number): string {
    return this.list[domain]!.label;
  }

  /** Finds the nearest domain; changes nothing. */
  find(text: TextFeatures): Assignment {
    const { slots } = text;
    const { index, weight, out: sums } = this.usual;
    let total = 0;
    for (let i = 0; i < slots.length; i++) {
      index[i] = slots[i]!;
      weight[i] = this.weight(slots[i]!);
      total += weight[i]!;
    }
    this.usual.compute(slots.length);
    const count = this.list.length;
    let best = -1;
    let similarity = 0;
    for (let d = 0; d < count; d++)
      if (sums[d]! > similarity) {
        similarity = sums[d]!;
        best = d;
      }
    similarity = total > 0 ? similarity / total : 0;
    if (similarity < this.threshold && count < this.limit) best = -1;
    return {
      domain: best,
      memberships: best < 0 ? [] : this.memberships(best, similarity, total),
      similarity,
      relativeSize: best < 0 ? 0 : this.relativeSize(this.list[best]!, text.size),
    };
  }

  /** The nearest domain and up to two others that are nearly as near, from the sums of the last search. */
  private memberships(best: number, similarity: number, total: number): Membership[] {
    let second = -1;
    let third = -1;
    const least = (similarity - 4 * SOFTNESS) * total;
    for (let d = 0; d < this.list.length; d++) {
      const sum = this.usual.out[d]!;
      if (d === best || sum < least) continue;
      if (second < 0 || sum > this.usual.out[second]!) {
        third = second;
        second = d;
      } else if (third < 0 || sum > this.usual.out[third]!) third = d;
    }
    if (second < 0) return [{ domain: best, weight: 1 }];
    const weight = (d: number) => (d < 0 ? 0 : Math.exp((this.usual.out[d]! / total - similarity) / SOFTNESS));
    const sum = 1 + weight(second) + weight(third);
    const near = [{ domain: best, weight: 1 / sum }];
    for (const d of [second, third]) if (d >= 0) near.push({ domain: d, weight: weight(d) / sum });
    return near;
  }

  /** Finds the nearest domain, or founds one, and counts this question in it. */
  learn(text: TextFeatures): Assignment {
    const found = this.find(text);
    const { slots } = text;
    this.seen++;
    for (const s of slots) this.frequency[s]!++;
    if (found.domain < 0) {
      if (this.list.length >= this.limit) return found; // an empty question, and no room
      found.domain = this.list.length;
      found.memberships = [{ domain: found.domain, weight: 1 }];
      this.list.push({ label: text.template, members: 0, sizeMean: 0, sizeSquares: 0 });
    }
    const domain = this.list[found.domain]!;
    domain.members++;
    // A mean at first, later a slowly moving average.
    const rate = Math.max(1 / domain.members, 0.02);
    const { table, stride } = this.usual;
    for (let at = found.domain; at < table.length; at += stride) table[at]! *= 1 - rate;
    for (const s of slots) table[s * stride + found.domain]! += rate;
    const off = text.size - domain.sizeMean;
    domain.sizeMean += off / domain.members;
    domain.sizeSquares += off * (text.size - domain.sizeMean);
    return found;
  }

  private weight(slot: number): number {
    if (this.weighedAt[slot] === this.seen) return this.weighed[slot]!;
    const f = this.frequency[slot]!;
    this.weighedAt[slot] = this.seen;
    this.weighed[slot] = ((f + 0.5) / (f + 8)) * Math.log((this.seen + 2) / (f + 1) + 0.5);
    return this.weighed[slot]!;
  }

  private relativeSize(domain: Domain, size: number): number {
    const spread = Math.sqrt((domain.sizeSquares + 0.25) / (domain.members + 1));
    return Math.max(-3, Math.min(3, (size - domain.sizeMean) / spread));
  }

  toJSON(): DomainState {
    return {
      seen: this.seen,
      frequency: [...this.frequency],
      domains: this.list.map((d, at) => ({
        label: d.label,
        members: d.members,
        tokens: Array.from({ length: SLOTS }, (_, s): [number, number] => [
          s,
          this.usual.table[s * this.usual.stride + at]!,
        ]).filter(([, part]) => part !== 0),
        sizeMean: d.sizeMean,
        sizeSquares: d.sizeSquares,
      })),
    };
  }
  restore(state: DomainState): void {
    this.weighedAt.fill(-1);
    this.seen = state.seen;
    this.frequency = Float64Array.from({ length: SLOTS }, (_, s) => state.frequency[s] ?? 0);
    if (state.domains.length > this.limit)
      refuse('domains', `there are ${state.domains.length} domains, more than maxDomains.`);
    this.list = state.domains.map((d, at) => {
      for (const [s, part] of d.tokens) if (s >= 0 && s < SLOTS) this.usual.table[s * this.usual.stride + at] = part;
      return { label: d.label, members: d.members, sizeMean: d.sizeMean, sizeSquares: d.sizeSquares };
    });
  }
}
