// Classes of characters: ASCII by a table, everything from U+00C0 on counts as a letter.

export const OTHER = 0;
export const LETTER = 1;
export const DIGIT = 2;
export const SPACE = 3;
export const BRACKET = 4;
export const QUOTE = 5;
export const OPERATOR = 6;
export const PUNCTUATION = 7;

export const CLASS = new Uint8Array(128);
for (let c = 0; c < 128; c++) {
  const s = String.fromCharCode(c);
  if (/[a-z]/i.test(s)) CLASS[c] = LETTER;
  else if (/\d/.test(s)) CLASS[c] = DIGIT;
  else if (/\s/.test(s)) CLASS[c] = SPACE;
  else if ('()[]{}'.includes(s)) CLASS[c] = BRACKET;
  else if ('"\'`'.includes(s)) CLASS[c] = QUOTE;
  else if ('+-*/=<>%^&|~'.includes(s)) CLASS[c] = OPERATOR;
  else if (c > 32 && c < 127) CLASS[c] = PUNCTUATION;
}

export const isCapital = (code: number) => code >= 65 && code <= 90;
/** A letter or a digit. */
export const isWord = (code: number) => (code < 128 ? CLASS[code] === LETTER || CLASS[code] === DIGIT : code > 0xbf);
