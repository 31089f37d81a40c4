// OpenAI's encodings: their expressions and special tokens are here, their ranks come from a package or a file.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { InvalidArgumentError, NotFoundError } from '@x/cuda-core';
import { shown } from '@x/cuda-core/addon';

export type EncodingName = 'gpt2' | 'p50k_base' | 'cl100k_base' | 'o200k_base';

export interface RankFile {
  /** Lines of base64 and rank, or the packed form of npm packages: `! first-rank token token ...`. */
  ranks: string | Uint8Array;
  /** The regular expression that cuts text into pieces. */
  pattern: string;
  /** Ids of the special tokens, by content. Default: none. */
  specialTokens?: Readonly<Record<string, number>>;
}

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const CL100K = `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const O200K = `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${CONTRACTIONS}?|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${CONTRACTIONS}?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const ENCODINGS: Readonly<Record<EncodingName, { pattern: string; specialTokens: Readonly<Record<string, number>> }>> =
  {
    gpt2: { pattern: GPT2, specialTokens: { '<|endoftext|>': 50256 } },
    p50k_base: { pattern: GPT2, specialTokens: { '<|endoftext|>': 50256 } },
    cl100k_base: {
      pattern: CL100K,
      specialTokens: {
        '<|endoftext|>': 100257,
        '<|fim_prefix|>': 100258,
        '<|fim_middle|>': 100259,
        '<|fim_suffix|>': 100260,
        '<|endofprompt|>': 100276,
      },
    },
    o200k_base: { pattern: O200K, specialTokens: { '<|endoftext|>': 199999, '<|endofprompt|>': 200018 } },
  };

/** Where ranks are looked for besides the packages: a folder of `<name>.tiktoken` files, plain or gzipped. */
const FOLDER = 'X_TIKTOKEN_DIR';

/**
 * The ranks, expression and special tokens of one of OpenAI's encodings. The ranks are read from npm `tiktoken` or `js-tiktoken`,
 * whichever is installed beside the program or this package, or from `<name>.tiktoken` in the folder that the environment variable
 * X_TIKTOKEN_DIR names; never from the network. Or they are given: `encodingRanks('o200k_base', readFileSync('o200k_base.tiktoken'))`.
 *
 * @throws InvalidArgumentError for another name, NotFoundError saying what to install.
 */
export function encodingRanks(name: EncodingName, ranks?: RankFile['ranks']): Required<RankFile> {
  if (!Object.hasOwn(ENCODINGS, name))
    throw new InvalidArgumentError(
      `there is no encoding ${shown(name)}; there are ${Object.keys(ENCODINGS).join(', ')}`,
      { field: 'encoding' },
    );
  const found = ranks ?? fromFolder(name) ?? fromPackage(name);
  if (found === undefined)
    throw new NotFoundError(
      `the ranks of ${name} are not installed. Install them: npm install js-tiktoken; or put ${name}.tiktoken into a folder and name it in ${FOLDER}`,
      { field: 'encoding' },
    );
  return { ranks: found, ...ENCODINGS[name] };
}

// gpt2 and r50k_base are one encoding; its file goes by the second name.
const FILE_NAMES: Readonly<Record<EncodingName, readonly string[]>> = {
  gpt2: ['gpt2', 'r50k_base'],
  p50k_base: ['p50k_base'],
  cl100k_base: ['cl100k_base'],
  o200k_base: ['o200k_base'],
};

function fromFolder(name: EncodingName): Uint8Array | undefined {
  const folder = process.env[FOLDER];
  if (!folder) return undefined;
  for (const file of FILE_NAMES[name]) {
    const plain = ignoringAbsence(() => readFileSync(join(folder, `${file}.tiktoken`)));
    const packed = plain ?? ignoringAbsence(() => gunzipSync(readFileSync(join(folder, `${file}.tiktoken.gz`))));
    if (packed) return packed;
  }
  return undefined;
}

function fromPackage(name: EncodingName): string | undefined {
  for (const base of [join(process.cwd(), 'package.json'), import.meta.url]) {
    const require = createRequire(base);
    for (const specifier of [`tiktoken/encoders/${name}.json`, `js-tiktoken/ranks/${name}`]) {
      const found = ignoringAbsence(
        () => require(specifier) as { bpe_ranks?: unknown; default?: { bpe_ranks?: unknown } },
      );
      const ranks = found?.bpe_ranks ?? found?.default?.bpe_ranks;
      if (typeof ranks === 'string') return ranks;
    }
  }
  return undefined;
}

function ignoringAbsence<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const absent = ['ENOENT', 'ENOTDIR', 'MODULE_NOT_FOUND', 'ERR_PACKAGE_PATH_NOT_EXPORTED', 'ERR_REQUIRE_ESM'];
    if (code !== undefined && absent.includes(code)) return undefined;
    throw error;
  }
}
