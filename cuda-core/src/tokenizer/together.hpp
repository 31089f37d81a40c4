// Two pieces of work at once, where there are two threads.
#pragma once

#include "runtime/thread_pool.hpp"

namespace xcore::tokenizer {

// One after the other where there is one thread. Loops over all threads inside of either run on the thread that it is on.
template <class F, class G>
void together(F&& first, G&& second) {
  thread_pool().parallel_for(2, 1, [&](int64_t begin, int64_t end) {
    for (; begin < end; ++begin) {
      if (begin == 0) {
        first();
      } else {
        second();
      }
    }
  });
}

}  // namespace xcore::tokenizer
