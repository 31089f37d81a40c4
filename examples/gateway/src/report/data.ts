// Everything the report shows, as plain values: filled by the demo, or by a test.
import type { Row } from '../baselines';

/** One question, as the charts need it. */
export interface Point {
  domain: string;
  difficulty: number;
  question: string;
  expected: string;
  answer: string;
  /** Names of the models asked, in order. */
  asked: string[];
  right: boolean;
  cost: number;
  explanation: string;
  /** The strongest model's reply to the same question. */
  strongest: { right: boolean; cost: number };
}

/** What was learned about every model in one of the groups of questions that the router found. */
export interface Group {
  /** How the group's questions begin. */
  label: string;
  questions: number;
  /** Beta posterior of a right answer; 90 % credible interval. */
  models: { model: string; mean: number; low: number; high: number }[];
}

/** Transfer entropy from a feature of the questions to a model's quality. */
export interface Influence {
  feature: string;
  model: string;
  /** Nats, less the mean of time-shuffled surrogates. */
  effective: number;
  /** Against the surrogates. */
  pValue: number;
  /** The p-value adjusted for the number of features: false discovery rate. */
  qValue: number;
  samples: number;
}

/** One reading of the machine. */
export interface Reading {
  /** Seconds since the demo began. */
  at: number;
  /** 0..1 over all cores. */
  cpu: number | null;
  processMemoryBytes: number | null;
  /** 0..1 of the first GPU; null without one. */
  gpu: number | null;
}

export interface ReportData {
  /** When the demo ran, ISO 8601. */
  date: string;
  /** What ran where: seed, device, lambda, ... */
  facts: [string, string][];
  /** The rows of the stream shown: routed first, then every baseline. */
  rows: Row[];
  /** The rows of every seed; one entry when one seed ran. */
  runs: Row[][];
  points: Point[];
  groups: Group[];
  influences: Influence[];
  readings: Reading[];
  /** Why there are no GPU readings; undefined when there are. */
  gpuAbsent: string | undefined;
}
