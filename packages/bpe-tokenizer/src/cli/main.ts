// bpe-tokenizer: counts, encodes and decodes files and folders from the command line.
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { InvalidArgumentError } from '@x/cuda-core';
import { Command, Option } from 'commander';
import { describeError } from '../../../../tools/cli/describe-error';
import { startProgress } from '../../../../tools/cli/progress';
import { encodingRanks, Tokenizer } from '../index';
import { filesOf, isBinary, isRankFile, readBytes, readStandardInput } from './inputs';

const ENCODINGS = ['gpt2', 'p50k_base', 'cl100k_base', 'o200k_base'] as const;
/** Files are encoded in groups of about this many bytes, so that memory stays bounded and all threads have work. */
const GROUP_BYTES = 32 << 20;

interface Flags {
  tokenizer?: string;
  encoding: (typeof ENCODINGS)[number];
  special?: true;
  json?: true;
  out?: string;
  format: 'text' | 'jsonl' | 'u32';
  verbose?: true;
}

interface Document {
  path: string;
  bytes: number;
  ids: Uint32Array;
}

/** Of the rank file, which says neither, `encoding` gives expression and special tokens. */
const isRanks = ({ tokenizer }: Flags) => tokenizer === undefined || isRankFile(tokenizer);
async function load(flags: Flags): Promise<Tokenizer> {
  const { tokenizer, encoding } = flags;
  if (tokenizer === undefined) return Tokenizer.fromEncoding(encoding);
  if (isRanks(flags)) return Tokenizer.fromRanks(encodingRanks(encoding, readBytes(tokenizer)));
  return Tokenizer.fromFile(tokenizer);
}

/** Every file (or standard input) with its ids, group by group. Binary files inside folders are passed over. */
async function* documents(tokenizer: Tokenizer, paths: readonly string[], flags: Flags): AsyncGenerator<Document> {
  // What special tokens a file happens to mention is text.
  const options = isRanks(flags)
    ? { disallowedSpecial: [] }
    : { addSpecialTokens: flags.special === true, parseSpecial: false };
  if (paths.length === 0 || (paths.length === 1 && paths[0] === '-')) {
    const input = await readStandardInput();
    const [ids] = await tokenizer.encodeBatch([input.toString('utf8')], options);
    yield { path: '-', bytes: input.length, ids: ids! };
    return;
  }
  const named = new Set(paths);
  const files = filesOf(paths);
  const progress = startProgress('files');
  try {
    let group: { path: string; bytes: number; text: string }[] = [];
    let size = 0;
    for (const [i, path] of files.entries()) {
      const bytes = readBytes(path);
      if (named.has(path) || !isBinary(bytes)) {
        group.push({ path, bytes: bytes.length, text: bytes.toString('utf8') });
        size += bytes.length;
      }
      if (size < GROUP_BYTES && i + 1 < files.length) continue;
      const encoded = await tokenizer.encodeBatch(
        group.map((file) => file.text),
        options,
      );
      for (const [j, ids] of encoded.entries()) yield { path: group[j]!.path, bytes: group[j]!.bytes, ids };
      progress.update(i + 1, files.length);
      group = [];
      size = 0;
    }
  } finally {
    progress.stop();
  }
}

