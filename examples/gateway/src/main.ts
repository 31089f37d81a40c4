// The command line of the demo: options in, table and report out.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Device } from '@x/cuda-core';
import { Command } from 'commander';
import { describeError } from '../../../tools/cli/describe-error';
import { startProgress } from '../../../tools/cli/progress';
import { runDemo } from './demo';
import { numberOption } from './options';
import { writeReport } from './report/report';
import { table, verdict } from './table';

// dist/main.js: the example's folder is one up.
const example = dirname(dirname(fileURLToPath(import.meta.url)));

interface Flags {
  questions: number;
  seed: number;
  seeds: number;
  device: Device;
  lambda: number;
  pool: string;
  report: string;
  json?: true;
  verbose?: true;
}

const INTERRUPTED = new Error('interrupted');

async function demo(flags: Flags): Promise<void> {
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(INTERRUPTED));
  const say = (text: string) => flags.json || process.stdout.write(text);
  const { runs, report } = await runDemo({
    ...flags,
    signal: interrupted.signal,
    startProgress: (label) => startProgress(label),
  });
  writeReport(flags.report, report);
  if (flags.json) {
    const seeds = runs.map((rows, i) => ({ seed: flags.seed + i, rows }));
    process.stdout.write(`${JSON.stringify({ lambda: flags.lambda, seeds, report: flags.report }, null, 2)}\n`);
  }
  say(`\n${table(runs)}\n\n${verdict(runs)}\nReport: ${resolve(flags.report)}\n`);
}

const program = new Command('demo')
  .description('Answers a stream of real questions with five small models and learns which one to ask.')
  .option('--questions <n>', 'questions in the stream', numberOption('questions', { integer: true, min: 1 }), 600)
  .option(
    '--seed <s>',
    'decides the order of questions and every draw',
    numberOption('seed', { integer: true, min: 0 }),
    1,
  )
  .option(
    '--seeds <n>',
    'runs this many seeds and prints mean ± deviation',
    numberOption('seeds', { integer: true, min: 1 }),
    1,
  )
  .option('--device <name>', 'auto, cpu, cuda or cuda:N', 'auto')
  .option(
    '--lambda <x>',
    "the strongest model's cost in right answers: higher saves more",
    numberOption('lambda', { min: 0, max: 1 }),
    0.15,
  )
  .option('--pool <folder>', 'where the models and questions are', join(example, 'pool'))
  .option('--report <path>', 'where the HTML report goes', join(example, 'report', 'report.html'))
  .option('--json', 'prints JSON in place of the table')
  .option('--verbose', 'prints the stack of an error')
  .action(demo);

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${describeError(error as Error, program.opts<Flags>().verbose)}\n`);
  process.exitCode = error === INTERRUPTED ? 130 : 1;
}
