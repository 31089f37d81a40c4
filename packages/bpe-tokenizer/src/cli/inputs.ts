// What a command line's paths mean: files as they are, folders with everything textual in them.
import { createReadStream, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { IoError, NotFoundError } from '@x/cuda-core';

/** Folders that nobody wants counted. */
const SKIPPED = new Set(['.git', '.hg', '.svn', 'node_modules']);

/**
 * The files behind the paths, in a stable order. Files named outright are always taken; inside folders, links and the folders of
 * version control and packages are left out.
 *
 * @throws NotFoundError for a path that does not exist.
 */
export function filesOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
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
