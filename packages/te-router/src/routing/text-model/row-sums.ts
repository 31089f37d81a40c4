// Weighted sums of few rows of a large table, four lanes at a time: a sparse vector times a matrix.
import {
  AGAIN_IF,
  advance,
  constant,
  END,
  F32X4_ADD,
  F32X4_MUL,
  get,
  I32,
  I32_ADD,
  I32_LESS,
  I32_MUL,
  Kernel,
  LOOP,
  load,
  loadI32,
  set,
  splat,
  store,
  V128,
  ZERO,
} from './kernel';

const local = {
  index: 0,
  weight: 1,
  count: 2,
  table: 3,
  stride: 4,
  out: 5,
  column: 6,
  entry: 7,
  at: 8,
  by: 9,
  sums: 10,
};
const SUMS = [0, 1, 2, 3];
/** Floats that one pass over the rows sums up. */
const PASS = 4 * SUMS.length;

/** Lengths and offsets are in bytes; `count` more than 0. */
const kernel = new Kernel(6, [
  ...[2, 3, I32, 1 + SUMS.length, V128], // locals: three i32, five v128
  ...LOOP, // over columns, a pass at a time
  ...SUMS.flatMap((s) => [...ZERO, ...set(local.sums + s)]),
  ...[...constant(0), ...set(local.entry)],
  ...LOOP, // over entries
  ...[...get(local.index), ...get(local.entry), I32_ADD, ...loadI32, ...get(local.stride), I32_MUL],
  ...[...get(local.table), I32_ADD, ...get(local.column), I32_ADD, ...set(local.at)],
  ...[...get(local.weight), ...get(local.entry), I32_ADD, ...splat, ...set(local.by)],
  ...SUMS.flatMap((s) => [
    ...get(local.sums + s),
    ...[...get(local.at), ...load(16 * s), ...get(local.by), ...F32X4_MUL],
    ...F32X4_ADD,
    ...set(local.sums + s),
  ]),
  ...advance(local.entry, constant(4)),
  ...[...get(local.entry), ...get(local.count), I32_LESS, ...AGAIN_IF],
  END,
  ...SUMS.flatMap((s) => [
    ...[...get(local.out), ...get(local.column), I32_ADD],
    ...[...get(local.sums + s), ...store(16 * s)],
  ]),
  ...advance(local.column, constant(4 * PASS)),
  ...[...get(local.column), ...get(local.stride), I32_LESS, ...AGAIN_IF],
  END,
]);

export class RowSums {
  /** Write which rows are wanted, and how much each counts. */
  readonly index: Int32Array;
  readonly weight: Float32Array;
  /** rows x stride; may be written to. */
  readonly table: Float32Array;
  /** Floats from one row to the next: the width, and zeros. */
  readonly stride: number;
  /** One sum a column, after `compute`. */
  readonly out: Float32Array;
  private readonly call: (count: number) => void;

  /** @param most entries at most. */
  constructor(rows: number, width: number, most: number) {
    const stride = PASS * Math.max(1, Math.ceil(width / PASS));
    this.stride = stride;
    const weightAt = 4 * most;
    const outAt = (weightAt + 4 * most + 63) & ~63;
    const tableAt = outAt + 4 * stride;
    const { buffer, call } = kernel.instantiate(tableAt + 4 * rows * stride);
    this.index = new Int32Array(buffer, 0, most);
    this.weight = new Float32Array(buffer, weightAt, most);
    this.out = new Float32Array(buffer, outAt, stride);
    this.table = new Float32Array(buffer, tableAt, rows * stride);
    this.call = (count) => call(0, weightAt, 4 * count, tableAt, 4 * stride, outAt);
  }

  /** Of the first `count` entries. */
  compute(count: number): void {
    if (count > 0) this.call(count);
    else this.out.fill(0);
  }
}
