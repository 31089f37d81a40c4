// Time of one choose and one observe on the CPU: node bench/choose.bench.mjs (after the build). Median of 15 rounds.
import { cpus } from 'node:os';
import { Consensus } from '@x/thermo-consensus';

const CALLS = 10_000;

const TEXT = 'Which of these metals is liquid at 20 degrees? Say why.\nA) iron\nB) mercury\nC) gallium\n'.repeat(4);

function median(round, calls = CALLS) {
  round();
  const times = Array.from({ length: 15 }, () => {
    const start = process.hrtime.bigint();
    round();
    return Number(process.hrtime.bigint() - start) / 1e3 / calls;
  });
  return times.sort((a, b) => a - b)[7];
}

console.log(`${cpus()[0].model}, Node ${process.version}, microseconds a call`);
for (const models of [2, 5, 11]) {
  for (const selection of ['boltzmann', 'thompson', 'greedy']) {
    const consensus = new Consensus({
      models: Array.from({ length: models }, (_, i) => ({ name: `model-${i}`, cost: i + 1 })),
      selection,
      seed: 1,
    });
    for (let i = 0; i < 500; i++) {
      const decision = consensus.choose({ domain: i % 4 });
      consensus.observe({ decision, success: i % 3 !== 0 });
    }
    // Each model has outcomes of texts, so that all of the belief about them is read.
    for (let i = 0; i < 200; i++)
      consensus.observe({ model: `model-${i % models}`, text: `${TEXT} ${i}`, success: i % 3 !== 0 });
    const quality = Object.fromEntries(consensus.models.map((m) => [m, { mean: 0.6, uncertainty: 0.2 }]));
    const decision = consensus.choose({ domain: 2 });
    const row = {
      choose: median(() => {
        for (let i = 0; i < CALLS; i++) consensus.choose({ domain: 2 });
      }),
      'choose with estimates': median(() => {
        for (let i = 0; i < CALLS; i++) consensus.choose({ domain: 2, quality });
      }),
      'choose with a text': median(() => {
        for (let i = 0; i < CALLS / 100; i++) consensus.choose({ domain: 2, text: TEXT });
      }, CALLS / 100),
      observe: median(() => {
        for (let i = 0; i < CALLS; i++) consensus.observe({ decision, success: (i & 1) === 0 });
      }),
    };
    const figures = Object.entries(row).map(([what, us]) => `${what} ${us.toFixed(2)}`);
    console.log(`${String(models).padStart(2)} models  ${selection.padEnd(9)}  ${figures.join('   ')}`);
  }
}
