// Tables of what the studies wrote.
import { LINEAR } from './linear.mjs';
import { ALTERNATIVES, BINS, NULLS, SURROGATES, SYSTEMS } from './studies.mjs';
import { symbolTruth } from './symbols.mjs';
import { TUNING } from './tuning.mjs';

const mean = (v) => v.reduce((a, b) => a + b, 0) / v.length;
const fixed = (v, digits = 4) => (v >= 0 ? ' ' : '') + v.toFixed(digits);
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const name = key(row);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return groups;
}

/** Largest distance of the empirical distribution of p from the uniform one, at the values that p can take. */
function kolmogorov(p, surrogates) {
  let worst = 0;
  for (let m = 1; m <= surrogates + 1; m++) {
    const at = m / (surrogates + 1);
    worst = Math.max(worst, Math.abs(p.filter((v) => v <= at + 1e-9).length / p.length - at));
  }
  return worst;
}

/** What is true of each system, by its name; takes a minute. */
export function truths(systems = SYSTEMS) {
  return Object.fromEntries(
    systems.map((system) => [system.name, { values: system.truth(), symbols: symbolTruth(system, BINS) }]),
  );
}

export const tables = {
  truths(known) {
    const lines = [
      `| system | truth, nats | its error | of ${BINS} equally frequent symbols | its error |`,
      '| --- | --- | --- | --- | --- |',
    ];
    for (const [name, { values, symbols }] of Object.entries(known)) {
      const cells = [values, symbols].map(
        ({ te, error }) => `${te.toFixed(5)} | ${error === 0 ? 'closed form' : error.toExponential(0)}`,
      );
      lines.push(`| ${name} | ${cells.join(' | ')} |`);
    }
    return lines;
  },

  intervals(rows, known) {
    const present = new Set(rows.map(([system]) => system));
    const systems = [...SYSTEMS, ...TUNING].filter(({ name }) => present.has(name));
    const groups = grouped(rows, ([system, n, estimator]) => JSON.stringify([system, n, estimator]));
    const lengths = [...new Set(rows.map(([, n]) => n))].sort((a, b) => a - b);
    const shares = [];
    const of = (group, truth) => {
      const te = group.map((row) => row[4]);
      const covered = mean(group.map(([, , , , , low, high]) => +(low <= truth && truth <= high)));
      return {
        seeds: group.length,
        error: `${fixed(mean(te) - truth, 3)}, ${Math.sqrt(mean(te.map((v) => (v - truth) ** 2))).toFixed(3)}`,
        covered: () => {
          shares.push([covered, group.length]);
          return percent(covered);
        },
        centre: fixed(mean(group.map(([, , , , , low, high]) => (low + high) / 2)) - truth, 3),
        width: mean(group.map(([, , , , , low, high]) => (high - low) / 2)).toFixed(3),
      };
    };
    const neighbours = ['ksg1, k = 4', 'ksg1, k = 10', 'ksg2, k = 4'];
    const others = [...new Set(rows.map(([, , estimator]) => estimator))].filter((name) => !neighbours.includes(name));
    const lines = [
      `| system | N | seeds | ${neighbours.map((name) => `${name}: bias, RMSE`).join(' | ')} | coverage of 95 % | bias of the centre | half width |`,
      '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ];
    const rest = [
      '| system | N | seeds | estimator | bias, RMSE | coverage of 95 % | bias of the centre | half width |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ];
    known ??= truths(systems);
    for (const { name } of systems) {
      const { te } = known[name].values;
      const ofSymbols = known[name].symbols.te;
      for (const n of lengths) {
        const found = (estimator) => groups.get(JSON.stringify([name, n, estimator]));
        if (!neighbours.every(found)) continue;
        const ksg = neighbours.map((estimator) => of(found(estimator), te));
        const { seeds, covered, centre, width } = ksg[2];
        lines.push(
          `| ${name} | ${n} | ${seeds} | ${ksg.map(({ error }) => error).join(' | ')} | ${covered()} | ${centre} | ${width} |`,
        );
        for (const estimator of others.filter(found)) {
          const o = of(found(estimator), estimator.startsWith('binned') ? ofSymbols : te);
          rest.push(
            `| ${name} | ${n} | ${o.seeds} | ${estimator} | ${o.error} | ${o.covered()} | ${o.centre} | ${o.width} |`,
          );
        }
      }
    }
    const inside = shares.filter(([share]) => share >= 0.93 && share <= 0.97).length;
    // A share of 0.95 itself strays by two standard errors.
    const near = shares.filter(([share, n]) => Math.abs(share - 0.95) <= 0.02 + 2 * Math.sqrt(0.0475 / n)).length;
    const summary = `${inside} of ${shares.length} rows lie in 93 to 97 %, ${near} within two standard errors of that; mean ${percent(mean(shares.map(([share]) => share)))}.`;
    return [...lines, '', ...rest, '', summary];
  },

  wider(rows) {
    const lines = [
      '| what | N | truth, nats | estimator | seeds | bias, RMSE | coverage of 95 % | half width |',
      '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ];
    const groups = grouped(rows, ([name, n, estimator]) => JSON.stringify([name, n, estimator]));
    for (const { name, truth } of LINEAR)
      for (const [key, group] of groups) {
        const [of, n, estimator] = JSON.parse(key);
        if (of !== name) continue;
        const te = group.map((row) => row[4]);
        const covered = mean(group.map(([, , , , , low, high]) => +(low <= truth && truth <= high)));
        const width = mean(group.map(([, , , , , low, high]) => (high - low) / 2));
        const rmse = Math.sqrt(mean(te.map((v) => (v - truth) ** 2)));
        lines.push(
          `| ${name} | ${n} | ${truth.toFixed(4)} | ${estimator} | ${group.length} | ${fixed(mean(te) - truth, 3)}, ${rmse.toFixed(3)} | ${percent(covered)} | ${width.toFixed(3)} |`,
        );
      }
    return lines;
  },

  significance(rows) {
    const systems = [...NULLS, ...ALTERNATIVES].map(({ name }) => name);
    const lines = [
      `| N | estimator | surrogates | ${NULLS.map(({ name }) => `${name}: KS, p <= 0.05`).join(' | ')} | ${ALTERNATIVES.map(({ name }) => `power, ${name}`).join(' | ')} |`,
      `| --- | --- | --- | ${systems.map(() => '---').join(' | ')} |`,
    ];
    let seeds = 0;
    const groups = grouped(rows, ([, n, estimator, method]) => JSON.stringify([n, estimator, method]));
    for (const [key, group] of groups) {
      const cells = systems.map((name, at) => {
        const p = group.filter(([system]) => system === name).map((row) => row[5]);
        seeds = Math.max(seeds, p.length);
        if (p.length === 0) return '';
        const share = percent(p.filter((v) => v <= 0.05 + 1e-9).length / p.length);
        return at < NULLS.length ? `${kolmogorov(p, SURROGATES).toFixed(3)}, ${share}` : share;
      });
      lines.push(`| ${JSON.parse(key).join(' | ')} | ${cells.join(' | ')} |`);
    }
    lines.push(
      '',
      `Up to ${seeds} seeds; the 5 % limit of the KS distance is ${(1.358 / Math.sqrt(seeds)).toFixed(3)}.`,
    );
    return lines;
  },

  long(rows) {
    const lines = ['| system | estimator | N | mean | standard error |', '| --- | --- | --- | --- | --- |'];
    for (const [key, group] of grouped(rows, ([system, n, estimator]) => JSON.stringify([system, estimator, n]))) {
      const te = group.map((row) => row[4]);
      const error = Math.sqrt(mean(te.map((v) => (v - mean(te)) ** 2)) / Math.max(1, te.length - 1));
      lines.push(`| ${JSON.parse(key).join(' | ')} | ${fixed(mean(te), 5)} | ${error.toFixed(5)} |`);
    }
    return lines;
  },
};
