import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command, InvalidArgumentError as InvalidOption, Option } from 'commander';
import { describeError } from '../../../../tools/cli/describe-error';
import { startProgress } from '../../../../tools/cli/progress';
import { type TransferEntropyNetworkOptions, transferEntropyNetwork } from '../network/network';
import { networkHtml } from '../network/network-html';
import { linksCsv, matrixCsv, networkGraphml } from '../network/network-output';
import { readTable } from './read-table';

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidOption('It must be a number.');
  return value;
};
const range = (text: string): [number, number] => {
  const match = /^(\d+)[-:,](\d+)$/.exec(text);
  if (!match) throw new InvalidOption('It must be from-to, e.g. 0-100.');
  return [Number(match[1]), Number(match[2])];
};

type Options = TransferEntropyNetworkOptions & {
  output: string[];
  columns?: string[];
  title?: string;
  verbose?: boolean;
  screen?: number;
};

export async function run(argv: readonly string[]): Promise<number> {
  const program = new Command('te-router').description('Transfer entropy from the command line.').exitOverride();
  let code = 0;
  program
    .command('network')
    .description(
      'Transfer entropy of all ordered pairs of the columns of a CSV or Parquet file: a column a variable, a row a sample.',
    )
    .argument('<file>', 'CSV (with or without a header) or .parquet')
    .option(
      '-o, --output <files...>',
      'files to write, by their ending: .json, .csv (links), .matrix.csv, .graphml, .html; "-" prints JSON',
      ['-'],
    )
    .option('-c, --columns <names...>', 'columns to take; default all that hold numbers alone')
    .addOption(new Option('-e, --estimator <name>').choices(['ksg1', 'gaussian', 'binned']).default('ksg1'))
    .addOption(new Option('-m, --method <name>').choices(['pairwise', 'multivariate']).default('pairwise'))
    .option('-k, --k <n>', 'nearest neighbours', number)
    .option('--target-history <n>', 'past values of the target', number)
    .option('--target-tau <n>', 'samples between them', number)
    .option('--source-history <n>', 'past values of the source', number)
    .option('--source-tau <n>', 'samples between them', number)
    .option('--delay <n>', 'delay of the source, or the first of several', number)
    .option('--max-lag <n>', 'last delay to try; multivariate: largest lag', number)
    .option('--theiler <n>', 'Theiler window', number)
    .option('--noise <x>', 'standard deviation of noise that parts ties', number)
    .option('--bins <n>', 'bins of the binned estimator', number)
    .addOption(new Option('--binning <name>').choices(['equal-width', 'equal-frequency']))
    .option('-s, --surrogates <n>', 'permutations for p-values', number)
    .option('--stop-after <n>', "end a pair's test after so many surrogates reached its value", number)
    .option('--analytic', 'p-values from chi-squared (gaussian, binned)')
    .option('-a, --alpha <x>', 'level of the tests', number)
    .option('--no-fdr', 'no false-discovery control')
    .option('--screen <keep>', 'test only the best part of pairs by cheap estimates, 0 to 1', number)
    .option('--threshold <x>', 'untested: pairs above so many nats are links', number)
    .option('--targets <from-to>', 'targets of this part, to exclusive', range)
    .addOption(new Option('--precision <name>').choices(['f64', 'f32']))
    .option('--seed <n>', 'of noise and permutations', number)
    .option('-d, --device <name>', 'auto, cpu, cuda, cuda:1', 'auto')
    .option('--title <text>', 'of the HTML page')
    .option('-v, --verbose', 'errors with their stack')
    .action(async (file: string, given: Options) => {
      const { output, columns, title, verbose, screen, ...options } = given;
      const progress = startProgress('transfer entropy');
      const abort = new AbortController();
      const interrupt = () => abort.abort(new Error('interrupted'));
      process.once('SIGINT', interrupt);
      try {
        const table = await readTable(file, columns);
        const network = await transferEntropyNetwork(table, {
          ...options,
          ...(screen !== undefined && { screen: { keep: screen } }),
          signal: abort.signal,
          onProgress: (done, total) => progress.update(done, total),
        });
        progress.stop();
        const { names } = table;
        const json = () =>
          `${JSON.stringify({
            ...network,
            names,
            te: Array.from(network.te),
            ...(network.pValue && { pValue: Array.from(network.pValue) }),
            ...(network.lag && { lag: Array.from(network.lag) }),
            ...(network.inference && {
              inference: {
                links: network.inference.links,
                omnibusTe: Array.from(network.inference.omnibusTe),
                omnibusP: Array.from(network.inference.omnibusP),
              },
            }),
          })}\n`;
        const written: Record<string, () => string> = {
          '.json': json,
          '.csv': () => linksCsv(network, names),
          '.graphml': () => networkGraphml(network, names),
          '.html': () => networkHtml(network, { names, series: table, ...(title !== undefined && { title }) }),
        };
        for (const path of output) {
          if (path === '-') {
            process.stdout.write(json());
            continue;
          }
          const text = path.toLowerCase().endsWith('.matrix.csv')
            ? matrixCsv(network, names)
            : written[extname(path).toLowerCase()]?.();
          if (text === undefined)
            throw new Error(`${path}: the ending must be .json, .csv, .matrix.csv, .graphml or .html`);
          await writeFile(path, text);
        }
      } catch (error) {
        progress.stop();
        process.stderr.write(`${describeError(error as Error, verbose)}\n`);
        code = 1;
      } finally {
        process.off('SIGINT', interrupt);
      }
    });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    code = (error as { exitCode?: number }).exitCode ?? 1;
  }
  return code;
}
