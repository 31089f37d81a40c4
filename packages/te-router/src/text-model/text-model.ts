// Expected quality of every model from the text of a question, fitted to a log of outcomes: a linear function of hashed
// n-grams, plus a smooth one of topic and structure (kernel features at landmarks), plus one of structure alone.
import { FEATURE_NAMES, type TextFeatures } from '../features';
import { Landmarks, type LandmarksState } from './landmarks';
import { Subspace } from './subspace';
import { Vocabulary, type VocabularyState } from './vocabulary';

/** Blocks of features that penalties tell apart. */
export const BLOCKS = ['words', 'places', 'topic', 'structure', 'size'] as const;
const B = BLOCKS.length;
/** How much structure counts in the distance between topics, and how much an embedding. */
export const STRUCTURE_IN_TOPIC = 0.1;
export const EMBEDDING_IN_TOPIC = 0.7;

/** Features of structure: all but the hashed trigrams, which the n-grams make needless. */
export const STRUCTURE_AT = FEATURE_NAMES.flatMap((name, i) => (name.startsWith('trigram') ? [] : [i]));

/** Where the features of size are among those of structure: few and plain, so that a rule of length costs little to learn. */
export const SIZE_AT = ['logLength', 'logWords', 'logDigits', 'logNumbers', 'logLines', 'logStemLength', 'logSentences'].map(
  (name) => STRUCTURE_AT.indexOf(FEATURE_NAMES.indexOf(name)),
);

export interface Question {
  text: TextFeatures;
  /** Of fixed length where given. */
  embedding: Float64Array | undefined;
}

export interface TextPrediction {
  /** One a model, within (0, 1). */
  quality: Float64Array;
  /** Standard deviation of `quality`: how far it may be from the true rate. */
  deviation: Float64Array;
  /** Expected cost of a call; NaN where no costs were given. */
  cost: Float64Array;
  /** Part of the calibration questions at least as strange, (0, 1]: a conformal p-value. */
  familiarity: number;
  /** Index of the nearest landmark. */
  nearest: number;
  /** What each block adds to the model's quality: models x blocks. */
  parts: Float64Array;
}

export interface TextModelState {
  models: number;
  embedding: number;
  vocabulary: VocabularyState;
  /** n-grams x models. */
  sparse: Float32Array;
  axes: Float32Array;
  rank: number;
  /** Mean and 1 / deviation of the structure features. */
  centre: Float64Array;
  scale: Float64Array;
  topic: LandmarksState;
  structure: LandmarksState;
  /** Landmarks of topic and structure, then features of size x (3 models): quality, log deviation, log cost. */
  dense: Float32Array;
  intercept: Float64Array;
  /** Factor on deviations that fits them to the errors of questions held out. */
  honesty: Float64Array;
  /** Models with costs. */
  priced: Uint8Array;
  /** Strangeness of the calibration questions, ascending. */
  strangeness: Float64Array;
  /** The beginning of each topic landmark's question. */
  labels: string[];
}

/** Part of the structure features with their embedding, scaled for distances; `topic` dimensions are left for the subspace. */
export class Coordinates {
  constructor(
    readonly rank: number,
    readonly embedding: number,
    readonly centre: Float64Array,
    readonly scale: Float64Array,
  ) {}
  get topicWidth(): number {
    return this.rank + STRUCTURE_AT.length + this.embedding;
  }
  /** Writes what follows the subspace's coordinates into `topic`, and all of `structure`. */
  write(question: Question, topic: Float32Array, structure: Float32Array): void {
    const { values } = question.text;
    let at = this.rank;
    for (let j = 0; j < STRUCTURE_AT.length; j++) {
      const z = Math.max(-3, Math.min(3, (values[STRUCTURE_AT[j]!]! - this.centre[j]!) * this.scale[j]!));
      structure[j] = z;
      topic[at++] = STRUCTURE_IN_TOPIC * z;
    }
    for (let j = 0; j < this.embedding; j++) topic[at++] = EMBEDDING_IN_TOPIC * (question.embedding?.[j] ?? 0);
  }
}

