/** Only this many UTF-16 units are read; the length feature still tells the whole. */
export const READ_LIMIT = 4096;

/** A set of hashes that is emptied in no time: open addressing, entries of earlier readings count as empty. */
export class Distinct {
  private readonly keys = new Uint32Array(4 * READ_LIMIT);
  private readonly stamps = new Uint32Array(4 * READ_LIMIT);
  private mask = 4 * READ_LIMIT - 1;
  private stamp = 0;
  size = 0;

  /** @param most how many may be added: few use a small part of the table, which stays in the cache. */
  clear(most: number): void {
    this.size = 0;
    this.mask = most <= READ_LIMIT / 8 ? READ_LIMIT / 4 - 1 : 4 * READ_LIMIT - 1;
    if (++this.stamp < 0xffffffff) return;
    this.stamps.fill(0);
    this.stamp = 1;
  }
  /** True when it was not there. */
  add(key: number): boolean {
    const { mask } = this;
    let at = (Math.imul(key, 0x9e3779b1) >>> 15) & mask;
    while (this.stamps[at] === this.stamp) {
      if (this.keys[at] === key) return false;
      at = (at + 1) & mask;
    }
    this.stamps[at] = this.stamp;
    this.keys[at] = key;
    this.size++;
    return true;
  }
}
