// Expected quality of every model from the text of a question, fitted to a log of outcomes: a linear function of hashed
// n-grams, plus a smooth one of topic and structure (kernel features at landmarks), plus one of structure alone.
import { FEATURE_NAMES } from '../feature-names';
import type { TextFeatures } from '../features';
import { DotProducts } from './dot-products';
import { Landmarks, type LandmarksState } from './landmarks';
import { Stack, type StackState } from './stacking';
import { Subspace } from './subspace';
import { Vocabulary, type VocabularyState } from './vocabulary';

/** Blocks of features that penalties tell apart. */
export const BLOCKS = ['words', 'places', 'topic', 'structure', 'size'] as const;
const B = BLOCKS.length;
/** What an estimate is made of: the regression's blocks, and what the forest on top of it adds. */
export const PARTS = [...BLOCKS, 'kind'] as const;
const P = PARTS.length;
/** How much an embedding counts beside the subspace's coordinates. */
const EMBEDDING_IN_TOPIC = 0.7;

/** Features of structure: all but the hashed trigrams, which the n-grams make needless. */
export const STRUCTURE_AT = FEATURE_NAMES.flatMap((name, i) => (name.startsWith('trigram') ? [] : [i]));

/** Where the features of size are among those of structure: few and plain, so that a rule of length costs little to learn. */
export const SIZE_AT = [
  'logLength',
  'logWords',
  'logDigits',
  'logNumbers',
  'logLines',
  'logStemLength',
  'logSentences',
].map((name) => STRUCTURE_AT.indexOf(FEATURE_NAMES.indexOf(name)));

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
  /** What each of PARTS adds to the model's quality: models x parts. */
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
  landmarks: LandmarksState;
  /** Landmarks of topic and structure, then features of size x (3 models): quality, log deviation, log cost. */
  dense: Float32Array;
  intercept: Float64Array;
  /** The forest on top; very few rows have none. */
  stack?: StackState;
  /** Factor on deviations that fits them to the errors of questions held out. */
  honesty: Float64Array;
  /** Models with costs. */
  priced: Uint8Array;
  /** Strangeness of the calibration questions, ascending. */
  strangeness: Float64Array;
  /** The beginning of each topic landmark's question. */
  labels: string[];
}

/** Where a question is: structure features standardised, and the embedding behind the subspace's coordinates. */
export class Coordinates {
  constructor(
    readonly rank: number,
    readonly embedding: number,
    readonly centre: Float64Array,
    readonly scale: Float64Array,
  ) {}
  get topicWidth(): number {
    return this.rank + this.embedding;
  }
  write(question: Question, topic: Float32Array, structure: Float32Array): void {
    const { values } = question.text;
    for (let j = 0; j < STRUCTURE_AT.length; j++)
      structure[j] = Math.max(-3, Math.min(3, (values[STRUCTURE_AT[j]!]! - this.centre[j]!) * this.scale[j]!));
    for (let j = 0; j < this.embedding; j++) topic[this.rank + j] = EMBEDDING_IN_TOPIC * (question.embedding?.[j] ?? 0);
  }
}

export class TextModel {
  readonly vocabulary: Vocabulary;
  private readonly subspace: Subspace;
  private readonly coordinates: Coordinates;
  private readonly landmarks: Landmarks;
  /** 3 models x landmarks: what similarity of topic, and of structure, is worth. */
  private readonly topicWorth: DotProducts;
  private readonly structureWorth: DotProducts;
  private readonly stack: Stack | undefined;
  private readonly added: Float64Array;
  private readonly sums: Float64Array;
  private readonly out: TextPrediction;

  constructor(readonly state: TextModelState) {
    const { models: M } = state;
    this.vocabulary = new Vocabulary(state.vocabulary);
    this.subspace = new Subspace(state.rank, state.axes);
    this.coordinates = new Coordinates(state.rank, state.embedding, state.centre, state.scale);
    this.landmarks = new Landmarks(state.landmarks);
    const { count } = this.landmarks;
    const width = 3 * M;
    const worth = (from: number) => {
      const rows = new Float32Array(width * count);
      for (let l = 0; l < count; l++)
        for (let o = 0; o < width; o++) rows[o * count + l] = state.dense[(from + l) * width + o]!;
      return new DotProducts(rows, width, count);
    };
    this.topicWorth = worth(0);
    this.structureWorth = worth(count);
    this.stack = state.stack && new Stack(state.stack, this.coordinates.topicWidth, M);
    this.added = new Float64Array(M);
    this.sums = new Float64Array(3 * M);
    this.out = {
      quality: new Float64Array(M),
      deviation: new Float64Array(M),
      cost: new Float64Array(M),
      familiarity: 1,
      nearest: 0,
      parts: new Float64Array(M * P),
    };
  }

  /** The result is written over by the next call. */
  predict(question: Question): TextPrediction {
    const { models: M, sparse, dense, intercept } = this.state;
    const { sums, out } = this;
    const border = this.vocabulary.first;
    const { parts } = out;
    parts.fill(0);
    const row = this.vocabulary.read(question.text);
    for (let a = 0; a < row.length; a++) {
      const index = row.index[a]!;
      const value = row.value[a]!;
      const to = index < border ? 0 : 1;
      for (let m = 0; m < M; m++) parts[m * P + to]! += value * sparse[index * M + m]!;
    }
    const { topicAt, structureAt, count } = this.landmarks;
    this.subspace.project(row, topicAt);
    this.coordinates.write(question, topicAt, structureAt);
    const { topicWorth, structureWorth } = this;
    const nearest = this.landmarks.similarities(topicWorth.x, structureWorth.x);
    topicWorth.compute();
    structureWorth.compute();
    const width = 3 * M;
    for (let o = 0; o < width; o++) {
      let size = 0;
      for (let j = 0; j < SIZE_AT.length; j++) size += structureAt[SIZE_AT[j]!]! * dense[(2 * count + j) * width + o]!;
      const byTopic = topicWorth.out[o]!;
      const byStructure = structureWorth.out[o]!;
      if (o < M) {
        parts[o * P + 2] = byTopic;
        parts[o * P + 3] = byStructure;
        parts[o * P + 4] = size;
        sums[o] = intercept[o]!;
      } else sums[o] = intercept[o]! + byTopic + byStructure + size;
    }
    for (let m = 0; m < M; m++) for (let b = 0; b < B; b++) sums[m]! += parts[m * P + b]!;
    this.stack?.corrections(question.text.values, topicAt, sums, this.added);
    for (let m = 0; m < M; m++) {
      if (this.stack) parts[m * P + B] = this.added[m]!;
      out.quality[m] = Math.max(1e-3, Math.min(1 - 1e-3, sums[m]! + parts[m * P + B]!));
      out.deviation[m] = this.state.honesty[m]! * Math.exp(Math.max(-7, Math.min(-0.7, sums[M + m]!)));
      out.cost[m] = this.state.priced[m] ? Math.exp(Math.max(-60, Math.min(60, sums[2 * M + m]!))) : Number.NaN;
    }
    out.familiarity = familiarity(this.state.strangeness, row.unknown + 1 - topicWorth.x[nearest]!);
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