export class TextModel {
  readonly vocabulary: Vocabulary;
  private readonly sparseBlock: Uint8Array;
  private readonly subspace: Subspace;
  private readonly coordinates: Coordinates;
  private readonly topic: Landmarks;
  private readonly structure: Landmarks;
  private readonly topicAt: Float32Array;
  private readonly structureAt: Float32Array;
  private readonly similar: Float32Array;
  /** The part of `similar` for structure. */
  private readonly similarStructure: Float32Array;
  private readonly sums: Float64Array;
  private readonly out: TextPrediction;

  constructor(readonly state: TextModelState) {
    const { models: M } = state;
    this.vocabulary = new Vocabulary(state.vocabulary);
    this.sparseBlock = this.vocabulary.blocks();
    this.subspace = new Subspace(state.rank, state.axes);
    this.coordinates = new Coordinates(state.rank, state.embedding, state.centre, state.scale);
    this.topic = new Landmarks(state.topic);
    this.structure = new Landmarks(state.structure);
    this.topicAt = new Float32Array(this.coordinates.topicWidth);
    this.structureAt = new Float32Array(STRUCTURE_AT.length);
    this.similar = new Float32Array(this.topic.count + this.structure.count + SIZE_AT.length);
    this.similarStructure = this.similar.subarray(this.topic.count);
    this.sums = new Float64Array(3 * M);
    this.out = {
      quality: new Float64Array(M),
      deviation: new Float64Array(M),
      cost: new Float64Array(M),
      familiarity: 1,
      nearest: 0,
      parts: new Float64Array(M * BLOCKS.length),
    };
  }

  /** The result is written over by the next call. */
  predict(question: Question): TextPrediction {
    const { models: M, sparse, dense, intercept } = this.state;
    const { sums, similar, out, sparseBlock } = this;
    const { parts } = out;
    parts.fill(0);
    const row = this.vocabulary.read(question.text);
    for (let a = 0; a < row.length; a++) {
      const index = row.index[a]!;
      const value = row.value[a]!;
      const block = sparseBlock[index]!;
      for (let m = 0; m < M; m++) parts[m * B + block]! += value * sparse[index * M + m]!;
    }
    this.subspace.project(row, this.topicAt);
    this.coordinates.write(question, this.topicAt, this.structureAt);
    const T = this.topic.count;
    const nearness = this.topic.similarities(this.topicAt, similar);
    this.structure.similarities(this.structureAt, this.similarStructure);
    const width = 3 * M;
    sums.set(intercept);
    let nearest = 0;
    for (let l = 0; l < T; l++) {
      const k = similar[l]!;
      if (k > similar[nearest]!) nearest = l;
      const at = l * width;
      for (let m = 0; m < M; m++) parts[m * B + 2]! += k * dense[at + m]!;
      for (let o = M; o < width; o++) sums[o]! += k * dense[at + o]!;
    }
    const size = similar.length - SIZE_AT.length;
    for (let j = 0; j < SIZE_AT.length; j++) similar[size + j] = this.structureAt[SIZE_AT[j]!]!;
    for (let l = T; l < similar.length; l++) {
      const k = similar[l]!;
      const at = l * width;
      const block = l < size ? 3 : 4;
      for (let m = 0; m < M; m++) parts[m * B + block]! += k * dense[at + m]!;
      for (let o = M; o < width; o++) sums[o]! += k * dense[at + o]!;
    }
    for (let m = 0; m < M; m++) {
      let quality = sums[m]!;
      for (let b = 0; b < B; b++) quality += parts[m * B + b]!;
      out.quality[m] = Math.max(1e-3, Math.min(1 - 1e-3, quality));
      out.deviation[m] = this.state.honesty[m]! * Math.exp(Math.max(-7, Math.min(-0.7, sums[M + m]!)));
      out.cost[m] = this.state.priced[m] ? Math.exp(Math.max(-60, Math.min(60, sums[2 * M + m]!))) : Number.NaN;
    }
    out.familiarity = familiarity(this.state.strangeness, row.unknown + 1 - nearness);
    out.nearest = nearest;
    return out;
  }

  toJSON(): TextModelState {
    return this.state;
  }
}

/** Conformal p-value of a strangeness among calibration values in ascending order (V. Vovk, A. Gammerman, G. Shafer, 2005). */
export function familiarity(ascending: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return (ascending.length - low + 1) / (ascending.length + 1);
}
