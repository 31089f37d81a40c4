// What the tables of this folder follow: Unicode 16.0, as the regular expressions of tiktoken and of Hugging Face's
// tokenizers do. A character that is a letter for us and nothing yet for them would be cut differently. The data come
// from the Unicode tables inside Node, which must be of 17.0: characters newer than 16.0 (DerivedAge.txt) count as
// unassigned, and the one older character whose category changed keeps the former one.
export const UNICODE = '16.0';
if (process.versions.unicode !== '17.0') {
  throw new Error(`these tables are made with a Node of Unicode 17.0; this one has ${process.versions.unicode}`);
}

/** The set of the code points in `ranges`: hexadecimal numbers and first-last pairs between blanks. */
export function codePoints(ranges) {
  return new Set(
    ranges
      .trim()
      .split(/\s+/)
      .flatMap((range) => {
        const [first, last = first] = range.split('-').map((x) => Number.parseInt(x, 16));
        return Array.from({ length: last - first + 1 }, (_, i) => first + i);
      }),
  );
}

const UNASSIGNED = codePoints(
  `88f c5c cdc 1acf-1add 1ae0-1aeb 20c1 2b96 a7ce-a7cf a7d2 a7d4 a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 10940-10959
   10ec5-10ec7 10ed0-10ed8 10efa-10efb 11b60-11b67 11db0-11ddb 11de0-11de9 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6
   187f8-187ff 18d09-18d1e 18d80-18df2 1ccfa-1ccfc 1ceba-1ced0 1cee0-1cef0 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff 1f6d8
   1f777-1f77a 1f8d0-1f8d8 1fa54-1fa57 1fa8a 1fa8e 1fac8 1facd 1faea 1faef 1fbfa 2b73a-2b73f 2cea2-2cead 323b0-33479`,
);

/** Code points that no table has anything to say about: unassigned in Unicode 16.0, or half of a surrogate pair. */
export const isUnassigned = (c) => UNASSIGNED.has(c) || (c >= 0xd800 && c <= 0xdfff);

/** U+0295 (a letter without case since 17.0) is a lower case letter in 16.0. */
export const isLowerCaseUntil16 = (c) => c === 0x295;
