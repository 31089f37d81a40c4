// The demo: for every seed a stream of questions through a gateway that knows nothing yet, then the baselines on the same
// questions, with the machine watched meanwhile.
import { join } from 'node:path';
import type { Device } from '@x/cuda-core';
import { Monitor, type Sample } from '@x/gpu-monitor';
import type { Progress } from '../../../tools/cli/progress';
import { type AllReplies, askEveryModel, baselineRows, type Row } from './baselines';
import { Gateway } from './gateway';
import { type Reply, STRONGEST } from './models';
import { openPool } from './pool';
import { isRight, questionStream, readQuestions } from './questions';
import type { Group, Influence, Point, Reading, ReportData } from './report/data';
import { type Answered, routedRow, run } from './run';

export interface DemoOptions {
  /** Folder of the models and the questions. */
  pool: string;
  questions: number;
  /** The first seed; the next ones follow it. */
  seed: number;
  seeds: number;
  device: Device;
  lambda: number;
  startProgress: (label: string) => Progress;
  signal?: AbortSignal;
}

export interface DemoResult {
  /** The rows of each seed: routed first, then every baseline. */
  runs: Row[][];
  /** The first seed in detail. */
  report: ReportData;
}

// Fewer outcomes of a model say nothing about what drives its quality.
const LEAST_OUTCOMES = 50;
const SHOWN_GROUPS = 20;

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const { seed, seeds, device, lambda, signal } = options;
  const all = readQuestions(join(options.pool, 'questions.jsonl'));
  const streams = Array.from({ length: seeds }, (_, i) => questionStream(all, options.questions, seed + i));
  const monitor = new Monitor({ intervalMs: 500 });
  const pool = await openPool(options.pool, device).catch((error: unknown) => {
    monitor.stop();
    throw error;
  });
  const watching = watch(monitor);
  try {
    const routed = await withProgress(options, 'routing', seeds * options.questions, async (update) => {
      const out: { gateway: Gateway; answered: Answered[] }[] = [];
      for (const [i, questions] of streams.entries()) {
        const gateway = new Gateway(pool, { seed: seed + i, lambda });
        const onProgress = (done: number) => update(i * options.questions + done);
        out.push({ gateway, answered: await run(gateway, questions, { onProgress, ...(signal && { signal }) }) });
      }
      return out;
    });
    const cache = new Map<string, Reply>();
    const calls = seeds * options.questions * pool.models.length;
    const replies = await withProgress(options, 'baselines: every model', calls, async (update) => {
      const out: AllReplies[] = [];
      for (const [i, questions] of streams.entries()) {
        const onProgress = (done: number) => update(i * options.questions * pool.models.length + done);
        out.push(await askEveryModel(pool, questions, { cache, onProgress, ...(signal && { signal }) }));
      }
      return out;
    });
    const runs = streams.map((questions, i) => [
      routedRow(routed[i]!.answered),
      ...baselineRows(pool.models, questions, replies[i]!, seed + i),
    ]);

    const { gateway, answered } = routed[0]!;
    const influences = await influencesOf(gateway, answered, options);
    monitor.stop();
    const samples = await watching;
    return {
      runs,
      report: {
        date: new Date().toISOString(),
        facts: [
          ['seed', String(seed)],
          ['questions', String(options.questions)],
          ['lambda', String(lambda)],
          ['models on', device],
        ],
        rows: runs[0]!,
        runs,
        points: pointsOf(answered, replies[0]!),
        groups: groupsOf(gateway, answered),
        influences,
        readings: readingsOf(samples),
        gpuAbsent: monitor.gpuUnavailableReason,
      },
    };
  } finally {
    monitor.stop();
    await watching;
    await pool.dispose();
  }
}

async function watch(monitor: Monitor): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of monitor) samples.push(sample);
  return samples;
}

async function withProgress<T>(
  { startProgress }: DemoOptions,
  label: string,
  total: number,
  work: (update: (done: number) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress(label);
  try {
    return await work((done) => progress.update(done, total));
  } finally {
    progress.stop();
  }
}

function pointsOf(answered: readonly Answered[], replies: AllReplies): Point[] {
  return answered.map(({ question, decision, right }, i) => {
    const strongest = replies.get(STRONGEST)![i]!;
    return {
      domain: question.domain,
      difficulty: question.difficulty,
      question: question.question,
      expected: question.answer,
      answer: decision.answer,
      asked: decision.steps.map(({ reply }) => reply.model),
      right,
      cost: decision.cost,
      explanation: decision.explanation,
      strongest: { right: isRight(question, strongest.text), cost: strongest.cost },
    };
  });
}

/** The groups of most questions, as the router told them apart, with what was learned about every model there. */
function groupsOf({ consensus }: Gateway, answered: readonly Answered[]): Group[] {
  const counts = new Map<string, { label: string; questions: number }>();
  for (const { decision } of answered) {
    const { domain } = decision.choice;
    if (domain === undefined) continue; // the first of a kind founds a group, it does not belong to one
    const known = counts.get(domain) ?? { label: decision.route.domainLabel ?? domain, questions: 0 };
    known.questions++;
    counts.set(domain, known);
  }
  return [...counts.entries()]
    .sort(([, a], [, b]) => b.questions - a.questions)
    .slice(0, SHOWN_GROUPS)
    .map(([domain, { label, questions }]) => ({
      label,
      questions,
      models: consensus.models.map((model) => {
        const posterior = consensus.posterior(model, domain);
        const [low, high] = posterior.interval(0.9);
        return { model, mean: posterior.mean, low, high };
      }),
    }));
}

async function influencesOf(
  { router }: Gateway,
  answered: readonly Answered[],
  { device, signal }: DemoOptions,
): Promise<Influence[]> {
  const counts = new Map<string, number>();
  for (const { decision } of answered) counts.set(decision.model, (counts.get(decision.model) ?? 0) + 1);
  const out: Influence[] = [];
  for (const [model, count] of counts) {
    if (count < LEAST_OUTCOMES) continue;
    const found = await router.featureInfluence(model, { device, ...(signal && { signal }) });
    out.push(...found.map((influence) => ({ model, ...influence })));
  }
  return out;
}

function readingsOf(samples: readonly Sample[]): Reading[] {
  return samples.map(({ timestampMs, host, gpus }) => ({
    at: (timestampMs - samples[0]!.timestampMs) / 1000,
    cpu: host.cpuUtilisation,
    processMemoryBytes: host.processMemoryBytes,
    gpu: gpus[0]?.utilisation ?? null,
  }));
}
