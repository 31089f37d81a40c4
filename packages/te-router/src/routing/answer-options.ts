// The answer options of a question: lines that begin like "A." or "(2)", and how the texts after that look.

import { DIGIT, isCapital, LETTER } from './characters';

/** Where the text of an answer option begins when the line at `at` is one: "A. x", "(b) x", "3) x"; else -1. */
export function optionBody(text: string, at: number, n: number): number {
  let i = at;
  while (i < n && i < at + 8 && text.charCodeAt(i) === 32) i++;
  if (text.charCodeAt(i) === 40) i++;
  const mark = text.charCodeAt(i);
  const letter = (mark >= 65 && mark <= 74) || (mark >= 97 && mark <= 106);
  if (!letter && !(mark >= 49 && mark <= 57)) return -1;
  const close = text.charCodeAt(i + 1);
  if (close !== 46 && close !== 41) return -1;
  return i + 2 < n && text.charCodeAt(i + 2) === 32 ? i + 3 : -1;
}

/** Lengths and looks of the answer options, read token by token. */
export class Options {
  private from = -1;
  private last = -1;
  private lastCode = 0;
  private digits = false;
  private first = true;
  private count = 0;
  private sum = 0;
  private squares = 0;
  private longest = 0;
  private shortest = Number.POSITIVE_INFINITY;
  private withDigits = 0;
  private capitals = 0;
  private stopped = 0;
  private words = 0;
  private capital = false;

  begin(body: number): void {
    this.end();
    this.from = body;
    this.last = body;
    this.lastCode = 0;
    this.digits = false;
    this.first = true;
    this.capital = false;
  }
  /** A token from `start` to `end`; those of the option's own mark lie before its body. */
  read(start: number, end: number, kind: number, code: number): void {
    if (this.from < 0 || start < this.from) return;
    this.last = end;
    this.lastCode = code;
    if (kind === DIGIT) this.digits = true;
    if (kind === LETTER) this.words++;
    if (this.first) {
      this.capital = isCapital(code);
      this.first = false;
    }
  }
  end(): void {
    if (this.from < 0) return;
    const size = this.last - this.from;
    this.count++;
    this.sum += size;
    this.squares += size * size;
    if (size > this.longest) this.longest = size;
    if (size < this.shortest) this.shortest = size;
    if (this.digits) this.withDigits++;
    if (this.capital) this.capitals++;
    if (this.lastCode === 46) this.stopped++;
    this.from = -1;
  }
  summary() {
    const { count } = this;
    const per = count > 0 ? 1 / count : 0;
    const mean = this.sum * per;
    return {
      count,
      mean,
      longest: this.longest,
      shortest: count > 0 ? this.shortest : 0,
      spread: Math.sqrt(Math.max(0, this.squares * per - mean * mean)) / (1 + mean),
      withDigits: this.withDigits * per,
      capitalised: this.capitals * per,
      stopped: this.stopped * per,
      words: this.words * per,
    };
  }
}
