import { library } from '../../tools/tsup.base';

// A program, not a library: one entry, ESM only, no types.
export default library({ entry: ['src/main.ts'], format: ['esm'], dts: false, shims: false });
