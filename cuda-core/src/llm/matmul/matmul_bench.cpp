#include "llm/matmul/matmul.hpp"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include "llm/bench.hpp"
#include "runtime/philox.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

using gguf::TensorType;

static double seconds_per_call(double budget, const std::function<void()>& call) {
  call();
  double best = 1e30;
  const auto start = std::chrono::steady_clock::now();
  for (auto now = start; std::chrono::duration<double>(now - start).count() < budget;) {
    const auto before = now;
    call();
    now = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<double>(now - before).count());
  }
  return best;
}

void bench_matmul(double budget) {
  // Larger than the caches, as the weights of a decoder step are.
  constexpr int32_t kRows = 32768, kColumns = 4096, kTokens = 128;
  std::printf("%d x %d weights, %d threads\n", kRows, kColumns, thread_pool().threads());
  std::vector<uint64_t> memory(static_cast<size_t>(64) << 20 >> 3, 1);
  std::vector<uint64_t> sums(64);
  const double plain = seconds_per_call(budget, [&] {
    thread_pool().parallel_for(64, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        const uint64_t* p = memory.data() + part * static_cast<int64_t>(memory.size() / 64);
        uint64_t sum[8] = {};
        for (size_t i = 0; i < memory.size() / 64; i += 8)
          for (size_t lane = 0; lane < 8; ++lane) sum[lane] += p[i + lane];
        for (const uint64_t s : sum) sums[static_cast<size_t>(part)] += s;
      }
    });
  });
  std::printf("plain read              %7.2f GB/s\n", static_cast<double>(memory.size()) * 8e-9 / plain);
  Philox random(1);
  std::vector<float> x(static_cast<size_t>(kTokens) * kColumns);
  for (float& v : x) v = static_cast<float>(random.next_normal());
  std::vector<int8_t> q(x.size());
  std::vector<float> scale(x.size() / 32), out(static_cast<size_t>(kTokens) * kRows);
  quantize_rows_cpu(x.data(), kTokens, kColumns, {q.data(), scale.data()});
  const Activations activations{x.data(), {q.data(), scale.data()}};
  static const char* const levels[] = {"portable", "avx2", "avx512", "amx"};
  for (const TensorType type : {TensorType::f32, TensorType::f16, TensorType::q8_0, TensorType::q4_0}) {
    const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(type));
    const int32_t rows = type == TensorType::f32 ? kRows / 4 : kRows;
    Matrix w{nullptr, type, rows, kColumns, static_cast<uint64_t>(kColumns) / traits.block_size * traits.block_bytes};
    std::vector<uint8_t> bytes(static_cast<size_t>(rows) * w.row_bytes, 0x2C);  // small normal numbers in every type
    w.data = bytes.data();
    for (int level = 0; level <= static_cast<int>(cpu_features().level); ++level) {
      const double one = seconds_per_call(budget, [&] { matmul_cpu({{&w, out.data()}}, activations, 1, static_cast<CpuLevel>(level)); });
      Matrix part = w;  // fewer rows: the portable level is slow
      part.rows = level == 0 ? 64 : 2048;
      const double many = seconds_per_call(budget, [&] { matmul_cpu({{&part, out.data()}}, activations, kTokens, static_cast<CpuLevel>(level)); });
      std::printf("%-5s %-9s 1 token %7.2f GB/s   %d tokens %8.1f GMAC/s\n", traits.name, levels[level],
                  static_cast<double>(bytes.size()) * 1e-9 / one, kTokens, 1e-9 * part.rows * kColumns * kTokens / many);
    }
  }
}

}  // namespace xcore::llm
