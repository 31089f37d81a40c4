#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "llm/bench.hpp"
#include "llm/executor.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

void bench_model(const std::string& path) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [](Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); };
  auto start = Clock::now();
  const auto model = load_model(gguf::File::open(path));
  const auto executor = make_cpu_executor(model);
  const double load = seconds(start);
  const int32_t context = std::min(model->context_length, 1024), prompt = std::min(128, context / 2), decoded = std::min(64, context - prompt);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < prompt; ++i) ids.push_back((i * 7919 + 13) % model->vocabulary);
  const auto sequence = executor->create_sequence(context);
  double prefill = 1e30, decode = 1e30;
  for (int round = 0; round < 5; ++round) {
    sequence->truncate(0);
    start = Clock::now();
    auto choice = executor->forward_greedy(*sequence, ids.data(), prompt, {});
    prefill = std::min(prefill, seconds(start));
    start = Clock::now();
    for (int32_t i = 0; i < decoded; ++i) choice = executor->forward_greedy(*sequence, &choice.id, 1, {});
    decode = std::min(decode, seconds(start));
  }
  std::printf("%s: %d threads, load %.2f ms, prefill %d: %.0f tok/s, decode: %.0f tok/s (%.1f GB/s)\n", path.c_str(), thread_pool().threads(),
              load * 1e3, prompt, prompt / prefill, decoded / decode, static_cast<double>(model->weight_bytes()) * decoded / decode * 1e-9);
}

}  // namespace xcore::llm
