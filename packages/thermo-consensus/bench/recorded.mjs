// What the studies over recorded outcomes share: the rows of reference/routing, random numbers, and intervals over seeds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
// By its path: the package itself does not depend on the router.
import { QueryRouter } from '../../te-router/dist/index.js';

const folder = join(process.env.X_REFERENCE_DIR ?? '../../../shared', 'reference', 'routing');
const FILES = {
  routerbench: 'routerbench3_11models',
  llmrouter: 'llmrouter_9models',
  routerarena: 'routerarena_2models',
  gsm8k: 'routellm_gsm8k',
  mmlu: 'routellm_mmlu',
};
/** USD a million tokens, as in RouteLLM's paper: its rows record no costs. */
const CALL = { 'gpt-4-1106-preview': 24.7, 'mixtral-8x7b': 0.24 };
/** USD a million tokens by size of model, for LLMRouter's open models. */
const SIZE_PRICE = [
  [/70b|51b|49b/i, 0.9],
  [/9b/i, 0.1],
  [/8b|7b/i, 0.2],
];
/** Tokens of an answer where none are recorded. */
const ANSWER_TOKENS = 200;

/**
 * Questions of one set, with every model's quality (0 to 1) and cost. Costs are recorded (RouterBench, RouterArena), a call's
 * price (RouteLLM), or the price by the model's size times the question's tokens and 200 more (LLMRouter).
 */
export function load(set) {
  const text = gunzipSync(readFileSync(join(folder, `${FILES[set]}.jsonl.gz`))).toString();
  const rows = text.trim().split('\n').map(JSON.parse);
  const models = Object.keys(rows[0].q).sort();
  const cost = (row, model) => {
    if (row.cost_usd) return row.cost_usd[model];
    if (CALL[model]) return CALL[model];
    const price = SIZE_PRICE.find(([size]) => size.test(model))[1];
    return ((row.prompt.length / 4 + ANSWER_TOKENS) * price) / 1e6;
  };
  return {
    models,
    rows: rows.map((row) => ({
      text: row.prompt,
      label: row.domain,
      quality: models.map((m) => Math.min(1, Math.max(0, Number(row.q[m])))),
      cost: models.map((m) => cost(row, m)),
    })),
  };
}

/**
 * The kind of each question of a stream, as a router finds them online from the texts alone. No outcome plays a part, so every
 * policy of a seed is given the same kinds.
 */
export function kindsOf(stream, { seed, maxDomains, domainThreshold }) {
  const router = new QueryRouter({
    models: [{ name: 'any', cost: 1 }],
    refit: 'manual',
    drift: false,
    pendingLimit: 1,
    journalLimit: 100,
    seed,
    maxDomains,
    domainThreshold,
  });
  return stream.map((row) => {
    const decision = router.route(row.text);
    // Teaches the text: the quality is the same for all, so it says nothing.
    router.observe({ decision, model: 'any', quality: 0.5 });
    return decision.domain >= 0 ? decision.domain : 'new';
  });
}

/** Uniform numbers in [0, 1): mulberry32 (T. Ettinger). */
export function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function shuffled(items, random) {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

export const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
