// Microseconds a draw from vocabularies of usual sizes, at each CPU level.
#include <chrono>
#include <cstdio>

#include "llm/bench.hpp"
#include "llm/sampler/sampler.hpp"
#include "runtime/philox.hpp"

namespace xcore::llm {

void bench_sampler() {
  struct Case {
    const char* name;
    Sampling sampling;
  };
  const Case cases[] = {{"greedy", {0, 0, 1}}, {"T=1", {1, 0, 1}}, {"T=0.8 k=40", {0.8, 40, 1}}, {"T=0.8 p=0.9", {0.8, 0, 0.9}}, {"T=0.8 k=40 p=0.9", {0.8, 40, 0.9}}};
  std::printf("vocabulary  options             level       us/draw\n");
  for (const int32_t count : {4096, 32000, 128256}) {
    std::vector<float> logits(static_cast<size_t>(count));
    Philox random(1);
    for (float& l : logits) l = 3 * static_cast<float>(random.next_normal());
    for (const Case& c : cases) {
      for (const CpuLevel level : {CpuLevel::portable, CpuLevel::avx2}) {
        if (level > cpu_features().level) continue;
        Sampler sampler;
        const int draws = 4'000'000 / count;
        int64_t ids = 0;
        const auto start = std::chrono::steady_clock::now();
        for (int i = 0; i < draws; ++i) ids += sampler.sample(logits.data(), count, c.sampling, (i % 97) / 97.0, level).id;
        const double us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
        std::printf("%10d  %-18s  %-8s  %9.1f  (ids %lld)\n", count, c.name, level == CpuLevel::portable ? "portable" : "avx2",
                    us / draws, static_cast<long long>(ids));
      }
    }
  }
}

}  // namespace xcore::llm
