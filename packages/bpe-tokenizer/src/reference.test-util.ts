import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * A file of the reference data ($X_REFERENCE_DIR, else `shared` beside the repository), or `undefined` when it is not
 * there. With X_REQUIRE_REFERENCE=1 its absence is an error.
 */
export function reference(path: string): string | undefined {
  const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
  const file = join(process.env.X_REFERENCE_DIR ?? join(repository, '..', 'shared'), path);
  if (existsSync(file)) return file;
  if (process.env.X_REQUIRE_REFERENCE === '1') throw new Error(`reference data is required but absent: ${file}`);
  return undefined;
}
