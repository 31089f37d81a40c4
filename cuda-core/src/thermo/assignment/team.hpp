// At most so many threads of the pool on a list of tasks. Which thread runs a task is left open; what it computes must
// not depend on it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "runtime/thread_pool.hpp"

namespace xcore::thermo {

class Team {
 public:
  explicit Team(int threads) : threads_(threads) {}
  template <class F>
  void run(int tasks, F&& task) const {
    const int hands = std::min({tasks, threads_ > 0 ? threads_ : thread_pool().threads(), 64});
    if (hands <= 1) {
      for (int t = 0; t < tasks; ++t) task(t);
      return;
    }
    std::atomic<int> next{0};
    thread_pool().parallel_for(hands, 1, [&](int64_t, int64_t) {
      for (int t; (t = next.fetch_add(1)) < tasks;) task(t);
    });
  }

 private:
  int threads_;
};

}  // namespace xcore::thermo
