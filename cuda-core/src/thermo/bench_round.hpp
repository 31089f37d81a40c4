// Timing of one round of a bench.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "xcore/core.h"

// Prints the median time of a round, with the items a second. Includes the transfers to and from a GPU.
template <class F>
void bench_round(const char* name, xc_device device, double items, F&& round) {
  using Clock = std::chrono::steady_clock;
  round();
  std::vector<double> times;
  for (double spent = 0; spent < 0.5 || times.size() < 5;) {
    const auto start = Clock::now();
    round();
    times.push_back(std::chrono::duration<double>(Clock::now() - start).count());
    spent += times.back();
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  const double median = times[times.size() / 2];
  std::printf("%-40s %s  %10.3f ms  %10.3f M/s\n", name, device.kind == XC_DEVICE_CPU ? "cpu " : "cuda", median * 1e3,
              items / median * 1e-6);
}
