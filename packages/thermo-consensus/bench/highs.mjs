// HiGHS as the rival of the assignment benches. Not a dependency: npm install --no-save highs (MIT), or X_RIVALS_DIR, a
// folder with it in node_modules.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const require = createRequire(
  process.env.X_RIVALS_DIR ? join(process.env.X_RIVALS_DIR, 'package.json') : import.meta.url,
);

export function highsIsHere() {
  try {
    require.resolve('highs');
    return true;
  } catch {
    return false;
  }
}

/** `solve(model, seconds)`: the model in CPLEX's LP format, on the calling thread. */
export async function highsSolver() {
  const load = require('highs');
  const highs = await load();
  return (model, seconds) => {
    const start = performance.now();
    const found = highs.solve(model, { time_limit: seconds, mip_rel_gap: 0, output_flag: false });
    const assigned = Object.entries(found.Columns ?? {}).filter(([, c]) => c.Primal > 0.5);
    return {
      objective: found.ObjectiveValue,
      status: found.Status,
      seconds: (performance.now() - start) / 1000,
      pairs: assigned.map(([name]) => name.slice(1).split('_').map(Number)),
    };
  };
}

/**
 * The same on `count` threads beside the calling one, as promises, in the order asked for.
 * A solver is loaded afresh for every model: its memory, which WebAssembly never gives back, grows with what it has solved.
 */
export function highsWorkers(count) {
  const waiting = [];
  let idle = count;
  const next = () => {
    if (idle === 0 || waiting.length === 0) return;
    idle--;
    const { message, resolve, reject } = waiting.shift();
    const worker = new Worker(new URL(import.meta.url));
    const done = (settle, value) => {
      worker.terminate();
      idle++;
      settle(value);
      next();
    };
    worker.once('message', (value) => done(resolve, value));
    worker.once('error', (error) => done(reject, error));
    worker.postMessage(message);
  };
  return (model, seconds) =>
    new Promise((resolve, reject) => {
      waiting.push({ message: { model, seconds }, resolve, reject });
      next();
    });
}

if (!isMainThread) {
  parentPort.once('message', async ({ model, seconds }) => {
    const solve = await highsSolver();
    parentPort.postMessage(solve(model, seconds));
  });
}

/** A generalised assignment problem in CPLEX's LP format; pairs of infinite cost are left out. */
export function gapModel({ sense, agents, jobs, costs, loads, capacities, budgets = [] }) {
  const pairs = [];
  for (let i = 0; i < agents; i++)
    for (let j = 0; j < jobs; j++) if (Number.isFinite(costs[i * jobs + j])) pairs.push([i, j]);
  const term = (value, [i, j]) => `${value < 0 ? '-' : '+'} ${Math.abs(value)} x${i}_${j}`;
  const sum = (which, value) => which.map((p) => term(value(p), p)).join('\n ');
  const lines = [
    sense === 'max' ? 'Maximize' : 'Minimize',
    ` obj: ${sum(pairs, ([i, j]) => costs[i * jobs + j])}`,
    'Subject To',
  ];
  const byJob = Array.from({ length: jobs }, () => []);
  const byAgent = Array.from({ length: agents }, () => []);
  for (const p of pairs) {
    byJob[p[1]].push(p);
    byAgent[p[0]].push(p);
  }
  for (const [j, which] of byJob.entries()) lines.push(` j${j}: ${sum(which, () => 1)} = 1`);
  byAgent.forEach((which, i) => {
    if (which.length && Number.isFinite(capacities[i]))
      lines.push(` a${i}: ${sum(which, ([a, j]) => loads[a * jobs + j])} <= ${capacities[i]}`);
  });
  for (const [k, { amounts, limit }] of budgets.entries())
    lines.push(` b${k}: ${sum(pairs, ([i, j]) => amounts[i * jobs + j])} <= ${limit}`);
  lines.push('Binary', ` ${pairs.map(([i, j]) => `x${i}_${j}`).join('\n ')}`, 'End');
  return lines.join('\n');
}
