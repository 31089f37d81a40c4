import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { run } from '../cli/main';
import {
  adjacency,
  linksCsv,
  matrixCsv,
  networkGraphml,
  networkHtml,
  type TransferEntropyNetwork,
  transferEntropyNetwork,
} from '../index';
import { linearNetwork } from './network.test-util';

const series = linearNetwork(
  4,
  300,
  [
    [0, 1, 0.9, 1],
    [2, 3, 0.9, 1],
  ],
  1,
);
const names = ['plain', 'a,"b"', '<i>&', '</script><script>alert(1)//'];
let network: TransferEntropyNetwork;
beforeAll(async () => {
  network = await transferEntropyNetwork(series, {
    estimator: 'gaussian',
    analytic: true,
    alpha: 0.001,
    device: 'cpu',
  });
});

describe('outputs', () => {
  it('adjacency has a row a source', () => {
    expect([...adjacency(network)].flatMap((v, m) => (v ? [m] : []))).toEqual([1, 11]);
  });

  it('CSV quotes names and keeps every digit', () => {
    const [, first] = linksCsv(network, names).split('\r\n');
    expect(first).toContain('plain,"a,""b""",');
    expect(Number(first!.split(',').at(-4))).toBe(network.te[1]);
    const rows = matrixCsv(network).trim().split('\r\n');
    expect(rows.length).toBe(5);
    expect(Number(rows[1]!.split(',')[2])).toBe(network.te[1]);
  });

  it('GraphML escapes names and holds each link', () => {
    const xml = networkGraphml(network, names);
    expect(xml).toContain('&lt;i&gt;&amp;');
    expect(xml.match(/<edge /g)).toHaveLength(2);
    expect(xml).not.toMatch(/<script/);
  });

  it('the page asks nothing of a network and no name can leave its place', () => {
    const page = networkHtml(network, { names, series, title: '<b>' });
    expect(page).not.toMatch(/(src|href)=|https?:(?!\/\/www\.w3\.org)/);
    expect(page).not.toContain('<script>alert');
    expect(page.match(/<script/g)).toHaveLength(2);
    const data = JSON.parse(/id="data">(.*?)<\/script>/s.exec(page)![1]!);
    expect(data.names).toEqual(names);
    expect(data.te).toHaveLength(16);
    expect(data.series[0]).toHaveLength(300);
  });

  it('names of a wrong number are refused', () => {
    expect(() => linksCsv(network, ['a'])).toThrow(/4 strings/);
  });
});

describe('the command line', () => {
  const columns = ['time;label', 'x', 'y', 'z', 'w'];
  const table = [
    columns.join(','),
    ...Array.from({ length: 300 }, (_, t) =>
      [`day ${t}`, ...[0, 1, 2, 3].map((v) => series.values[v * 300 + t])].join(','),
    ),
  ].join('\n');

  it('reads the numeric columns of a CSV file and writes every kind of output', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'te-network-'));
    const file = join(folder, 'series.csv');
    await writeFile(file, table);
    const out = ['n.json', 'n.csv', 'n.matrix.csv', 'n.graphml', 'n.html'].map((name) => join(folder, name));
    expect(await run(['network', file, '-e', 'gaussian', '--analytic', '-a', '0.001', '-d', 'cpu', '-o', ...out])).toBe(
      0,
    );
    const json = JSON.parse(await readFile(out[0]!, 'utf8'));
    expect(json.names).toEqual(['x', 'y', 'z', 'w']);
    expect(json.te).toEqual([...network.te]);
    expect(await readFile(out[1]!, 'utf8')).toContain('x,y,');
    expect(await readFile(out[4]!, 'utf8')).toContain('<canvas');
  });

  it('says what is wrong with a file and ends with 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'te-network-'));
    for (const [name, text] of [
      ['ragged.csv', 'a,b\n1,2\n3\n'],
      ['words.csv', 'a,b\nx,y\n'],
      ['bad.parquet', 'PAR1 no'],
      ['empty.csv', ''],
    ] as const) {
      await writeFile(join(folder, name), text);
      expect(await run(['network', join(folder, name)]), name).toBe(1);
    }
    expect(await run(['network', join(folder, 'absent.csv')])).toBe(1);
  });
});
