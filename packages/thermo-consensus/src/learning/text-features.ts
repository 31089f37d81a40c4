// What a request's text looks like: the passage to the core's text_features (cuda-core/src/thermo/text_features).
import { addon } from '../native';

/** Numbers that `textFeatures` gives. */
export const TEXT_FEATURES = 26;

/** The unit before the blanks at a text's end; -1 of a blank text. */
export function lastUnit(text: string): number {
  const end = text.charCodeAt(text.length - 1);
  // Most texts end in a letter or a sign of ASCII.
  if (end > 32 && end < 127) return end;
  const trimmed = text.trimEnd();
  return trimmed.length > 0 ? trimmed.charCodeAt(trimmed.length - 1) : -1;
}

/**
 * Features of a text, each within [-2.5, 2.5] and of about unit size over ordinary questions: lengths, character classes, answer
 * options, lines and sentences. Of a long text the beginning is read, and its length. The same text has the same features for ever.
 */
export function textFeatures(text: string): Float64Array {
  const out = new Float64Array(TEXT_FEATURES);
  addon.textFeatures(text, text.length, lastUnit(text), out);
  return out;
}
