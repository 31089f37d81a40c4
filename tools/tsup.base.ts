// One build shape for every package: ESM, CommonJS and types. Workspace packages stay external, so that there is one
// @x/cuda-core in a process.
import { defineConfig, type Options } from 'tsup';

export const library = (options: Options = {}) =>
  defineConfig({
    entry: ['src/index.ts'],
    format: ['esm', 'cjs'],
    dts: true,
    sourcemap: true,
    clean: true,
    shims: true, // import.meta.url in the CommonJS build
    target: 'node20',
    external: [/^@x\//],
    ...options,
  });
