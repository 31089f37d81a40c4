// A hand assembler for WebAssembly functions of a few instructions (SIMD is in every Node that this package supports): scalar
// JavaScript takes up to ten times as long for the sums that make up most of a decision. Opcodes: WebAssembly Core
// Specification 2.0, chapter 5.

export const I32 = 0x7f;
export const V128 = 0x7b;
export const LOOP = [0x03, 0x40];
export const END = 0x0b;
/** Back to the beginning of the innermost loop if the top of the stack is not 0. */
export const AGAIN_IF = [0x0d, 0];
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_MUL = 0x6c;
export const I32_LESS = 0x49; // unsigned
export const F32_ADD = 0x92;
export const simd = (op: number) => (op < 128 ? [0xfd, op] : [0xfd, (op & 0x7f) | 0x80, op >> 7]);
export const F32X4_ADD = simd(0xe4);
export const F32X4_MUL = simd(0xe6);
export const ZERO = [...simd(12), ...new Array(16).fill(0)];
export const get = (local: number) => [0x20, local];
export const set = (local: number) => [0x21, local];
export const tee = (local: number) => [0x22, local];
/** 16 bytes from the address on the stack. */
export const load = (offset: number) => [...simd(0), 4, offset];
export const store = (offset: number) => [...simd(11), 4, offset];
export const loadI32 = [0x28, 2, 0];
export const storeF32 = [0x38, 2, 0];
/** One float in all four lanes. */
export const splat = [...simd(9), 2, 0];
export const lane = (i: number) => [...simd(0x1f), i];
export const constant = (i: number) =>
  i >= -64 && i < 64 ? [0x41, i & 0x7f] : [0x41, (i & 0x7f) | 0x80, (i >> 7) & 0x7f];
export const advance = (local: number, by: number[]) => [...get(local), ...by, I32_ADD, ...set(local)];

const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 0x7f) | 0x80, ...leb(n >> 7)]);
const section = (id: number, bytes: number[]) => [id, ...leb(bytes.length), ...bytes];
const name = (text: string) => [text.length, ...Buffer.from(text)];

// The few names of WebAssembly that are used; its types come with the DOM library, which is not for Node.
declare const WebAssembly: {
  Memory: new (limits: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
};

/** A function of i32 parameters without a result, over a memory of its own for each `instantiate`. */
export class Kernel {
  private module: object | undefined;

  /** @param body declarations of locals and instructions, without the last `end`. */
  constructor(
    private readonly parameters: number,
    private readonly body: number[],
  ) {}

  instantiate(bytes: number): { buffer: ArrayBuffer; call: (...args: number[]) => void } {
    const body = [...this.body, END];
    const types = new Array(this.parameters).fill(I32);
    this.module ??= new WebAssembly.Module(
      Uint8Array.from([
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...section(1, [1, 0x60, types.length, ...types, 0]),
        ...section(2, [1, ...name('js'), ...name('memory'), 2, 0, 1]),
        ...section(3, [1, 0]),
        ...section(7, [1, ...name('run'), 0, 0]),
        ...section(10, [1, ...leb(body.length), ...body]),
      ]),
    );
    const memory = new WebAssembly.Memory({ initial: Math.max(1, Math.ceil(bytes / 65536)) });
    const { exports } = new WebAssembly.Instance(this.module, { js: { memory } });
    return { buffer: memory.buffer, call: exports.run as (...args: number[]) => void };
  }
}
