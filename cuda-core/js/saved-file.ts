// The files that `save` of a package writes: a line that says what it is, with a checksum of the JSON line that follows.
import { createHash, randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { shown, textIn } from './check';
import { InvalidFormatError, IoError, NotFoundError, UnsupportedError } from './errors';

export interface SavedFormat {
  /** What the file holds, e.g. `'@x/te-router QueryRouter'`. */
  format: string;
  /** Version of the state's layout; another one is refused. */
  version: number;
}

type JsonHook = (key: string, value: unknown) => unknown;

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

/**
 * Writes a state so that a crash at any moment leaves the old file or the new one, whole.
 * @throws InvalidArgumentError for a path that is no file name; IoError.
 */
export async function writeSaved(path: string, format: SavedFormat, state: unknown, replacer?: JsonHook) {
  textIn(path, 'path');
  const body = JSON.stringify(state, replacer);
  const head = JSON.stringify({ format: format.format, version: format.version, sha256: digest(body) });
  // In the same folder, so that the rename stays within one file system.
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(`${head}\n${body}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new IoError(`${path} could not be written: ${(cause as Error).message}`, { field: path, cause });
  }
  await syncFolder(dirname(path));
}

// Makes the rename itself durable. Some file systems refuse to open or sync a folder; the file is whole even so.
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {}
}

/**
 * The state that `writeSaved` wrote. Its layout is for the caller to check: a checksum is no proof of who wrote it.
 * @throws InvalidArgumentError for a path that is no file name; NotFoundError, IoError; InvalidFormatError for a file that
 *   is cut off, changed or of another format; UnsupportedError for another version.
 */
export async function readSaved(path: string, format: SavedFormat, reviver?: JsonHook): Promise<unknown> {
  textIn(path, 'path');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const details = { field: path, cause };
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new NotFoundError(`${path} does not exist.`, details);
    throw new IoError(`${path} could not be read: ${(cause as Error).message}`, details);
  }
  const corrupt = (what: string, offset: number) =>
    new InvalidFormatError(`${path} is no state saved by ${format.format}: ${what}.`, { field: path, offset });
  const end = text.indexOf('\n');
  let head: { format?: unknown; version?: unknown; sha256?: unknown } | null;
  try {
    head = JSON.parse(end < 0 ? text : text.slice(0, end));
  } catch {
    throw corrupt('its first line is not JSON', 0);
  }
  if (typeof head !== 'object' || head === null || head.format !== format.format)
    throw corrupt('its first line does not say so', 0);
  if (head.version !== format.version)
    throw new UnsupportedError(
      `${path} has version ${shown(head.version)} of the format; this package reads version ${format.version}. Update it.`,
      { field: path },
    );
  const start = Buffer.byteLength(text.slice(0, end + 1));
  const body = text.slice(end + 1).replace(/\n$/, '');
  if (end < 0 || digest(body) !== head.sha256)
    throw corrupt('what follows the first line was cut off or changed (its checksum differs)', start);
  try {
    return JSON.parse(body, reviver);
  } catch {
    throw corrupt('its second line is not JSON', start);
  }
}
