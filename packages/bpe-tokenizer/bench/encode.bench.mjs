// Throughput of encode on the sections of the reference corpus, in MB (1e6 bytes of UTF-8) a second of CPU time:
//   node bench/encode.bench.mjs [folder of the reference data] [tokenizer, default llama3.2]
// "cold" is the first pass over a section after another text, "warm" the second. When @huggingface/tokenizers is
// installed it runs beside, on the first 200 kB of each section.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Tokenizer } from '@x/bpe-tokenizer';

const folder = join(process.argv[2] ?? process.env.X_REFERENCE_DIR ?? '../../../shared', 'reference', 'bpe');
const name = process.argv[3] ?? 'llama3.2';
const corpus = gunzipSync(readFileSync(join(folder, 'corpus_public.txt.gz')));
const sections = JSON.parse(readFileSync(join(folder, 'corpus_index.json'), 'utf8'));
const file = gunzipSync(readFileSync(join(folder, 'assets', 'tokenizer_json', `${name}.json.gz`)));

const cpuMs = (action) => {
  const start = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const inDocuments = (bytes) =>
  Array.from({ length: Math.ceil(bytes.length / 8192) }, (_, i) => bytes.toString('utf8', i * 8192, (i + 1) * 8192));

let tokenizer;
const load = cpuMs(() => {
  tokenizer = Tokenizer.fromBytes(file);
});
let rival;
try {
  const { Tokenizer: Rival } = await import('@huggingface/tokenizers');
  rival = new Rival(JSON.parse(file.toString()), {});
} catch {
  // Not installed: the column stays empty.
}

const rows = [];
for (const [section, [begin, end]] of Object.entries(sections.public)) {
  const documents = inDocuments(corpus.subarray(begin, end));
  let ids = 0;
  const pass = () => {
    ids = 0;
    for (const text of documents) ids += tokenizer.encode(text).length;
  };
  const megabytes = (end - begin) / 1e6;
  const row = { section, 'MB/s cold': megabytes / (cpuMs(pass) / 1000), 'MB/s warm': megabytes / (cpuMs(pass) / 1000) };
  row['bytes/token'] = (end - begin) / ids;
  if (rival) {
    const few = documents.slice(0, 24);
    row['@huggingface/tokenizers'] =
      (few.length * 8192) / 1e6 / (cpuMs(() => few.map((text) => rival.encode(text))) / 1000);
  }
  rows.push(Object.fromEntries(Object.entries(row).map(([k, v]) => [k, typeof v === 'number' ? +v.toFixed(2) : v])));
}
const short = 'The quick brown fox jumps over the lazy dog, and 42 more animals follow it home in the evening light.';
const calls = 200_000;
const shortMs = cpuMs(() => {
  for (let i = 0; i < calls; i++) tokenizer.encode(short);
});
console.log(
  `${name}: loaded in ${load.toFixed(0)} ms of CPU; ${((shortMs * 1000) / calls).toFixed(2)} us for ${short.length} characters`,
);
console.table(rows);
