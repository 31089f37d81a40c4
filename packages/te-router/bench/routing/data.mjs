// The reference rows (X_REFERENCE_DIR, else ../shared, with reference/routing in it) in one shape:
//   { id, text, domain, quality: { model: 0..1 }, cost: { model: number } | undefined, units }
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const shared = process.env.X_REFERENCE_DIR ?? join(dirname(fileURLToPath(import.meta.url)), '../../../../../shared');
export const folder = join(shared, 'reference', 'routing');
export const present = existsSync(folder);

/** Calls to the strong and the weak model of the RouteLLM pairs, USD per million tokens (blended; RouteLLM, table 7). */
export const PAIR_COST = { 'gpt-4-1106-preview': 24.7, 'mixtral-8x7b': 0.24 };

function price(name) {
  const [head, ...rows] = readFileSync(join(folder, 'prices.csv'), 'utf8').trim().split('\n');
  const columns = head.split(',');
  const row = rows.map((r) => r.split(',')).find((r) => r[0] === name && r[1] !== '');
  if (!row) return undefined;
  return {
    input: Number(row[columns.indexOf('input_usd_per_mtok')]),
    output: Number(row[columns.indexOf('output_usd_per_mtok')]),
  };
}

export function load(name) {
  const rows = gunzipSync(readFileSync(join(folder, `${name}.jsonl.gz`)))
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const prices = new Map();
  return rows.map((row) => {
    const quality = {};
    const cost = {};
    for (const [model, q] of Object.entries(row.q)) {
      // MT-Bench: the mean of two turns' scores of 1 to 10.
      quality[model] = Array.isArray(q) ? q.reduce((a, b) => a + b, 0) / q.length / 10 : q;
      if (row.cost_usd) cost[model] = row.cost_usd[model];
      else if (PAIR_COST[model] !== undefined) cost[model] = PAIR_COST[model];
      else {
        if (!prices.has(model)) prices.set(model, price(model));
        const p = prices.get(model);
        // Tokens of the prompt by length, and 200 of an answer (none are recorded).
        if (p) cost[model] = ((row.prompt.length / 4) * p.input + 200 * p.output) / 1e6;
      }
    }
    const priced = Object.keys(cost).length === Object.keys(quality).length;
    return { id: row.id, text: row.prompt, domain: row.domain, quality, cost: priced ? cost : undefined };
  });
}

/** A number in [0, 1) from a row's id and a seed: the split does not depend on the rows' order. */
export const draw = (id, seed) =>
  Number.parseInt(createHash('sha256').update(`${seed}:${id}`).digest('hex').slice(0, 12), 16) / 2 ** 48;

/** 70 % of the rows to fit, the rest to score. */
export function split(rows, seed, share = 0.7) {
  return {
    train: rows.filter((r) => draw(r.id, seed) < share),
    test: rows.filter((r) => draw(r.id, seed) >= share),
  };
}
