import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../tools/vitest.base.ts';

export default mergeConfig(base, defineConfig({ test: { testTimeout: 300_000, hookTimeout: 300_000 } }));
