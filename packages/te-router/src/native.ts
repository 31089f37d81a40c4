import { loadAddon } from '@x/cuda-core/addon';
import type { EstimationAddon } from './estimation/native-estimation';
import type { NetworkAddon } from './network/native-network';

export type { NativeEstimate, NativeOptions } from './estimation/native-estimation';

interface Addon extends EstimationAddon, NetworkAddon {}

let loaded: Addon | undefined;

/** The addon, loaded on first use: a router that never asks for transfer entropy needs no native code. */
export function addon(): Addon {
  loaded ??= loadAddon<Addon>({ package: '@x/te-router', from: import.meta.url, domain: 'te', abi: 1 });
  return loaded;
}
