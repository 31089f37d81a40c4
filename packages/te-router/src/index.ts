export type { Condition, EstimationOptions, TransferEntropyOptions } from './estimation/estimation-options';
export type { ConfidenceInterval, EstimationResult } from './estimation/estimation-result';
export type { FalseDiscovery, FalseDiscoveryOptions } from './estimation/false-discovery';
export { falseDiscovery } from './estimation/false-discovery';
export type { LocalOutlier } from './estimation/local-outliers';
export { localOutliers } from './estimation/local-outliers';
export type { MutualInformationOptions, MutualInformationResult } from './estimation/mutual-information';
export { mutualInformation } from './estimation/mutual-information';
export type { NullSample } from './estimation/pooled-null';
export { pooledPValues } from './estimation/pooled-null';
export type { Series } from './estimation/series';
export type { Embedding, TransferEntropyResult } from './estimation/transfer-entropy';
export { conditionalTransferEntropy, transferEntropy } from './estimation/transfer-entropy';
export type { StreamValue, TransferEntropyStreamOptions } from './estimation/transfer-entropy-stream';
export { TransferEntropyStream } from './estimation/transfer-entropy-stream';
export type {
  NetworkLink,
  NetworkSeries,
  TransferEntropyNetwork,
  TransferEntropyNetworkOptions,
} from './network/network';
export { transferEntropyNetwork } from './network/network';
export { networkHtml } from './network/network-html';
export { mergeNetworks } from './network/network-merge';
export { adjacency, linksCsv, matrixCsv, networkGraphml } from './network/network-output';
export type { FitOptions, ModelEstimate, Outcome, Query, RouteDecision, TrainingRow } from './routing/decision';
export type { DriftEvent, DriftOptions } from './routing/drift';
export { DriftDetector } from './routing/drift';
export type {
  ArmComparison,
  ArmSummary,
  ExperimentOutcome,
  ExperimentResult,
  RoutingExperimentOptions,
} from './routing/experiment';
export { RoutingExperiment } from './routing/experiment';
export type { QueryTokenizer } from './routing/features';
export type { FeatureInfluence, FeatureInfluenceOptions } from './routing/influence';
export type { QueryRouterOptions, RoutedModel } from './routing/options';
export type { Policy, TunedPolicy } from './routing/policy';
export { QueryRouter } from './routing/router';
