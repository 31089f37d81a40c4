// Change detection on synthetic outcomes: time between false alarms, and outcomes until a switched model is noticed.
//   node bench/drift.mjs [--outcomes 2000000] [--runs 400]
import { parseArgs } from 'node:util';
import { ChangeDetector } from '@x/thermo-consensus';

const { values } = parseArgs({
  options: { outcomes: { type: 'string', default: '2000000' }, runs: { type: 'string', default: '400' } },
});

let state = 12345;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}
const outcome = (rate) => (random() < rate ? 1 : 0);

console.log('False alarms while nothing changes (asked: at most 1 in 10,000 outcomes):\n');
console.log('| success rate | outcomes | alarms | per 10,000 | microseconds an outcome |');
console.log('|---:|---:|---:|---:|---:|');
const total = Number(values.outcomes);
for (const rate of [0.02, 0.05, 0.2, 0.5, 0.8, 0.95, 0.98]) {
  const detector = new ChangeDetector();
  let alarms = 0;
  const started = performance.now();
  for (let i = 0; i < total; i++) if (detector.observe(outcome(rate))) alarms++;
  const us = ((performance.now() - started) * 1000) / total;
  console.log(`| ${rate} | ${total} | ${alarms} | ${((alarms / total) * 10_000).toFixed(2)} | ${us.toFixed(2)} |`);
}

console.log('\nOutcomes from the switch to the alarm, after 500 steady ones:\n');
console.log('| before | after | median | 90 % | missed in 500 |');
console.log('|---:|---:|---:|---:|---:|');
for (const [before, after] of [
  [0.95, 0.3],
  [0.9, 0.4],
  [0.9, 0.5],
  [0.8, 0.3],
  [0.8, 0.5],
  [0.7, 0.3],
  [0.7, 0.4],
  [0.5, 0.2],
  [0.3, 0.8],
]) {
  const delays = [];
  let missed = 0;
  for (let run = 0; run < Number(values.runs); run++) {
    const detector = new ChangeDetector();
    for (let i = 0; i < 500; i++) detector.observe(outcome(before));
    let delay = 1;
    while (delay <= 500 && !detector.observe(outcome(after))) delay++;
    if (delay > 500) missed++;
    delays.push(delay);
  }
  delays.sort((a, b) => a - b);
  const at = (q) => delays[Math.min(delays.length - 1, Math.floor(q * delays.length))];
  console.log(`| ${before} | ${after} | ${at(0.5)} | ${at(0.9)} | ${missed} |`);
}
