export type { FeatureInfluence, FeatureInfluenceOptions } from './influence';
export type { NetworkLink, NetworkSeries, TransferEntropyNetwork, TransferEntropyNetworkOptions } from './network';
export { transferEntropyNetwork } from './network';
export { networkHtml } from './network-html';
export { mergeNetworks } from './network-merge';
export { adjacency, linksCsv, matrixCsv, networkGraphml } from './network-output';
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
