// Which special tokens in a text become their ids, and which are errors: tiktoken's `allowed_special` and `disallowed_special`.
import { InvalidArgumentError } from '@x/cuda-core';
import { refuse, shown } from '@x/cuda-core/addon';

export type SpecialSelection = 'all' | readonly string[];

/** Stretches of text that are plain, between the special tokens that were allowed; `id` follows `text`. */
export interface Stretch {
  text: string;
  id: number | undefined;
}

/** Finds special tokens in text, longest first where several begin at one place. */
export class SpecialPolicy {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #expressions = new Map<string, RegExp>();

  /** What all of them begin with: a text without it holds none. */
  readonly #prefix: string;
  readonly #first: string;

  constructor(tokens: readonly { content: string; id: number }[]) {
    this.#ids = new Map(tokens.map(({ content, id }) => [content, id]));
    this.#prefix = commonPrefix([...this.#ids.keys()]);
    this.#first = this.#prefix.charAt(0);
  }

  /**
   * True when no special token of the text becomes an id, which is found out in one pass over usual texts.
   * @throws as {@link SpecialPolicy.split} does.
   */
  isPlain(text: string, allowed: SpecialSelection = [], disallowed: SpecialSelection = 'all'): boolean {
    if (!Array.isArray(allowed) || allowed.length > 0) return false;
    if (Array.isArray(disallowed) && disallowed.length === 0) return true;
    if (disallowed === 'all' && this.#prefix !== '') {
      // One letter is looked for without leaving compiled code.
      const first = text.indexOf(this.#first);
      if (first < 0 || !text.includes(this.#prefix, first)) return true;
    }
    this.split(text, allowed, disallowed);
    return true;
  }

  /**
   * @param allowed these become their ids; default none. @param disallowed these are errors unless allowed; default all.
   * @throws InvalidArgumentError for a disallowed token in the text, and for a name that is no special token.
   */
  split(text: string, allowed: SpecialSelection = [], disallowed: SpecialSelection = 'all'): Stretch[] {
    const wanted = this.#names(allowed, 'allowedSpecial');
    const unwanted = this.#names(disallowed, 'disallowedSpecial').filter((name) => !wanted.includes(name));
    const found = unwanted.find((name) => text.includes(name));
    if (found !== undefined)
      throw new InvalidArgumentError(
        `the text holds the special token ${shown(found)}, which is not allowed. Allow it (allowedSpecial: [${shown(found)}]), or have it read as text (disallowedSpecial: [])`,
        { field: 'text', offset: Buffer.byteLength(text.slice(0, text.indexOf(found))) },
      );
    if (wanted.length === 0) return [{ text, id: undefined }];
    const out: Stretch[] = [];
    let at = 0;
    for (const match of text.matchAll(this.#expression(wanted))) {
      out.push({ text: text.slice(at, match.index), id: this.#ids.get(match[0]) });
      at = match.index + match[0].length;
    }
    out.push({ text: text.slice(at), id: undefined });
    return out;
  }

  #names(selection: SpecialSelection, field: string): readonly string[] {
    if (selection === 'all') return [...this.#ids.keys()];
    if (!Array.isArray(selection))
      refuse(field, `${field} is ${shown(selection)}; it must be 'all' or an array of tokens.`);
    for (const name of selection as readonly unknown[])
      if (typeof name !== 'string' || (field === 'allowedSpecial' && !this.#ids.has(name)))
        refuse(field, `${field} holds ${shown(name)}, which is no special token of this tokenizer.`);
    return selection as readonly string[];
  }

  #expression(names: readonly string[]): RegExp {
    const key = JSON.stringify(names);
    let expression = this.#expressions.get(key);
    if (!expression) {
      const longestFirst = [...names].sort((a, b) => b.length - a.length);
      const escaped = longestFirst.map((name) => name.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
      expression = new RegExp(escaped.join('|'), 'g');
      if (this.#expressions.size > 64) this.#expressions.clear();
      this.#expressions.set(key, expression);
    }
    return expression;
  }
}

function commonPrefix(names: readonly string[]): string {
  const [first = '', ...rest] = names;
  let length = first.length;
  for (const name of rest) while (!name.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
