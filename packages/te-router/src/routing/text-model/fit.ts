// Fits a TextModel to rows of outcomes. A generator: it stops after every bounded piece of work, so that its driver can
// give the event loop its turn, report progress, or spread the work over later calls.
//
// Where every model's outcome is known, the mean over the models and each model's difference from it are learnt apart,
// since what decides the choice among models (the differences) wants a stronger penalty than what all have in common.
// Penalties and the weights of the blocks are chosen by cross-validation on the rows given, as an average over candidates
// weighted by how well they predict (pseudo-model averaging: Y. Yao et al., Bayesian Analysis 13, 2018).
import { blend, CANDIDATES, calibrate, FEW_CANDIDATES, shares, spread } from './averaging';
import { Landmarks } from './landmarks';
import { shuffled } from './random';
import { type Design, fitRidge, rowPrediction } from './ridge';
import { Stack } from './stacking';
import { Subspace } from './subspace';
import { targetsOf } from './targets';
import { Coordinates, type Question, SIZE_AT, STRUCTURE_AT, TextModel } from './text-model';
import { fitSide, honestyOf } from './uncertainty';
import { Vocabulary } from './vocabulary';

export interface FitRow extends Question {
  /** One a model, 0 to 1; NaN where not known. */
  quality: Float64Array;
  /** One a model; NaN where not known. */
  cost: Float64Array | undefined;
}

export interface FitResult {
  model: TextModel;
  /** rows x models: what is expected of each row by a fit that has not seen it. */
  heldOut: Float64Array;
  /** rows x models of `cost`, NaN where no costs were given. */
  heldOutCost: Float64Array;
}

const RANK = 64;
const LANDMARKS = 256;
/** So many of them divide the questions into large neighbourhoods. */
const REGIONS = 16;
/** Few rows carry little weight against a penalty that suits many, and would all be predicted alike. */
const FULL_PENALTY = 600;

export interface FitOptions {
  models: number;
  seed: number;
  /** `'light'`: fewer candidates and folds, for fits in passing. */
  effort: 'full' | 'light';
  /** Features of structure that may be used, one entry a feature of FEATURE_NAMES. Default: all. */
  features?: Uint8Array | undefined;
}

