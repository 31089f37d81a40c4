export type { Condition, EstimationOptions, TransferEntropyOptions } from './estimation-options';
export type { ConfidenceInterval, EstimationResult } from './estimation-result';
export type { FalseDiscovery, FalseDiscoveryOptions } from './false-discovery';
export { falseDiscovery } from './false-discovery';
export type { FeatureInfluence, FeatureInfluenceOptions } from './influence';
export type { LocalOutlier } from './local-outliers';
export { localOutliers } from './local-outliers';
export type { MutualInformationOptions, MutualInformationResult } from './mutual-information';
export { mutualInformation } from './mutual-information';
export type { NullSample } from './pooled-null';
export { pooledPValues } from './pooled-null';
export type {
  ModelEstimate,
  Outcome,
  Query,
  QueryRouterOptions,
  RouteDecision,
  RoutedModel,
} from './router';
export { QueryRouter } from './router';
export type { Series } from './series';
export type { Embedding, TransferEntropyResult } from './transfer-entropy';
export { conditionalTransferEntropy, transferEntropy } from './transfer-entropy';
export type { StreamValue, TransferEntropyStreamOptions } from './transfer-entropy-stream';
export { TransferEntropyStream } from './transfer-entropy-stream';
