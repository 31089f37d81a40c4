// Where the reference data lies: $X_REFERENCE_DIR, else ../shared beside the repository.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

const folder =
  process.env.X_REFERENCE_DIR ?? join(fileURLToPath(new URL('.', import.meta.url)), '../../../../../shared');

export const reference = (path: string): string => join(folder, path);

/** A suite that needs reference data: skipped with the reason where it is absent, failing if it is required. */
export function describeWithReference(name: string, paths: string[], body: () => void): void {
  const missing = paths.map(reference).filter((path) => !existsSync(path));
  if (missing.length === 0) describe(name, body);
  else if (process.env.X_REQUIRE_REFERENCE === '1')
    describe(name, () => {
      throw new Error(`reference data is required and absent: ${missing.join(', ')}`);
    });
  else describe.skip(`${name} (SKIPPED reference data absent: ${missing.join(', ')})`, body);
}
