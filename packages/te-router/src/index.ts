export type { FeatureInfluence, FeatureInfluenceOptions } from './influence';
export type {
  ModelEstimate,
  Outcome,
  Query,
  QueryRouterOptions,
  RouteDecision,
  RoutedModel,
} from './router';
export { QueryRouter } from './router';
export type { Series, TransferEntropyOptions, TransferEntropyResult } from './transfer-entropy';
export { transferEntropy } from './transfer-entropy';
