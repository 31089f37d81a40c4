// What the router remembers of questions: decisions whose outcome may still come, and outcomes for the next fit.
import type { TextFeatures } from './features';
import type { FitRow } from './text-model/fit';

/** One question as it was read. */
export interface Reading {
  query: string;
  text: TextFeatures;
  embedding: Float64Array | undefined;
}

/** What a decision leaves behind until its outcome comes: enough to read the question again. */
export interface Ticket {
  query: string;
  embedding: Float64Array | undefined;
  /** The domain was counted already; a second outcome of the same question (an escalation) must not do it again. */
  learnt: boolean;
}

/** Decisions by id; the oldest make room. Map keeps the order of insertion. */
export class Pending {
  readonly byId = new Map<string, Ticket>();

  constructor(private readonly limit: number) {}

  add(id: string, ticket: Ticket): void {
    if (this.limit === 0) return;
    this.byId.set(id, ticket);
    if (this.byId.size > this.limit) this.byId.delete(this.byId.keys().next().value!);
  }
}

/** A question with the outcomes that are known of it, one entry a model, NaN where none is. */
export interface LoggedRow extends FitRow {
  query: string;
  quality: Float64Array;
  /** What was expected before the outcome was known. */
  expected: Float64Array;
}

/** The latest rows; outcomes of one question are one row. A ring: the oldest row makes room. */
export class Journal {
  private rows: LoggedRow[] = [];
  private at = new Map<string, LoggedRow>();

  constructor(
    private readonly models: number,
    private readonly limit: number,
  ) {}

  get size(): number {
    return this.rows.length;
  }
  all(): readonly LoggedRow[] {
    return this.rows;
  }

  /** The row of this question, made when there is none. */
  row(reading: Reading): LoggedRow {
    return this.at.get(reading.query) ?? this.append(reading);
  }

  /** A new row, also when there is one of this question. */
  append(reading: Reading): LoggedRow {
    const row: LoggedRow = {
      query: reading.query,
      text: reading.text,
      embedding: reading.embedding,
      quality: new Float64Array(this.models).fill(Number.NaN),
      expected: new Float64Array(this.models).fill(Number.NaN),
      cost: undefined,
    };
    this.rows.push(row);
    this.at.set(row.query, row);
    // Dropped in lots, so that it costs little.
    if (this.rows.length > this.limit + Math.ceil(this.limit / 8)) {
      for (const old of this.rows.slice(0, this.rows.length - this.limit))
        if (this.at.get(old.query) === old) this.at.delete(old.query);
      this.rows = this.rows.slice(-this.limit);
    }
    return row;
  }

  record(reading: Reading, model: number, quality: number, expected: number, cost?: number): void {
    let row = this.row(reading);
    // The same question asked of the same model again is another row: both outcomes count.
    if (!Number.isNaN(row.quality[model]!)) row = this.append(reading);
    row.quality[model] = quality;
    row.expected[model] = expected;
    if (cost !== undefined) {
      row.cost ??= new Float64Array(this.models).fill(Number.NaN);
      row.cost[model] = cost;
    }
  }

  /** Outcomes of a model are forgotten, all but the latest: it has changed since. */
  forget(model: number, keep: number): void {
    let seen = 0;
    for (let i = this.rows.length - 1; i >= 0; i--) {
      const { quality } = this.rows[i]!;
      if (Number.isNaN(quality[model]!)) continue;
      if (++seen > keep) quality[model] = Number.NaN;
    }
  }
}
