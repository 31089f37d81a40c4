// The packages on a real GPU, through their public API: what the CPU answers, the GPU answers too. Runs with Node's own
// test runner inside the bundle of tools/gpu-bundle.mjs, where no vitest is; without a GPU every test is skipped aloud.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { cudaUnavailableReason, devices, events, resolveDevice } from '@x/cuda-core';
import { loadModel } from '@x/gguf-llm';
import { Monitor } from '@x/gpu-monitor';
import { transferEntropy, transferEntropyNetwork } from '@x/te-router';

const here = dirname(fileURLToPath(import.meta.url));
const pool = join(here, '..', '..', 'examples', 'gateway', 'pool');
const reference = process.env.X_REFERENCE_DIR ?? join(here, '..', '..', '..', 'shared');
const noGpu = cudaUnavailableReason();
const skip = noGpu ? `SKIPPED BACKEND cuda: ${noGpu}` : false;

test('devices() lists the GPU and auto chooses it', { skip }, () => {
  assert.ok(devices().length >= 2);
  assert.equal(resolveDevice('auto', { pays: true }), 'cuda:0');
});

test('a device that does not exist is a typed error that names the remedy', { skip }, () => {
  assert.throws(() => resolveDevice('cuda:99'), { code: 'X_DEVICE_UNAVAILABLE' });
});

for (const type of ['F32', 'F16', 'Q8_0']) {
  const path = join(reference, 'reference', 'llm', `stories260K-${type}.gguf`);
  const absent = existsSync(path) ? skip : `reference data absent: ${path}`;
  test(`stories260K ${type} gives the documented greedy ids on the GPU`, { skip: absent }, async () => {
    const model = await loadModel(path, { device: 'cuda' });
    const session = model.createSession();
    const ids = [];
    for await (const token of session.generate(Int32Array.of(1, 410, 469, 347), { maxTokens: 16 })) ids.push(token.id);
    assert.deepEqual(ids, [286, 261, 376, 298, 315, 421, 395, 317, 426, 338, 401, 396, 267, 337, 410, 408]);
    model.dispose();
  });
}

const models = ['nano-q8_0', 'small-q8_0', 'numbers-q8_0', 'letters-q8_0', 'large-q4_0', 'large-q8_0'];
const questionsFile = join(pool, 'questions.jsonl');

async function replies(path, device, questions) {
  const model = await loadModel(path, { device });
  assert.equal(model.device, device === 'cpu' ? 'cpu' : 'cuda:0');
  const session = model.createSession();
  const out = [];
  for (const { question } of questions) {
    const prompt = `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`;
    out.push(await session.generate(prompt, { maxTokens: 64 }).text());
    session.reset();
  }
  await model.dispose();
  return out;
}

for (const name of models) {
  const path = join(pool, `pool-${name}.gguf`);
  const absent = existsSync(path) && existsSync(questionsFile) ? skip : `model absent: ${path}`;
  test(`${name}: GPU and CPU give the same greedy replies to at least 98 % of 300 questions`, {
    skip: absent,
  }, async (t) => {
    const questions = readFileSync(questionsFile, 'utf8')
      .trim()
      .split('\n')
      .slice(0, 300)
      .map((line) => JSON.parse(line));
    const [cpu, cuda] = [await replies(path, 'cpu', questions), await replies(path, 'cuda', questions)];
    const same = cpu.filter((reply, i) => reply === cuda[i]).length;
    t.diagnostic(`${same} of ${questions.length} equal`);
    assert.ok(same >= 0.98 * questions.length, `${same} of ${questions.length}`);
  });
}

const small = join(pool, 'pool-small-q8_0.gguf');
const noSmall = existsSync(small) ? skip : `model absent: ${small}`;
test('sampling with a seed gives the same tokens twice on the GPU', { skip: noSmall }, async () => {
  const model = await loadModel(small, { device: 'cuda' });
  const once = () =>
    model
      .createSession()
      .generate('<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n', {
        maxTokens: 24,
        temperature: 0.8,
        topK: 40,
        topP: 0.95,
        seed: 7,
      })
      .text();
  assert.equal(await once(), await once());
  await model.dispose();
});