/** Ends with the model. Rows must be one or more; those without any outcome are of no use. */
export function* fitTextModel(rows: readonly FitRow[], options: FitOptions): Generator<void, FitResult> {
  const { models, seed, effort } = options;
  const shrunk = Math.min(1, rows.length / FULL_PENALTY);
  const candidates = (effort === 'full' ? CANDIDATES : FEW_CANDIDATES).map((c) => ({
    ...c,
    penalty: c.penalty * shrunk,
  }));
  const n = rows.length;
  const texts = rows.map((r) => r.text);
  const vocabulary = yield* Vocabulary.build(texts);
  const sparse = yield* vocabulary.readAll(texts);
  const subspace = yield* Subspace.build(sparse, vocabulary.words, RANK, seed);
  const { centre, scale } = standard(rows, options.features);
  const embedding = rows.reduce((most, r) => Math.max(most, r.embedding?.length ?? 0), 0);
  const coordinates = new Coordinates(subspace.rank, embedding, centre, scale);

  const T = coordinates.topicWidth;
  const Z = STRUCTURE_AT.length;
  const topicRows = new Float32Array(n * T);
  const structureRows = new Float32Array(n * Z);
  for (let i = 0; i < n; i++) {
    const from = sparse.start[i]!;
    const to = sparse.start[i + 1]!;
    const topic = topicRows.subarray(i * T, (i + 1) * T);
    const index = sparse.index.subarray(from, to);
    const words = index.findIndex((w) => w >= vocabulary.words);
    const length = to - from;
    subspace.project(
      { index, value: sparse.value.subarray(from, to), length, words: words < 0 ? length : words, unknown: 0 },
      topic,
    );
    coordinates.write(rows[i]!, topic, structureRows.subarray(i * Z, (i + 1) * Z));
    if (i % 256 === 255) yield;
  }
  const order = shuffled(n, seed + 1);
  const chosen = [...order.subarray(0, Math.min(n, LANDMARKS))];
  const take = (from: Float32Array, width: number) => {
    const out = new Float32Array(chosen.length * width);
    chosen.forEach((r, l) => {
      out.set(from.subarray(r * width, (r + 1) * width), l * width);
    });
    return out;
  };
  const landmarks = new Landmarks({
    topicWidth: T,
    structureWidth: Z,
    topic: take(topicRows, T),
    structure: take(structureRows, Z),
  });
  yield* landmarks.factorise();
  const L = landmarks.count;
  const M = 2 * L + SIZE_AT.length;
  const dense = new Float32Array(n * M);
  const nearness = new Float64Array(n);
  const nearest = new Int32Array(n);
  const region = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    landmarks.topicAt.set(topicRows.subarray(i * T, (i + 1) * T));
    landmarks.structureAt.set(structureRows.subarray(i * Z, (i + 1) * Z));
    const own = dense.subarray(i * M, (i + 1) * M);
    nearest[i] = landmarks.similarities(own.subarray(0, L), own.subarray(L, 2 * L));
    nearness[i] = own[nearest[i]!]!;
    for (let l = 1; l < Math.min(REGIONS, L); l++) if (own[l]! > own[region[i]!]!) region[i] = l;
    landmarks.whiten(own);
    for (let j = 0; j < SIZE_AT.length; j++) own[2 * L + j] = structureRows[i * Z + SIZE_AT[j]!]!;
    if (i % 64 === 63) yield;
  }
  const denseBlock = new Uint8Array(M)
    .fill(2, 0, L)
    .fill(3, L, 2 * L)
    .fill(4, 2 * L);
  const design: Design = {
    rows: n,
    sparse,
    sparseBlock: vocabulary.blocks(),
    dense,
    denseBlock,
  };

  const goal = targetsOf(rows, models);
  const R = goal.count;
  const C = candidates.length;
  const all = spread(goal, candidates);
  const folds = n < 12 ? 0 : effort === 'light' ? 3 : n < 400 ? 10 : 5;
  const fold = new Int32Array(n);
  for (let i = 0; i < n; i++) fold[order[i]!] = folds > 0 ? i % folds : 0;
  /** What each fold's fit says of every row: fold x rows x (targets x candidates). */
  const said: Float64Array[] = [];
  for (let f = 0; f < folds; f++) {
    const known = Uint8Array.from(all.known);
    for (let i = 0; i < n; i++) if (fold[i] === f) known.fill(0, i * R * C, (i + 1) * R * C);
    const fit = yield* fitRidge(design, { ...all, known });
    const out = new Float64Array(n * R * C);
    for (let i = 0; i < n; i++) {
      rowPrediction(design, fit, i, out, i * R * C);
      if (i % 256 === 255) yield;
    }
    said.push(out);
  }
  const share = shares(goal, said, fold, candidates);
  const mix = (values: Float64Array, i: number, t: number) => {
    let sum = 0;
    for (let c = 0; c < C; c++) sum += share[t * C + c]! * values[i * R * C + t * C + c]!;
    return sum;
  };

  const slopes = new Float64Array(R).fill(1);
  const held = new Float64Array(n * R);
  for (let i = 0; i < n; i++) for (let t = 0; t < R; t++) held[i * R + t] = folds > 0 ? mix(said[fold[i]!]!, i, t) : 0;
  const fit = yield* fitRidge(design, spread(goal, candidates, share));
  const blended = blend(fit, share, R, C);
  calibrate(goal, held, blended.intercept, slopes);
  if (folds === 0) for (let i = 0; i < n; i++) for (let t = 0; t < R; t++) held[i * R + t] = blended.intercept[t]!;

  // From targets to models, all linear: quality = intercept + slope x (what the fit adds).
  const regression = new Float64Array(n * models);
  for (let i = 0; i < n; i++) {
    for (let t = 0; t < R; t++) {
      const base = blended.intercept[t]!;
      held[i * R + t] = base + slopes[t]! * (held[i * R + t]! - base);
    }
    goal.compose(held, i * R, regression, i * models);
  }
  for (let i = 0; i < n; i++) for (let m = 0; m < models; m++) regression[i * models + m]! += goal.centre[m]!;
  const stacked =
    folds > 0
      ? yield* Stack.fit(
          {
            structure: rows.map((r) => r.text.values),
            allowed: options.features,
            topic: topicRows,
            topicWidth: T,
            expected: regression,
            quality: rows.map((r) => r.quality),
            models,
          },
          effort,
          seed,
        )
      : undefined;
  const heldOut = stacked?.heldOut ?? regression;

  const spreadOf = new Float64Array(n * models);
  if (folds > 0) {
    const one = new Float64Array(R);
    const composed = new Float64Array(models);
    const sums = new Float64Array(2 * models);
    for (let i = 0; i < n; i++) {
      sums.fill(0);
      for (let f = 0; f < folds; f++) {
        for (let t = 0; t < R; t++) one[t] = slopes[t]! * mix(said[f]!, i, t);
        goal.compose(one, 0, composed, 0);
        for (let m = 0; m < models; m++) {
          sums[m]! += composed[m]!;
          sums[models + m]! += composed[m]! ** 2;
        }
      }
      // The delete-a-group jackknife of the fits' predictions.
      for (let m = 0; m < models; m++) {
        const variance = ((folds - 1) / folds) * Math.max(0, sums[models + m]! - sums[m]! ** 2 / folds);
        spreadOf[i * models + m] = Math.sqrt(variance + 1e-6);
      }
    }
    yield;
  } else spreadOf.fill(0.2);
  // Neighbourhoods small and large: what is wrong with a whole kind of question shows only in the large.
  const small = honestyOf(rows, heldOut, spreadOf, nearest, L, models);
  const large = honestyOf(rows, heldOut, spreadOf, region, Math.min(REGIONS, L), models);
  const honesty = small.map((h, m) => Math.max(h, large[m]!));
  const side = yield* fitSide(design, rows, spreadOf, models);

  // Everything as weights on what a question is at prediction time.
  const S = design.sparseBlock.length;
  const sparseWeights = new Float32Array(S * models);
  const row = new Float64Array(R);
  const composed = new Float64Array(models);
  for (let s = 0; s < S; s++) {
    for (let t = 0; t < R; t++) row[t] = slopes[t]! * blended.sparse[s * R + t]!;
    goal.compose(row, 0, composed, 0);
    sparseWeights.set(composed, s * models);
    if (s % 8192 === 8191) yield;
  }
  const width = 3 * models;
  const whitened = new Float64Array(M * width);
  for (let j = 0; j < M; j++) {
    for (let t = 0; t < R; t++) row[t] = slopes[t]! * blended.dense[j * R + t]!;
    goal.compose(row, 0, whitened, j * width);
    for (let o = 0; o < 2 * models; o++) whitened[j * width + models + o] = side.fit.dense[j * 2 * models + o]!;
  }
  const weights = new Float32Array(M * width);
  weights.set(landmarks.unwhiten(whitened.subarray(0, 2 * L * width), width));
  weights.set(whitened.subarray(2 * L * width), 2 * L * width);
  const intercept = new Float64Array(width);
  goal.compose(blended.intercept, 0, intercept, 0);
  for (let m = 0; m < models; m++) intercept[m]! += goal.centre[m]!;
  intercept.set(side.fit.intercept, models);

  // Landmarks are their own nearest neighbours; only the others can say how strange a question may be.
  const strangeness: number[] = [];
  for (let i = n > 2 * chosen.length ? chosen.length : 0; i < n && strangeness.length < 2000; i++) {
    const r = order[i]!;
    strangeness.push(vocabulary.unknownToOthers(rows[r]!.text) + 1 - nearness[r]!);
  }
  const model = new TextModel({
    models,
    embedding,
    vocabulary: vocabulary.toJSON(),
    sparse: sparseWeights,
    axes: subspace.axes,
    rank: subspace.rank,
    centre,
    scale,
    landmarks: landmarks.toJSON(),
    dense: weights,
    intercept,
    ...(stacked && { stack: stacked.state }),
    honesty,
    priced: side.priced,
    strangeness: Float64Array.from(strangeness).sort(),
    labels: chosen.map((r) => rows[r]!.text.template.slice(0, 60)),
  });
  const heldOutCost = new Float64Array(n * models).fill(Number.NaN);
  for (let i = 0; i < n; i++)
    for (let m = 0; m < models; m++)
      if (side.priced[m]) {
        let sum = side.fit.intercept[models + m]!;
        for (let j = 0; j < M; j++) sum += dense[i * M + j]! * side.fit.dense[j * 2 * models + models + m]!;
        heldOutCost[i * models + m] = Math.exp(sum);
      }
  return { model, heldOut, heldOutCost };
}

/** Mean and 1 / deviation of the structure features; a feature that never varies is left out. */
function standard(rows: readonly FitRow[], allowed?: Uint8Array): { centre: Float64Array; scale: Float64Array } {
  const centre = new Float64Array(STRUCTURE_AT.length);
  const scale = new Float64Array(STRUCTURE_AT.length);
  for (const [j, at] of STRUCTURE_AT.entries()) {
    let sum = 0;
    let squares = 0;
    for (const { text } of rows) {
      sum += text.values[at]!;
      squares += text.values[at]! ** 2;
    }
    centre[j] = sum / rows.length;
    const variance = squares / rows.length - centre[j]! ** 2;
    scale[j] = variance > 1e-8 && allowed?.[at] !== 0 ? 1 / Math.sqrt(variance) : 0;
  }
  return { centre, scale };
}
