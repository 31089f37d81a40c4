import { InvalidArgumentError } from '@x/cuda-core';
import { numberIn, objectIn, refuse, shown } from '@x/cuda-core/addon';
import type { TransferEntropyNetwork } from './network';

/**
 * A network as it may come from another process: its matrix and links are what they say.
 *
 * @throws InvalidArgumentError naming the field.
 */
export function networkIn(network: TransferEntropyNetwork, field = 'network'): TransferEntropyNetwork {
  objectIn(network, field);
  const variables = numberIn(network.variables, `${field}.variables`, { min: 2, integer: true });
  if (!(network.te instanceof Float64Array) || network.te.length !== variables * variables)
    refuse(`${field}.te`, `${field}.te must be a Float64Array of ${variables} x ${variables} numbers.`);
  if (!Array.isArray(network.links))
    refuse(`${field}.links`, `${field}.links is ${shown(network.links)}; it must be an array.`);
  network.links.forEach((link, i) => {
    objectIn(link, `${field}.links[${i}]`);
    for (const end of ['source', 'target'] as const)
      numberIn(link[end], `${field}.links[${i}].${end}`, { min: 0, max: variables - 1, integer: true });
  });
  return network;
}

/** 1 where there is a link, else 0; row = source, column = target. */
export function adjacency(network: TransferEntropyNetwork): Uint8Array {
  const { variables, links } = networkIn(network);
  const out = new Uint8Array(variables * variables);
  for (const { source, target } of links) out[source * variables + target] = 1;
  return out;
}

/** The names of the variables, `V0`, `V1`, ... when none are given. */
export function variableNames(network: TransferEntropyNetwork, names?: readonly string[]): readonly string[] {
  networkIn(network);
  if (names === undefined) return Array.from({ length: network.variables }, (_, v) => `V${v}`);
  if (!Array.isArray(names) || names.length !== network.variables || !names.every((name) => typeof name === 'string'))
    throw new InvalidArgumentError(`names must be ${network.variables} strings, one a variable`, { field: 'names' });
  return names;
}

const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const number = (value: number | undefined): string => (value === undefined || Number.isNaN(value) ? '' : String(value));

/** Links as CSV (RFC 4180), a header first: source, target, te, lag, pValue, qValue. */
export function linksCsv(network: TransferEntropyNetwork, names?: readonly string[]): string {
  const name = variableNames(network, names).map(quoted);
  const rows = network.links.map(({ source, target, te, lag, pValue, qValue }) =>
    [name[source], name[target], number(te), lag, number(pValue), number(qValue)].join(','),
  );
  return `${['source,target,te,lag,pValue,qValue', ...rows].join('\r\n')}\r\n`;
}

/** The matrix `te` as CSV, names in the first row (targets) and column (sources); what was not estimated is empty. */
export function matrixCsv(network: TransferEntropyNetwork, names?: readonly string[]): string {
  const name = variableNames(network, names).map(quoted);
  const { te, variables } = network;
  const rows = name.map((row, x) =>
    [row, ...Array.from(te.subarray(x * variables, (x + 1) * variables), number)].join(','),
  );
  return `${[['', ...name].join(','), ...rows].join('\r\n')}\r\n`;
}

// Control characters have no place in XML at all, not even escaped.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to leave out
const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
export const escaped = (text: string): string =>
  text
    .replace(UNWRITABLE, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');

/** Links as GraphML, a directed graph with `te`, `lag` and, where tested, `pValue` and `qValue` on its edges. */
export function networkGraphml(network: TransferEntropyNetwork, names?: readonly string[]): string {
  const name = variableNames(network, names);
  const data = (key: string, value: number | undefined): string =>
    value === undefined || !Number.isFinite(value) ? '' : `<data key="${key}">${value}</data>`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
    '<key id="name" for="node" attr.name="name" attr.type="string"/>',
    '<key id="te" for="edge" attr.name="te" attr.type="double"/>',
    '<key id="lag" for="edge" attr.name="lag" attr.type="int"/>',
    '<key id="pValue" for="edge" attr.name="pValue" attr.type="double"/>',
    '<key id="qValue" for="edge" attr.name="qValue" attr.type="double"/>',
    '<graph id="network" edgedefault="directed">',
    ...name.map((text, v) => `<node id="n${v}"><data key="name">${escaped(text)}</data></node>`),
    ...network.links.map(
      ({ source, target, te, lag, pValue, qValue }) =>
        `<edge source="n${source}" target="n${target}">${data('te', te)}${data('lag', lag)}${data('pValue', pValue)}${data('qValue', qValue)}</edge>`,
    ),
    '</graph>',
    '</graphml>',
    '',
  ].join('\n');
}
