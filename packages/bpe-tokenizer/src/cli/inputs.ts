// What a command line's paths mean: files as they are, folders with everything textual in them.
import { closeSync, createReadStream, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { IoError, NotFoundError } from '@x/cuda-core';

/** Folders that nobody wants counted. */
const SKIPPED = new Set(['.git', '.hg', '.svn', 'node_modules']);

/**
 * The files behind the paths, in a stable order. Files and links named outright are always taken; inside folders, links and the
 * folders of version control and packages are left out.
 *
 * @throws NotFoundError for a path that does not exist.
 */
export function filesOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) throw new NotFoundError(`there is no file or folder ${path}`, { field: path });
    return stat.isDirectory() ? walk(path) : [path];
  });
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
      return entry.isFile() ? [path] : [];
    });
}

/** Text with a NUL in its first 8 KiB is taken for a binary file, as git does. */
export function isBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 8192).includes(0);
}

/** @throws IoError when the file cannot be read. */
export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new IoError(`${path} cannot be read: ${(error as Error).message}`, { field: path, cause: error });
  }
}

/** Standard input, to its end. */
export async function readStandardInput(): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of createReadStream('', { fd: 0 })) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

/** Whether a file begins as a tiktoken rank file does: base64 and a number on a line. False when it cannot be read. */
export function isRankFile(path: string): boolean {
  const head = Buffer.alloc(256);
  try {
    const file = openSync(path, 'r');
    try {
      return /^[A-Za-z0-9+/]+={0,2} \d+\r?\n/.test(head.toString('latin1', 0, readSync(file, head)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false; // whoever opens it says why
  }
}
