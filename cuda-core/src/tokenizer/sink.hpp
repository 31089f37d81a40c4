// Where ids go.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xcore::tokenizer {

// Receives ids; counts those beyond its capacity without writing them. What lies between `count` and `capacity` may be
// overwritten with anything. Capacity 0 counts alone, which is faster.
struct Sink {
  uint32_t* out;
  size_t capacity;
  size_t count = 0;
  size_t stop_after = SIZE_MAX;  // encoding may end early once there are more ids than this

  // With room for so many more than there are ids, encoding writes to `out` alone.
  static constexpr size_t kSlack = 16;

  void push(uint32_t id) {
    if (count < capacity) out[count] = id;
    ++count;
  }
  bool stopped() const { return count > stop_after; }
};

}  // namespace xcore::tokenizer
