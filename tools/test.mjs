// `pnpm test`: builds what is needed, runs vitest in every package and the C++ tests per backend, adds up the counts and
// says aloud what was skipped and why. The last line is "N passed, N failed".
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, turbo } from './turbo.mjs';

// --concurrency=2: two cores are the smallest machine we support, and tests measure time limits of their own.
const status = turbo([
  'run',
  'test',
  '--output-logs=new-only',
  '--concurrency=2',
  '--continue',
  ...process.argv.slice(2),
]);

const folders = [
  'cuda-core',
  ...['packages', 'examples', 'tests'].flatMap((group) => {
    const folder = join(root, group);
    return existsSync(folder) ? readdirSync(folder).map((name) => join(group, name)) : [];
  }),
];

const total = { passed: 0, failed: 0, skipped: 0 };
const reasons = new Map();
const rows = [];

function add(label, counts) {
  rows.push([label, counts.passed, counts.failed, counts.skipped]);
  for (const key of Object.keys(total)) total[key] += counts[key];
}

for (const folder of folders) {
  const results = join(root, folder, '.test');
  if (!existsSync(results)) continue;
  for (const file of readdirSync(results)) {
    const report = JSON.parse(readFileSync(join(results, file), 'utf8'));
    if (file === 'vitest.json') {
      // A file that could not even be loaded has no tests of its own; it still is a failure.
      const broken = report.testResults.filter((r) => r.status === 'failed' && r.assertionResults.length === 0).length;
      add(folder, {
        passed: report.numPassedTests,
        failed: report.numFailedTests + broken,
        skipped: report.numPendingTests + report.numTodoTests,
      });
    } else if (file.startsWith('skipped-')) {
      for (const [reason, count] of Object.entries(report)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
    } else if (file.startsWith('gtest-')) {
      const counts = { passed: 0, failed: 0, skipped: 0 };
      for (const suite of report.testsuites) {
        for (const test of suite.testsuite) {
          if (test.result === 'SKIPPED') {
            counts.skipped++;
          } else if (test.failures?.length) counts.failed++;
          else counts.passed++;
        }
      }
      add(`C++ ${file.slice('gtest-'.length, -'.json'.length)}`, counts);
    }
  }
}

const width = Math.max(10, ...rows.map(([label]) => label.length));
process.stdout.write(`\n${'suite'.padEnd(width)}  passed  failed  skipped\n`);
for (const [label, ...counts] of rows) {
  process.stdout.write(`${label.padEnd(width)}  ${counts.map((n) => String(n).padStart(6)).join('  ')}\n`);
}
for (const [reason, count] of reasons) process.stdout.write(`SKIPPED ${count} test(s): ${reason}\n`);
// A task that failed without a failing test (a build, say) must not look like success.
if (status !== 0 && total.failed === 0) total.failed = 1;
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exit(status === 0 && total.failed === 0 ? 0 : 1);
