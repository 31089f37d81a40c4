// Every package reports to the console and to .test/, where the root's test runner adds up the counts.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,js}/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.test/vitest.json' }]],
    testTimeout: 60_000,
    pool: 'forks', // native code runs in a process of its own
  },
});
