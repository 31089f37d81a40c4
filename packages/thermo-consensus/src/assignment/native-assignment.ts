import type { NativeControl } from '@x/cuda-core/addon';
import { addon as thermo } from '../native';

export type NativeProblem = [
  sense: 0 | 1,
  agents: number,
  jobs: number,
  resources: number,
  budgets: number,
  costs: Float64Array,
  loads: Float64Array,
  capacities: Float64Array,
  amounts: Float64Array,
  limits: Float64Array,
  allowed: Uint8Array | undefined,
  start: Int32Array | undefined,
];

export interface AssignmentAddon {
  solveAssignmentJob(
    ...args: [
      ...NativeProblem,
      timeLimitMs: number,
      rounds: number,
      seed: number,
      threads: number,
      gap: number,
      assignment: Int32Array,
      readings: Float64Array,
      NativeControl,
    ]
  ): Promise<void>;
  assignmentConflictJob(...args: [...NativeProblem, conflict: Uint8Array, NativeControl]): Promise<void>;
}

export const addon: AssignmentAddon = thermo;

/** Columns of the native readings of one solve, and the meaning of `status`. */
export const READING = {
  status: 0,
  objective: 1,
  bound: 2,
  rootBound: 3,
  timeMs: 4,
  timeToBestMs: 5,
  rounds: 6,
  nodes: 7,
};
export const STATUS = ['optimal', 'feasible', 'infeasible', 'unknown'] as const;
