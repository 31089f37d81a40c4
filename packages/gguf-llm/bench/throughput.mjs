// Prefill and decode tokens/s of GGUF files, beside node-llama-cpp in the same run when X_PEER_DIR names a folder
// whose node_modules holds it. The two take turns on each file, so that load from elsewhere hits both.
//
//   node bench/throughput.mjs [FILE.gguf ...] [--device cpu|cuda] [--prefill 200] [--decode 128] [--repeats 3]
//                             [--threads N] [--clock wall|cpu] [--json OUT.json]
//   mkdir peer && cd peer && npm init -y && npm install node-llama-cpp   # then X_PEER_DIR=$PWD/peer
//
// Without files: the models of the reference pool. Prints a table; rates are medians over the repeats after a warm-up.
// Prefill: a fresh prompt of that many tokens until the first token is there. Decode: the tokens behind it, to JavaScript.
// `--clock cpu` counts the process's CPU time: with `--threads 1` it says what a machine that is busy would do when idle.
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { devices, setThreads, threads } from '@x/cuda-core';
import { loadModel } from '../dist/index.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: 'string', default: 'cpu' },
    prefill: { type: 'string', default: '200' },
    decode: { type: 'string', default: '128' },
    repeats: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(threads()) },
    clock: { type: 'string', default: 'wall' },
    json: { type: 'string' },
  },
});
const prefill = Number(values.prefill);
const decode = Number(values.decode);
const repeats = Number(values.repeats);
setThreads(Number(values.threads));
const pool = join(process.env.X_REFERENCE_DIR ?? join(import.meta.dirname, '../../../../shared'), 'pool');
const files = positionals.length
  ? positionals
  : ['nano-q8_0', 'small-q8_0', 'numbers-q8_0', 'letters-q8_0', 'large-q4_0', 'large-q8_0'].map((name) =>
      join(pool, `pool-${name}.gguf`),
    );

const clock = () => {
  if (values.clock === 'wall') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
// Different in every repeat, so that no prefix is reused; ids of ordinary tokens.
const promptOf = (repeat, vocabulary) =>
  Array.from({ length: prefill }, (_, i) => 260 + ((i * 7919 + repeat * 104729 + 13) % (vocabulary - 300)));
const rates = (prefills, decodes) => ({ prefill: median(prefills.slice(1)), decode: median(decodes.slice(1)) });

async function ours(file) {
  const loading = performance.now();
  const model = await loadModel(file, { device: values.device });
  const loadMs = performance.now() - loading;
  const session = model.createSession({ contextSize: prefill + decode + 8 });
  const prefills = [];
  const decodes = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const prompt = promptOf(repeat, model.info.vocabulary);
    session.reset();
    let start = clock();
    await session.generate(prompt, { maxTokens: 1 }).text();
    prefills.push((prefill / (clock() - start)) * 1000);
    // The session holds the prompt now. A model that ends its reply early is asked again with another seed.
    let longest = { tokens: 0, ms: 1 };
    for (let seed = 0; seed < 50 && longest.tokens < decode; seed++) {
      start = clock();
      const generation = session.generate(prompt, { maxTokens: decode, temperature: seed === 0 ? 0 : 2, seed });
      await generation.text();
      const tokens = generation.stats.generatedTokens;
      if (tokens > longest.tokens) longest = { tokens, ms: clock() - start };
    }
    decodes.push((longest.tokens / longest.ms) * 1000);
  }
  const result = { loadMs, device: session.device, ...rates(prefills, decodes), vocabulary: model.info.vocabulary };
  await model.dispose();
  return result;
}

async function peerOf(folder) {
  const require = createRequire(join(resolve(folder), 'package.json'));
  const entry = require.resolve('node-llama-cpp');
  const { getLlama, LlamaLogLevel } = await import(pathToFileURL(entry));
  const gpu = values.device.startsWith('cuda') ? 'cuda' : false;
  const llama = await getLlama({
    gpu,
    build: 'never',
    logLevel: LlamaLogLevel.error,
    maxThreads: Number(values.threads),
    progressLogs: false,
  });
  const version = JSON.parse(readFileSync(join(entry, '../../package.json'), 'utf8')).version;
  return {
    version,
    async measure(file, vocabulary) {
      const loading = performance.now();
      const model = await llama.loadModel({ modelPath: resolve(file), gpuLayers: gpu ? 'max' : 0 });
      const loadMs = performance.now() - loading;
      const context = await model.createContext({
        contextSize: prefill + decode + 8,
        batchSize: 512,
        threads: Number(values.threads),
        sequences: 1,
      });
      const sequence = context.getSequence();
      const prefills = [];
      const decodes = [];
      for (let repeat = 0; repeat <= repeats; repeat++) {
        await sequence.clearHistory();
        const start = clock();
        let first = 0;
        let count = 0;
        for await (const _ of sequence.evaluate(promptOf(repeat, vocabulary), {
          temperature: 0,
          yieldEogToken: true,
        })) {
          if (count++ === 0) first = clock();
          if (count === decode) break;
        }
        prefills.push((prefill / (first - start)) * 1000);
        decodes.push(((count - 1) / (clock() - first)) * 1000);
      }
      await context.dispose();
      await model.dispose();
      return { loadMs, ...rates(prefills, decodes) };
    },
  };
}

const peer = process.env.X_PEER_DIR ? await peerOf(process.env.X_PEER_DIR) : undefined;
const machine = devices().find((d) => d.device === values.device) ?? devices()[0];
console.log(
  `${machine.name}, ${values.threads} threads, Node ${process.versions.node}, load ${os.loadavg()[0].toFixed(1)}; ` +
    `prefill ${prefill}, decode ${decode}, ${repeats} repeats, ${values.clock} time; peer: ${peer ? `node-llama-cpp ${peer.version}` : 'none'}\n`,
);
console.log(
  '| model | MB | load ms | prefill tok/s | decode tok/s | peer load ms | peer prefill | peer decode | prefill × | decode × |',
);
console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|');
const rows = [];
for (const file of files) {
  const own = await ours(file);
  const other = await peer?.measure(file, own.vocabulary);
  const bytes = statSync(file).size;
  rows.push({ file: basename(file), bytes, ours: own, peer: other });
  const cell = (n, digits = 0) => (n === undefined ? '–' : n.toFixed(digits));
  console.log(
    `| ${basename(file, '.gguf')} (${own.device}) | ${(bytes / 1e6).toFixed(1)} | ${cell(own.loadMs, 1)} | ${cell(own.prefill)} | ${cell(own.decode)} ` +
      `| ${cell(other?.loadMs, 1)} | ${cell(other?.prefill)} | ${cell(other?.decode)} ` +
      `| ${cell(other && own.prefill / other.prefill, 2)} | ${cell(other && own.decode / other.decode, 2)} |`,
  );
}
if (values.json) {
  const report = {
    date: new Date().toISOString(),
    machine,
    threads: Number(values.threads),
    clock: values.clock,
    prefill,
    decode,
    repeats,
  };
  writeFileSync(values.json, `${JSON.stringify({ ...report, peer: peer?.version, rows }, undefined, 2)}\n`);
}
// node-llama-cpp keeps handles open.
process.exit(0);
