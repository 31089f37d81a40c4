import { defineConfig } from 'tsup';
import { library } from '../../tools/tsup.base';

// The library, tiktoken's call shape beside it, and the command line, which is a program: ESM only, no types.
const program = { entry: { cli: 'src/cli/main.ts' }, format: ['esm' as const], dts: false, shims: false, clean: false };
export default defineConfig([
  ...[library({ entry: ['src/index.ts', 'src/tiktoken.ts'] })].flat(),
  ...[library(program)].flat(),
] as never);
