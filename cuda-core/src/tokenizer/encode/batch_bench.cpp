// Batches through the function table, as applications call it: the CPU engine on 1, 2, 4 ... threads, and batches of
// growing size on the CPU and, where there is one, on the GPU, which is what `auto` decides by.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/bench.hpp"
#include "tokenizer/encode_cuda/corpus_testing.hpp"

extern "C" const void* xc_tokenizer_table_v1(void);

namespace xcore::tokenizer {
namespace {

const auto* const table = static_cast<const xc_tokenizer_table*>(xc_tokenizer_table_v1());

struct Batch {
  std::vector<std::string> texts;
  std::vector<xc_text> views;
  std::vector<size_t> offsets;
  size_t bytes = 0;
  Batch(const std::vector<std::string>& documents, size_t size, uint64_t seed) : texts(corpus::shuffled_batch(documents, size, seed)) {
    for (const auto& s : texts) {
      views.push_back({s.data(), s.size()});
      bytes += s.size();
    }
    offsets.resize(texts.size() + 1);
  }
  double gb_per_second(const xc_tokenizer* tokenizer, xc_device device) {
    const auto begin = std::chrono::steady_clock::now();
    uint32_t* ids = nullptr;
    xc_error error{};
    if (table->encode_batch_on(tokenizer, views.data(), views.size(), XC_ENCODE_PARSE_SPECIAL | XC_ENCODE_ADD_SPECIAL, device, nullptr, &ids,
                               offsets.data(), nullptr, &error) != XC_OK) {
      std::printf(" %s", error.message);
      return 0;
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    table->release_ids(ids);
    return static_cast<double>(bytes) / seconds / 1e9;
  }
};

void bench(const std::string& path, const std::vector<std::string>& documents, size_t size) {
  const std::string content = corpus::read_gzip(path);
  xc_tokenizer* tokenizer = nullptr;
  xc_error error{};
  if (table->open_bytes(reinterpret_cast<const uint8_t*>(content.data()), content.size(), &tokenizer, &error) != XC_OK) {
    std::printf("%s: %s\n", path.c_str(), error.message);
    return;
  }
  std::printf("%s, %zu MB: GB/s of a batch's text, three unlike batches in turn from empty caches\n", path.c_str(), size >> 20);
  std::vector<Batch> batches;
  for (uint64_t seed = 11; seed < 14; ++seed) batches.emplace_back(documents, size, seed);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  double one = 0;
  for (int threads = 1; threads <= cores; threads *= 2) {
    thread_pool().set_threads(threads);
    table->clear_cache(tokenizer);
    std::printf("  CPU, %2d threads:", threads);
    double last = 0;
    for (Batch& b : batches) std::printf(" %.3f", last = b.gb_per_second(tokenizer, kCpu));
    one = threads == 1 ? last : one;
    std::printf(", the last %.2f times that of one thread\n", last / one);
  }
  if (cuda_device_count() > 0) {
    for (size_t mb = 1; mb <= 128; mb *= 2) {
      const int rounds = mb < 16 ? 4 : 3;
      std::printf("  %3zu MB: CPU", mb);
      std::vector<Batch> own;
      for (int r = 0; r < rounds; ++r) own.emplace_back(documents, mb << 20, mb * 100 + static_cast<uint64_t>(r));
      for (Batch& b : own) std::printf(" %.2f", b.gb_per_second(tokenizer, kCpu));
      std::printf("  GPU");
      for (Batch& b : own) std::printf(" %.2f", b.gb_per_second(tokenizer, cuda_device(0)));
      std::printf("\n");
    }
  }
  table->release(tokenizer);
}

}  // namespace

int bench_batch(int argc, char** argv) {
  if (argc < 4) {
    std::printf("batch CORPUS.gz MB TOKENIZER.gz...\n");
    return 1;
  }
  const auto documents = corpus::documents(corpus::read_gzip(argv[1]), 8000);
  for (int a = 3; a < argc; ++a) bench(argv[a], documents, static_cast<size_t>(std::atoi(argv[2])) << 20);
  return 0;
}

}  // namespace xcore::tokenizer
