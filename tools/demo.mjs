// `pnpm demo`: builds the gateway example with all it needs, then runs it. Arguments go to the demo: pnpm demo --help
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, turbo } from './turbo.mjs';

const built = turbo(['run', 'build', '--filter=@x/example-gateway', '--output-logs=errors-only']);
if (built !== 0) process.exit(built);
const demo = join(root, 'examples', 'gateway', 'dist', 'main.js');
process.exit(
  spawnSync(process.execPath, [demo, ...process.argv.slice(2).filter((a) => a !== '--')], { stdio: 'inherit' })
    .status ?? 1,
);
