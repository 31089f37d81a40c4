// Dot products of one vector with the rows of a matrix, four lanes at a time.
import {
  AGAIN_IF,
  advance,
  constant,
  END,
  F32_ADD,
  F32X4_ADD,
  F32X4_MUL,
  get,
  I32,
  I32_ADD,
  I32_LESS,
  I32_SUB,
  Kernel,
  LOOP,
  lane,
  load,
  set,
  storeF32,
  tee,
  V128,
  ZERO,
} from './kernel';

const local = { x: 0, row: 1, out: 2, count: 3, bytes: 4, at: 5, even: 6, odd: 7 };
/** sum += x[at..at + 4] * row[at..at + 4] */
const accumulate = (sum: number, offset: number) => [
  ...get(sum),
  ...[...get(local.x), ...get(local.at), I32_ADD, ...load(offset)],
  ...[...get(local.row), ...get(local.at), I32_ADD, ...load(offset)],
  ...F32X4_MUL,
  ...F32X4_ADD,
  ...set(sum),
];

const kernel = new Kernel(5, [
  ...[2, 1, I32, 2, V128], // locals: one i32, two v128
  ...LOOP, // over rows
  ...[...ZERO, ...set(local.even), ...ZERO, ...set(local.odd), ...constant(0), ...set(local.at)],
  ...LOOP, // over eight columns at a time
  ...accumulate(local.even, 0),
  ...accumulate(local.odd, 16),
  ...advance(local.at, constant(32)),
  ...[...get(local.at), ...get(local.bytes), I32_LESS, ...AGAIN_IF],
  END,
  ...[...get(local.even), ...get(local.odd), ...F32X4_ADD, ...set(local.even)],
  ...get(local.out),
  ...[...get(local.even), ...lane(0), ...get(local.even), ...lane(1), F32_ADD],
  ...[...get(local.even), ...lane(2), ...get(local.even), ...lane(3), F32_ADD, F32_ADD],
  ...storeF32,
  ...advance(local.row, get(local.bytes)),
  ...advance(local.out, constant(4)),
  ...[...get(local.count), ...constant(1), I32_SUB, ...tee(local.count), ...AGAIN_IF], // while --count
  END,
]);

export class DotProducts {
  /** Write the vector here. */
  readonly x: Float32Array;
  /** One dot product a row, after `compute`. */
  readonly out: Float32Array;
  private readonly call: () => void;

  /** @param rows count x width. */
  constructor(rows: Float32Array, count: number, width: number) {
    const padded = (width + 7) & ~7; // zeros at the end add nothing
    const bytes = 4 * padded;
    const outAt = bytes;
    const rowsAt = (outAt + 4 * count + 15) & ~15;
    const { buffer, call } = kernel.instantiate(rowsAt + count * bytes);
    this.x = new Float32Array(buffer, 0, width);
    this.out = new Float32Array(buffer, outAt, count);
    for (let r = 0; r < count; r++)
      new Float32Array(buffer, rowsAt + r * bytes, width).set(rows.subarray(r * width, (r + 1) * width));
    this.call = () => {
      if (count > 0 && width > 0) call(0, rowsAt, outAt, count, bytes);
    };
  }

  compute(): void {
    this.call();
  }
}
