// What native builds depend on beyond their sources, as one string for turbo's hash: otherwise a cached CPU-only core
// would be restored on a machine with nvcc, or one built for another GPU.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const lastLine = (command, args) => {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  return run.status === 0 ? run.stdout.trim().split('\n').at(-1) : 'none';
};

export function toolchainId() {
  const gpu = existsSync('/dev/nvidiactl')
    ? lastLine('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader'])
    : 'none';
  return [
    `cxx=${lastLine(process.env.CXX ?? 'c++', ['-dumpfullversion'])}`,
    `cuda=${lastLine(process.env.CUDACXX ?? 'nvcc', ['--version'])}`,
    `gpu=${gpu}`,
    `libc=${process.report.getReport().header.glibcVersionRuntime ?? 'musl'}`,
  ].join(';');
}
