import { defineConfig } from 'tsup';
import { library } from '../../tools/tsup.base';

// The library, and the command line, which is a program: ESM only, no types.
const program = {
  entry: { cli: 'src/cli/te-router.ts' },
  format: ['esm' as const],
  dts: false,
  shims: false,
  clean: false,
};
export default defineConfig([...[library()].flat(), ...[library(program)].flat()] as never);
