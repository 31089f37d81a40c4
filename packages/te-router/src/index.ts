export type { FitOptions, ModelEstimate, Outcome, Query, RouteDecision, TrainingRow } from './decision';
export type { DriftEvent, DriftOptions } from './drift';
export { DriftDetector } from './drift';
export type { Condition, EstimationOptions, TransferEntropyOptions } from './estimation-options';
export type { ConfidenceInterval, EstimationResult } from './estimation-result';
export type {
  ArmComparison,
  ArmSummary,
  ExperimentOutcome,
  ExperimentResult,
  RoutingExperimentOptions,
} from './experiment';
export { RoutingExperiment } from './experiment';
export type { FalseDiscovery, FalseDiscoveryOptions } from './false-discovery';
export { falseDiscovery } from './false-discovery';
export type { QueryTokenizer } from './features';
export type { FeatureInfluence, FeatureInfluenceOptions } from './influence';
export type { LocalOutlier } from './local-outliers';
export { localOutliers } from './local-outliers';
export type { MutualInformationOptions, MutualInformationResult } from './mutual-information';
export { mutualInformation } from './mutual-information';
export type { NetworkLink, NetworkSeries, TransferEntropyNetwork, TransferEntropyNetworkOptions } from './network';
export { transferEntropyNetwork } from './network';
export { networkHtml } from './network-html';
export { mergeNetworks } from './network-merge';
export { adjacency, linksCsv, matrixCsv, networkGraphml } from './network-output';
export type { QueryRouterOptions, RoutedModel } from './options';
export type { Policy, TunedPolicy } from './policy';
export type { NullSample } from './pooled-null';
export { pooledPValues } from './pooled-null';
export { QueryRouter } from './router';
export type { Series } from './series';
export type { Embedding, TransferEntropyResult } from './transfer-entropy';
export { conditionalTransferEntropy, transferEntropy } from './transfer-entropy';
export type { StreamValue, TransferEntropyStreamOptions } from './transfer-entropy-stream';
export { TransferEntropyStream } from './transfer-entropy-stream';
