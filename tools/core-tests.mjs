// The core's two kinds of tests; both run even when one fails.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tools = dirname(fileURLToPath(import.meta.url));
const run = (command, args) => spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
const cpp = run(process.execPath, [join(tools, 'cpp-tests.mjs')]);
const js = run(join(tools, '..', 'node_modules', '.bin', 'vitest'), ['run']);
process.exit(cpp || js);
