// The reference data that benches read: corpus, tokenizer.json files and rank files, below X_REFERENCE_DIR or ../shared.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const shared = process.env.X_REFERENCE_DIR ?? join(dirname(fileURLToPath(import.meta.url)), '../../../../shared');

/** A path below reference/bpe. */
export const referencePath = (...names) => join(shared, 'reference', 'bpe', ...names);

const unpacked = (...names) => gunzipSync(readFileSync(referencePath(...names)));

/** Bytes of a tokenizer.json. */
export const tokenizerJson = (name) => unpacked('assets', 'tokenizer_json', `${name}.json.gz`);

/** Argument of `Tokenizer.fromRanks` for an encoding of tiktoken's; undefined where there is none of that name. */
export function ranksOf(encoding) {
  const meta = JSON.parse(readFileSync(referencePath('assets', 'tiktoken', 'meta.json'), 'utf8'))[encoding];
  if (!meta) return undefined;
  const file = encoding === 'gpt2' ? 'r50k_base' : encoding; // the same ranks
  const ranks = unpacked('assets', 'tiktoken', `${file}.tiktoken.gz`);
  return { ranks, pattern: meta.pat_str, specialTokens: meta.special_tokens };
}

/** The corpus: its bytes, and its sections as [name, [begin, end]]. */
export function corpus() {
  const sections = JSON.parse(readFileSync(referencePath('corpus_index.json'), 'utf8')).public;
  return { bytes: unpacked('corpus_public.txt.gz'), sections: Object.entries(sections) };
}
