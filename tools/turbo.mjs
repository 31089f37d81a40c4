// Runs turbo with the toolchain in its hash:  node tools/turbo.mjs run build ...
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { toolchainId } from './toolchain.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function turbo(args) {
  const env = {
    ...process.env,
    XCORE_TOOLCHAIN: toolchainId(),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
  };
  const command = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'turbo.cmd' : 'turbo');
  return spawnSync(command, args, { stdio: 'inherit', cwd: root, env }).status ?? 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(turbo(process.argv.slice(2)));
