export type { DriftEvent, DriftOptions } from './drift';
export { DriftDetector } from './drift';
export type { NetworkLink, NetworkSeries, TransferEntropyNetwork, TransferEntropyNetworkOptions } from './network';
export { transferEntropyNetwork } from './network';
export { networkHtml } from './network-html';
export { mergeNetworks } from './network-merge';
export { adjacency, linksCsv, matrixCsv, networkGraphml } from './network-output';
export type {
  ArmComparison,
  ArmSummary,
  ExperimentOutcome,
  ExperimentResult,
  RoutingExperimentOptions,
} from './experiment';
export { RoutingExperiment } from './experiment';
export type { QueryTokenizer } from './features';
export type { FeatureInfluence, FeatureInfluenceOptions } from './influence';
export type { QueryRouterOptions, RoutedModel } from './options';
export type { Policy, TunedPolicy } from './policy';
export type { FitOptions, ModelEstimate, Outcome, Query, RouteDecision, TrainingRow } from './router';
export { QueryRouter } from './router';
export type { Series, TransferEntropyOptions, TransferEntropyResult } from './transfer-entropy';
export { transferEntropy } from './transfer-entropy';