async function count(paths: string[], flags: Flags): Promise<void> {
  using tokenizer = await load(flags);
  const rows: { path: string; bytes: number; tokens: number }[] = [];
  for await (const { path, bytes, ids } of documents(tokenizer, paths, flags))
    rows.push({ path, bytes, tokens: ids.length });
  const total = rows.reduce((sum, row) => ({ bytes: sum.bytes + row.bytes, tokens: sum.tokens + row.tokens }), {
    bytes: 0,
    tokens: 0,
  });
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ files: rows, ...total }, null, 2)}\n`);
    return;
  }
  const width = String(total.tokens).length;
  for (const row of rows) process.stdout.write(`${String(row.tokens).padStart(width)}  ${row.path}\n`);
  if (rows.length !== 1) process.stdout.write(`${total.tokens}  in ${rows.length} files, ${total.bytes} bytes\n`);
}

async function encode(paths: string[], flags: Flags): Promise<void> {
  using tokenizer = await load(flags);
  async function* lines() {
    for await (const { path, ids } of documents(tokenizer, paths, flags)) {
      if (flags.format === 'u32') yield Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength);
      else if (flags.format === 'jsonl') yield `${JSON.stringify({ path, ids: Array.from(ids) })}\n`;
      else yield `${ids.join(' ')}\n`;
    }
  }
  if (flags.out) await pipeline(lines, createWriteStream(flags.out));
  else await pipeline(lines, process.stdout, { end: false });
}

async function decode(path: string | undefined, flags: Flags): Promise<void> {
  using tokenizer = await load(flags);
  const bytes = path === undefined || path === '-' ? await readStandardInput() : readBytes(path);
  process.stdout.write(
    tokenizer.decode(flags.format === 'u32' ? idsOfBytes(bytes) : idsOfText(bytes.toString('utf8'))),
  );
}

function idsOfBytes(bytes: Buffer): Uint32Array {
  if (bytes.length % 4 !== 0)
    throw new InvalidArgumentError(`${bytes.length} bytes are no whole number of 4-byte ids`, { field: 'format' });
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(4 * i));
}

function idsOfText(text: string): Uint32Array {
  return Uint32Array.from(text.split(/[\s,[\]]+/).filter(Boolean), (word) => {
    const id = Number(word);
    if (!/^\d+$/.test(word) || id > 0xffffffff)
      throw new InvalidArgumentError(`${JSON.stringify(word)} is no token id`, { field: 'ids' });
    return id;
  });
}

const program = new Command('bpe-tokenizer').description('Counts, encodes and decodes text, exactly and fast.');
const command = (name: string) =>
  program
    .command(name)
    .option(
      '-t, --tokenizer <file>',
      'tokenizer.json, GGUF, SentencePiece model, saved tokenizer, or rank file of the encoding',
    )
    .addOption(
      new Option('-e, --encoding <name>', 'one of OpenAI, in place of a file or for a rank file')
        .choices(ENCODINGS)
        .default('o200k_base'),
    )
    .option('--verbose', 'prints the stack of an error');

command('count')
  .description('Prints the number of tokens of each file; - or nothing reads standard input.')
  .argument('[paths...]', 'files and folders')
  .option('-s, --special', 'adds the special tokens that the tokenizer puts around a text')
  .option('--json', 'prints JSON')
  .action(count);
command('encode')
  .description('Prints the token ids of each file.')
  .argument('[paths...]', 'files and folders')
  .option('-s, --special', 'adds the special tokens that the tokenizer puts around a text')
  .option('-o, --out <file>', 'writes to a file')
  .addOption(
    new Option('-f, --format <name>', 'ids on a line; JSON with path; little-endian 4-byte ids')
      .choices(['text', 'jsonl', 'u32'])
      .default('text'),
  )
  .action(encode);
command('decode')
  .description('Prints the text of token ids.')
  .argument('[path]', 'a file of ids; - or nothing reads standard input')
  .addOption(
    new Option('-f, --format <name>', 'ids as numbers, or 4 bytes each').choices(['text', 'u32']).default('text'),
  )
  .action(decode);

// `| head` is no failure.
const isClosedPipe = (error: unknown) => (error as NodeJS.ErrnoException).code === 'EPIPE';
process.stdout.on('error', (error) => {
  if (!isClosedPipe(error)) throw error;
});
try {
  await program.parseAsync();
} catch (error) {
  if (isClosedPipe(error)) process.exit();
  process.stderr.write(`${describeError(error as Error, process.argv.includes('--verbose'))}\n`);
  process.exitCode = 1;
}
