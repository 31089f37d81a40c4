// How true the estimates are, over many seeds of systems whose transfer entropy is known.
//
//   node bench/truth.mjs truths                       the truths and their errors
//   node bench/truth.mjs intervals    [options]       bias, RMSE, coverage of the 95 % interval (--set tuning: on the systems it
//                                                     was chosen on)
//   node bench/truth.mjs wider        [options]       coverage with histories, conditions, several variables, mutual information
//   node bench/truth.mjs significance [options]       p-values without influence, and power, by kind of surrogate
//   node bench/truth.mjs long         [options]       values of long series
//   node bench/truth.mjs table STUDY FILE...          the table of lines written with --out
//
// --seeds 200  --first 1  --samples 500,1000,2000,5000  --processes 2  --out FILE (a line a result, written as they come)
// --truths FILE  what `truths --out FILE` wrote, for `table intervals`: it takes a minute to find
import { spawn } from 'node:child_process';
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import * as studies from './truth/studies.mjs';
import { tables, truths } from './truth/tables.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    samples: { type: 'string', default: '1000' },
    processes: { type: 'string', default: '2' },
    set: { type: 'string', default: 'reported' },
    out: { type: 'string' },
    truths: { type: 'string' },
    part: { type: 'string' }, // of the seeds, for a process that this one starts
  },
});
const [study = 'intervals', ...files] = positionals;
const show = (lines) => process.stdout.write(`${lines.join('\n')}\n`);
const processes = Number(options.processes);

if (study === 'truths') {
  const known = truths();
  if (options.out) writeFileSync(options.out, JSON.stringify(known));
  show(tables.truths(known));
} else if (study === 'table') {
  const [name, ...of] = files;
  show(
    tables[name](
      of.flatMap((file) =>
        readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line)),
      ),
      options.truths && JSON.parse(readFileSync(options.truths, 'utf8')),
    ),
  );
} else if (options.part !== undefined) {
  const seeds = [];
  for (let seed = Number(options.part); seed < Number(options.seeds); seed += processes)
    seeds.push(Number(options.first) + seed);
  const round = (value) => (typeof value === 'number' ? Number(value.toPrecision(7)) : value);
  for await (const line of studies[study]({
    seeds,
    samples: options.samples.split(',').map(Number),
    set: options.set,
  }))
    process.stdout.write(`${JSON.stringify(line.map(round))}\n`);
} else {
  const out = options.out ? createWriteStream(options.out) : undefined;
  const rows = [];
  await Promise.all(
    Array.from({ length: processes }, async (_, part) => {
      const child = spawn(
        process.execPath,
        [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--part', `${part}`],
        {
          env: { ...process.env, XCORE_THREADS: '1' },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      for await (const line of createInterface({ input: child.stdout })) {
        rows.push(JSON.parse(line));
        out?.write(`${line}\n`);
      }
    }),
  );
  show(tables[study](rows));
}
