#include <cstring>

#include "tokenizer/image/format.hpp"

namespace xcore::tokenizer::image {
namespace {

constexpr uint64_t kMultiplier = 0x9ddfea08eb382d69ull;

// For either argument fixed, one-to-one in the other.
inline uint64_t mixed(uint64_t h, uint64_t word) {
  h = (h ^ word) * kMultiplier;
  return h ^ h >> 32;
}

}  // namespace

uint64_t checksum(const void* data, size_t bytes, uint64_t seed) {
  // Eight sums side by side: a multiplication has to wait for the one before.
  constexpr size_t kLanes = 8;
  uint64_t lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = seed + i + 1;
  const char* p = static_cast<const char*>(data);
  size_t left = bytes;
  for (; left >= sizeof lanes; left -= sizeof lanes, p += sizeof lanes) {
    uint64_t words[kLanes];
    std::memcpy(words, p, sizeof words);
    for (size_t i = 0; i < kLanes; ++i) lanes[i] = mixed(lanes[i], words[i]);
  }
  uint64_t rest[kLanes] = {};
  if (left) std::memcpy(rest, p, left);
  uint64_t h = seed ^ bytes;
  for (size_t i = 0; i < kLanes; ++i) h = mixed(h, mixed(lanes[i], rest[i]));
  return h;
}

}  // namespace xcore::tokenizer::image
