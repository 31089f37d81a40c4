/**
 * A value of a GGUF header. Integers beyond 2^53 are strings, numbers that are not finite are null, and a 32-bit float is
 * the shortest number that rounds to it.
 */
export type MetadataValue = string | number | boolean | null | (string | number | boolean | null)[];

/** The key-value pairs of a GGUF file, read when asked for: vocabularies make some of them large. */
export class Metadata {
  readonly #read: (key?: string) => string;

  /** @internal */
  constructor(read: (key?: string) => string) {
    this.#read = read;
  }

  /** All keys, in the file's order. */
  keys(): string[] {
    return JSON.parse(this.#read()) as string[];
  }

  has(key: string): boolean {
    return this.keys().includes(key);
  }

  /** The value of `key`; `undefined` if the file has no such key. */
  get(key: string): MetadataValue | undefined {
    return this.has(key) ? (JSON.parse(this.#read(key)) as MetadataValue) : undefined;
  }
}
