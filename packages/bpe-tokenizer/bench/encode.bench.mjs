// Throughput of encode on the sections of the reference corpus, in MB (1e6 bytes of UTF-8) a second of CPU time:
//   node bench/encode.bench.mjs [tokenizer, default llama3.2]    (reference data: reference.mjs)
// "cold" is the first pass over a section after another text, "warm" the second. When @huggingface/tokenizers is
// installed it runs beside, on the first 200 kB of each section.
import { Tokenizer } from '@x/bpe-tokenizer';
import { corpus, tokenizerJson } from './reference.mjs';

const name = process.argv[2] ?? 'llama3.2';
const { bytes: corpusBytes, sections } = corpus();
const file = tokenizerJson(name);

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
for (const [section, [begin, end]] of sections) {
  const documents = inDocuments(corpusBytes.subarray(begin, end));
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
