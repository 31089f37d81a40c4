// One pair on the CPU and on a GPU, and how far their values are apart: node bench/devices.mjs [--device cuda]
// Medians of wall time, host to host; it says from which work on 'auto' should take the GPU.
import { parseArgs } from 'node:util';
import { threads } from '@x/cuda-core';
import { transferEntropy } from '../dist/index.js';
import { ar } from './truth/systems.mjs';

const { device } = parseArgs({ options: { device: { type: 'string', default: 'cuda' } } }).values;
const median = (v) => v.sort((a, b) => a - b)[v.length >> 1];

async function timed(series, options) {
  const times = [];
  let r;
  const begin = performance.now();
  for (let i = -1; i < 9; i++) {
    const start = performance.now();
    r = await transferEntropy(...series, options);
    if (i >= 0) times.push(performance.now() - start);
    if (times.length > 0 && performance.now() - begin > 1200) break;
  }
  return { ms: median(times), te: r.te };
}

console.log(`CPU with ${threads()} threads\n`);
console.log(`| estimator | N | surrogates | CPU, ms | ${device}, ms | ratio | value apart |`);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const [name, options, largest] of [
  ['ksg1', {}, 100_000],
  ['ksg1, f32', { precision: 'f32' }, 100_000],
  ['ksg2', { estimator: 'ksg2' }, 100_000],
  ['ksg2, f32', { estimator: 'ksg2', precision: 'f32' }, 100_000],
  ['ksg1, histories 3', { targetHistory: 3, sourceHistory: 3 }, 10_000],
  ['kernel', { estimator: 'kernel' }, 10_000],
])
  for (const n of [1000, 3000, 10_000, 100_000])
    for (const surrogates of [0, 100]) {
      if (n > largest || n * (surrogates + 1) > 2e6) continue;
      const series = ar(0.5).make(n, 1);
      const common = { ...options, surrogates, interval: false };
      const cpu = await timed(series, { ...common, device: 'cpu' });
      const gpu = await timed(series, { ...common, device });
      console.log(
        `| ${name} | ${n} | ${surrogates} | ${cpu.ms.toFixed(2)} | ${gpu.ms.toFixed(2)} | ${(cpu.ms / gpu.ms).toFixed(2)} | ${Math.abs(cpu.te - gpu.te).toExponential(1)} |`,
      );
    }