test('transfer entropy agrees between CPU and GPU', { skip }, async () => {
  const n = 1000;
  const source = Float64Array.from({ length: n }, (_, i) => (Math.sin(i * 12.9898) * 43758.5453) % 1);
  const target = new Float64Array(n);
  for (let t = 1; t < n; t++) target[t] = 0.4 * target[t - 1] + 0.5 * source[t - 1] + 0.1 * Math.sin(t * t);
  const cpu = await transferEntropy(source, target, { device: 'cpu' });
  const cuda = await transferEntropy(source, target, { device: 'cuda' });
  assert.ok(Math.abs(cpu.te - cuda.te) <= 1e-5, `${cpu.te} against ${cuda.te}`);
});

test('the monitor sees the GPU through NVML', { skip }, async () => {
  const monitor = new Monitor({ intervalMs: 100 });
  const sample = await monitor.sample();
  assert.ok(sample.gpus.length >= 1);
  assert.ok(sample.gpus[0].memoryTotalBytes > 1e9);
});

test('nothing fell back while the GPU was asked for by name', { skip }, () => {
  assert.equal(fallbacks.length, 0, JSON.stringify(fallbacks));
});
const fallbacks = [];
events.on('fallback', (event) => fallbacks.push(event));

/** A chain of variables, each driven by the one before it, from a small generator of its own. */
function chain(variables, samples, offset = 0) {
  let state = 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  const values = new Float64Array(variables * samples);
  for (let v = 0; v < variables; v++) {
    for (let t = 0; t < samples; t++) {
      const before = t > 0 ? values[v * samples + t - 1] : 0;
      const driver = t > 0 && v > 0 ? values[(v - 1) * samples + t - 1] : 0;
      values[v * samples + t] = 0.4 * before + 0.5 * driver + normal();
    }
  }
  return { values: values.map((x) => offset + x * (offset ? 1e-3 : 1)), variables, samples };
}

const furthest = (a, b) => a.reduce((most, x, m) => Math.max(most, Math.abs(x - b[m])), 0);

for (const [name, options, offset] of [
  ['KSG with delays and surrogates', { estimator: 'ksg1', maxLag: 2, surrogates: 30, seed: 3 }, 0],
  ['KSG far from zero', { estimator: 'ksg1', precision: 'f32' }, 1e6],
  ['KSG with two histories', { estimator: 'ksg1', targetHistory: 2, sourceHistory: 2 }, 0],
  ['Gaussian', { estimator: 'gaussian' }, 0],
  ['binned', { estimator: 'binned' }, 0],
]) {
  test(`a network of transfer entropies on the GPU has the values of the CPU: ${name}`, { skip }, async () => {
    const series = chain(40, 300, offset);
    const cpu = await transferEntropyNetwork(series, { ...options, precision: undefined, device: 'cpu' });
    const cuda = await transferEntropyNetwork(series, { ...options, device: 'cuda' });
    assert.equal(cuda.device, 'cuda:0');
    assert.ok(furthest(cpu.te, cuda.te) < 1e-10, `differs by ${furthest(cpu.te, cuda.te)}`);
    assert.deepEqual(cuda.pValue, cpu.pValue);
    assert.deepEqual(
      cuda.links.map(({ source, target, lag }) => [source, target, lag]),
      cpu.links.map(({ source, target, lag }) => [source, target, lag]),
    );
  });
}

test('a multivariate network is inferred alike on CPU and GPU', { skip }, async () => {
  const series = chain(6, 250);
  const options = { method: 'multivariate', estimator: 'ksg1', maxLag: 2, surrogates: 60, seed: 1 };
  const [cpu, cuda] = await Promise.all(
    ['cpu', 'cuda'].map((device) => transferEntropyNetwork(series, { ...options, device })),
  );
  assert.ok(cpu.links.length > 0);
  const links = (network) => network.links.map(({ source, target, lag }) => [source, target, lag]);
  assert.deepEqual(links(cuda), links(cpu));
});
