// Change detection on synthetic outcomes: time between false alarms, and outcomes until a switched model is noticed.
//   node bench/drift.mjs [--outcomes 2000000] [--runs 400]
import { parseArgs } from 'node:util';
import { ChangeDetector, Consensus } from '@x/thermo-consensus';

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

// No detector with this rate of false alarms can be faster on average than ln(falseAlarmEvery) / KL(after, before), asymptotically,
// even when it knows both rates (G. Lorden, "Procedures for reacting to a change in distribution", 1971).
const divergence = (p, q) => p * Math.log(p / q) + (1 - p) * Math.log((1 - p) / (1 - q));
const SWITCHES = [
  [0.95, 0.3],
  [0.9, 0.4],
  [0.9, 0.5],
  [0.8, 0.3],
  [0.8, 0.5],
  [0.7, 0.3],
  [0.7, 0.4],
  [0.5, 0.2],
  [0.3, 0.8],
];
const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];

console.log('\nOutcomes from the switch to the alarm, after 500 steady ones:\n');
console.log("| before | after | median | 90 % | missed in 500 | Lorden's bound of the mean |");
console.log('|---:|---:|---:|---:|---:|---:|');
for (const [before, after] of SWITCHES) {
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
  const bound = (Math.log(10_000) / divergence(after, before)).toFixed(0);
  console.log(`| ${before} | ${after} | ${quantile(delays, 0.5)} | ${quantile(delays, 0.9)} | ${missed} | ${bound} |`);
}

// What a user sees: a pool of two, Thompson, the better model fails after 500 questions; how often is it asked until it is dropped for
// good, that is, not asked in the 50 choices that follow? The other model is worth 0.6.
console.log('\nA switched model in a pool: times it is asked after the switch, before it is dropped:\n');
console.log('| before | after | detection: median | 90 % | none: median | 90 % |');
console.log('|---:|---:|---:|---:|---:|---:|');
for (const [before, after] of SWITCHES.filter(([b, a]) => b > 0.65 && a < 0.6)) {
  const cells = [];
  for (const changeDetection of [true, false]) {
    const asked = [];
    for (let run = 0; run < Number(values.runs) / 10; run++) {
      const consensus = new Consensus({
        models: [
          { name: 'better', cost: 1 },
          { name: 'other', cost: 1 },
        ],
        selection: 'thompson',
        learning: { changeDetection },
        seed: run,
      });
      const rate = { better: before, other: 0.6 };
      let times = 0;
      let since = 0;
      for (let i = 0; i < 4000 && since < 50; i++) {
        if (i === 500) rate.better = after;
        const decision = consensus.choose();
        consensus.observe({ decision, success: outcome(rate[decision.model]) });
        if (i < 500) continue;
        since = decision.model === 'better' ? 0 : since + 1;
        if (since === 0) times++;
      }
      asked.push(times);
    }
    asked.sort((a, b) => a - b);
    cells.push(quantile(asked, 0.5), quantile(asked, 0.9));
  }
  console.log(`| ${before} | ${after} | ${cells.join(' | ')} |`);
}
