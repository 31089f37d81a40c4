// What a new sample of a live stream costs, beside estimating its window anew: node bench/streams.mjs
import { setThreads } from '@x/cuda-core';
import { TransferEntropyStream, transferEntropy } from '../dist/index.js';
import { ar } from './truth/systems.mjs';

setThreads(1);
const system = ar(0.5);
const median = (v) => v.sort((a, b) => a - b)[v.length >> 1];

console.log('| estimator | window | new sample, us | value, us | window anew, us |');
console.log('| --- | --- | --- | --- | --- |');
for (const [estimator, options] of [
  ['ksg1', { normalise: false }],
  ['ksg2', { normalise: false }],
  ['ksg1, scaled every window', {}],
  ['gaussian', {}],
  ['binned', { bins: 8 }],
])
  for (const window of [500, 2000, 8000]) {
    const name = estimator.split(',')[0];
    const stream = new TransferEntropyStream({
      window,
      estimator: name,
      ...options,
      ...(estimator.includes('scaled') && { scaleEvery: window }),
    });
    const count = Math.min(2000, window);
    const [x, y] = system.make(window + count, 1);
    stream.push(x.slice(0, window), y.slice(0, window));
    stream.value();
    const start = performance.now();
    for (let t = window; t < window + count; t++) stream.push(x[t], y[t]);
    const push = ((performance.now() - start) / count) * 1e3;
    const value = [];
    for (let t = 0; t < 50; t++) {
      stream.push(x[t], y[t]);
      const at = performance.now();
      stream.value();
      value.push((performance.now() - at) * 1e3);
    }
    const anew = [];
    for (let t = 0; t < 15; t++) {
      const at = performance.now();
      await transferEntropy(x.slice(-window), y.slice(-window), { estimator: name, ...options, device: 'cpu' });
      anew.push((performance.now() - at) * 1e3);
    }
    console.log(
      `| ${estimator} | ${window} | ${push.toFixed(1)} | ${median(value).toFixed(1)} | ${median(anew).toFixed(0)} |`,
    );
    stream.dispose();
  }
