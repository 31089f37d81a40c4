// Dot products of one vector with the rows of a matrix, four lanes at a time: a WebAssembly function of a few instructions
// (SIMD is in every Node that this package supports), assembled here from its opcodes. Scalar JavaScript takes ten times as
// long, and it is the largest part of a decision. Opcodes: WebAssembly Core Specification 2.0, chapter 5.

const I32 = 0x7f;
const V128 = 0x7b;
const local = { x: 0, row: 1, out: 2, count: 3, bytes: 4, at: 5, even: 6, odd: 7 };
const get = (l: number) => [0x20, l];
const set = (l: number) => [0x21, l];
const simd = (op: number) => (op < 128 ? [0xfd, op] : [0xfd, (op & 0x7f) | 0x80, op >> 7]);
const load = (offset: number) => [...simd(0), 4, offset];
const F32X4_ADD = simd(0xe4);
const F32X4_MUL = simd(0xe6);
const lane = (i: number) => [...simd(0x1f), i];
const I32_ADD = 0x6a;
const F32_ADD = 0x92;
const zero = [...simd(12), ...new Array(16).fill(0)];
/** sum += x[at..at + 4] * row[at..at + 4] */
const accumulate = (sum: number, offset: number) => [
  ...get(sum),
  ...[...get(local.x), ...get(local.at), I32_ADD, ...load(offset)],
  ...[...get(local.row), ...get(local.at), I32_ADD, ...load(offset)],
  ...F32X4_MUL,
  ...F32X4_ADD,
  ...set(sum),
];
const advance = (l: number, by: number[]) => [...get(l), ...by, I32_ADD, ...set(l)];
const constant = (i: number) => [0x41, i]; // -64 .. 63

const BODY = [
  ...[2, 1, I32, 2, V128], // locals: one i32, two v128
  ...[0x03, 0x40], // loop over rows
  ...[...zero, ...set(local.even), ...zero, ...set(local.odd), ...constant(0), ...set(local.at)],
  ...[0x03, 0x40], // loop over eight columns at a time
  ...accumulate(local.even, 0),
  ...accumulate(local.odd, 16),
  ...advance(local.at, constant(32)),
  ...[...get(local.at), ...get(local.bytes), 0x49, 0x0d, 0], // repeat while at < bytes, unsigned
  0x0b,
  ...[...get(local.even), ...get(local.odd), ...F32X4_ADD, ...set(local.even)],
  ...get(local.out),
  ...[...get(local.even), ...lane(0), ...get(local.even), ...lane(1), F32_ADD],
  ...[...get(local.even), ...lane(2), ...get(local.even), ...lane(3), F32_ADD, F32_ADD],
  ...[0x38, 2, 0], // store
  ...advance(local.row, get(local.bytes)),
  ...advance(local.out, constant(4)),
  ...[...get(local.count), ...constant(1), 0x6b, 0x22, local.count, 0x0d, 0], // repeat while --count
  0x0b,
  0x0b,
];
const section = (id: number, bytes: number[]) => [id, ...leb(bytes.length), ...bytes];
const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 0x7f) | 0x80, ...leb(n >> 7)]);
const name = (text: string) => [text.length, ...Buffer.from(text)];
const MODULE = Uint8Array.from([
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 5, I32, I32, I32, I32, I32, 0]),
  ...section(2, [1, ...name('js'), ...name('memory'), 2, 0, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...name('dots'), 0, 0]),
  ...section(10, [1, ...leb(BODY.length), ...BODY]),
]);

type Dots = (x: number, row: number, out: number, count: number, bytes: number) => void;

// The few names of WebAssembly that are used; its types come with the DOM library, which is not for Node.
declare const WebAssembly: {
  Memory: new (limits: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
};
let compiled: object | undefined;

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
    const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil((rowsAt + count * bytes) / 65536)) });
    this.x = new Float32Array(memory.buffer, 0, width);
    this.out = new Float32Array(memory.buffer, outAt, count);
    for (let r = 0; r < count; r++)
      new Float32Array(memory.buffer, rowsAt + r * bytes, width).set(rows.subarray(r * width, (r + 1) * width));
    compiled ??= new WebAssembly.Module(MODULE);
    const dots = new WebAssembly.Instance(compiled, { js: { memory } }).exports.dots as Dots;
    this.call = () => {
      if (count > 0 && width > 0) dots(0, rowsAt, outAt, count, bytes);
    };
  }

  compute(): void {
    this.call();
  }
}
