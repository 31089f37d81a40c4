// Batches from host memory to host memory on the GPU, beside the CPU's threads, the bus, and the stages on the device.
#include <chrono>
#include <cstring>

#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/bench.hpp"
#include "tokenizer/encode_cuda/corpus_testing.hpp"
#include "tokenizer/encode_cuda/device_cuda.hpp"
#include "tokenizer/encode_cuda/encode_cuda.hpp"

namespace xcore::tokenizer {
namespace {

using namespace gpu;
using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

void bench_bus() {
  const cuda::Stream up(0), down(0);
  constexpr size_t kBytes = 256 << 20;
  cuda::PinnedBuffer<uint8_t> host(kBytes), other(kBytes);
  std::memset(host.data(), 1, kBytes);
  cuda::Buffer<uint8_t> device(kBytes, up), second(kBytes, down);
  const auto rate = [&](auto&& copies) {
    double best = 0;
    for (int i = 0; i < 3; ++i) {
      const auto start = Clock::now();
      copies();
      up.synchronize();
      down.synchronize();
      best = std::max(best, kBytes / seconds(start) / 1e9);
    }
    return best;
  };
  std::printf("bus, page-locked: to device %.1f GB/s", rate([&] { device.upload(host.data(), kBytes); }));
  std::printf(", to host %.1f", rate([&] { second.download(other.data(), kBytes); }));
  std::printf(", both at once %.1f each\n", rate([&] {
                device.upload(host.data(), kBytes);
                second.download(other.data(), kBytes);
              }));
}

struct Batch {
  std::vector<std::string> texts;
  std::vector<xc_text> views;
  size_t bytes = 0;
  explicit Batch(std::vector<std::string> t) : texts(std::move(t)) {
    views.reserve(texts.size());
    for (const auto& s : texts) {
      views.push_back({s.data(), s.size()});
      bytes += s.size();
    }
  }
};

// Milliseconds of each stage, and GB/s of all, for one chunk that lies on the device.
void bench_stages(const DeviceModel& model, const Batch& batch, uint32_t capacity, const cuda::Stream& stream, const char* name) {
  const auto parts = std::max(1u, capacity / 8);
  ChunkMemory memory(capacity, parts, stream);
  std::string text;
  std::vector<uint32_t> segments;
  for (const auto& t : batch.texts) {
    if (text.size() + t.size() > capacity) break;
    segments.push_back(static_cast<uint32_t>(text.size()));
    text += t;
  }
  const auto count = static_cast<uint32_t>(segments.size());
  segments.push_back(static_cast<uint32_t>(text.size()));
  const Chunk c = memory.chunk(static_cast<uint32_t>(text.size()), count);
  XC_CUDA(cudaMemcpyAsync(c.text, text.data(), text.size(), cudaMemcpyHostToDevice, stream));
  XC_CUDA(cudaMemcpyAsync(c.segments, segments.data(), segments.size() * 4, cudaMemcpyHostToDevice, stream));
  // Without learned pieces: the rounds see the same text, all of which would be known after the first.
  DeviceTables t = model.tables(XC_ENCODE_PARSE_SPECIAL);
  t.learned = {};
  constexpr int kStages = static_cast<int>(Stage::count);
  double best[kStages];
  std::fill(best, best + kStages, 1e9);
  double whole = 1e9;
  for (int round = 0; round < 6; ++round) {
    cuda::Event marks[kStages + 1];
    marks[0].record(stream);
    for (int s = 0; s < kStages; ++s) {
      switch (static_cast<Stage>(s)) {
        case Stage::clear: launch_clear(c, stream); break;
        case Stage::classify: launch_classify(t, c, stream); break;
        case Stage::mark: launch_mark(t, c, stream); break;
        case Stage::gather: launch_gather(c, stream); break;
        case Stage::lookup: launch_lookup(t, c, stream); break;
        case Stage::merge: launch_merge(t, c, stream); break;
        case Stage::emit: launch_emit(c, stream); break;
        case Stage::count: break;
      }
      marks[s + 1].record(stream);
    }
    stream.synchronize();
    for (int s = 0; s < kStages; ++s) best[s] = std::min<double>(best[s], cuda::Event::elapsed_ms(marks[s], marks[s + 1]));
    whole = std::min<double>(whole, cuda::Event::elapsed_ms(marks[0], marks[kStages]));
  }
  Totals totals;
  XC_CUDA(cudaMemcpyAsync(&totals, c.totals, sizeof totals, cudaMemcpyDeviceToHost, stream));
  stream.synchronize();
  std::printf("  on device %-12s %3u MB: %6.1f GB/s;", name, c.size >> 20, c.size / whole / 1e6);
  for (int s = 0; s < kStages; ++s) std::printf(" %s %.3f", kStageNames[s], best[s]);
  std::printf(" ms; %.2f B/piece, missed", double(c.size) / totals.pieces);
  for (const uint32_t m : totals.misses) std::printf(" %.2f", 100.0 * m / totals.pieces);
  std::printf("%%\n");
}

struct Result {
  EncodedBatch batch;
  std::vector<size_t> offsets;
  ~Result() { release_ids(batch.ids); }
};

}  // namespace

// Arguments: the corpus, MB, then tokenizers (json or gguf, or either with .gz); among them settings for those that follow,
// "4x16x2" for chunks of 4 MB, 16 workers, 2 chunks a worker; "sections" for the sections by themselves.
void bench_encode_cuda(int argc, char** argv) {
  if (argc < 4) {
    std::printf("encode-cuda CORPUS.gz MB TOKENIZER...\n");
    return;
  }
  bench_bus();
  const std::string text = corpus::read_gzip(argv[1]);
  const size_t bytes = static_cast<size_t>(std::atoi(argv[2])) << 20;
  const cuda::Stream stream(0);
  std::vector<EncodeCudaOptions> settings;
  bool sections = false;
  for (int a = 3; a < argc; ++a) {
    const std::string path = argv[a];
    EncodeCudaOptions setting;
    if (std::sscanf(argv[a], "%ux%dx%d", &setting.chunk, &setting.workers, &setting.depth) == 3) {
      setting.chunk <<= 20;
      settings.push_back(setting);
      continue;
    }
    if (path == "sections") {
      sections = true;
      continue;
    }
    const std::string content = path.size() > 3 && path.substr(path.size() - 3) == ".gz" ? corpus::read_gzip(path) : std::string();
    const auto tokenizer = content.empty() ? load_file(path) : load_bytes(content);
    const auto start = Clock::now();
    const Tables tables(*tokenizer);
    const double build = seconds(start);
    const DeviceModel model(tables, stream);
    std::printf("%s: tables %.1f MB, built in %.0f ms\n", path.c_str(), tables.bytes() / 1e6, build * 1e3);
    for (int s = -1; s < (sections ? 5 : 0); ++s) {
      const std::string section = s < 0 ? text : text.substr(corpus::kSections[s].begin, corpus::kSections[s].end - corpus::kSections[s].begin);
      const char* const name = s < 0 ? "all" : corpus::kSections[s].name;
      // Other documents in another order, other words changed, in every round: none sees a text that was learned from.
      std::vector<Batch> batches;
      for (uint64_t seed = 1; seed <= 3; ++seed) batches.emplace_back(corpus::shuffled_batch(corpus::documents(section, 8000), s < 0 ? bytes : bytes / 4, seed));
      const Batch& batch = batches[0];
      bench_stages(model, batch, 8u << 20, stream, name);
      if (s < 0) bench_stages(model, batch, 64u << 20, stream, name);
      if (settings.empty()) settings.emplace_back();
      for (const EncodeCudaOptions& o : settings) {
        if (s >= 0 && &o != &settings[0]) continue;
        const auto before = Clock::now();
        CudaBatchEncoder encoder(*tokenizer, 0, o);
        double best = 1e9, first = 0, last = 0;
        CudaBatchEncoder::Stats stats;
        size_t ids = 0;
        for (int round = 0; round < static_cast<int>(batches.size()); ++round) {
          const Batch& batch = batches[static_cast<size_t>(round)];
          Result r;
          r.offsets.resize(batch.views.size() + 1);
          r.batch.offsets = r.offsets.data();
          const auto begin = Clock::now();
          encoder.encode(batch.views.data(), batch.views.size(), XC_ENCODE_PARSE_SPECIAL | XC_ENCODE_ADD_SPECIAL, Control(), r.batch, &stats);
          last = seconds(begin);
          best = std::min(best, last);
          if (round == 0) first = seconds(before);
          ids = r.offsets.back();
        }
        std::printf("  host to host %-12s %3zu MB, %ux%dx%d: %6.2f GB/s (first %.0f ms), %.2f B/id, %.2f%% on the CPU; ms a worker: send %.1f device %.1f cpu %.1f receive %.1f order %.1f place %.1f of %.1f\n", name,
                    batch.bytes >> 20, o.chunk >> 20, o.workers, o.depth, batch.bytes / best / 1e9, first * 1e3, double(batch.bytes) / ids,
                    100.0 * stats.bytes_on_cpu / batch.bytes, stats.sending * 1e3 / o.workers, stats.device * 1e3 / o.workers,
                    stats.cpu * 1e3 / o.workers, stats.receiving * 1e3 / o.workers, stats.order * 1e3 / o.workers, stats.placing * 1e3 / o.workers, last * 1e3);
      }
    }
  }
}

}  // namespace xcore::tokenizer
