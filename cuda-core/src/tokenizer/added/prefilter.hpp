// Where a token may begin, by its first two bytes: every token is in one of eight buckets, and a place is a candidate when
// the nibbles of both bytes agree on a bucket (the idea of Teddy, in Intel's Hyperscan: Wang et al., NSDI 2019). Text in
// which no token can begin is passed at several bytes a cycle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace xcore::tokenizer {

struct Prefilter {
  // Buckets by the low and high nibble of the first and the second byte.
  alignas(32) uint8_t low[2][16] = {};
  alignas(32) uint8_t high[2][16] = {};

  void add(std::string_view token, uint32_t bucket);
  bool passes(uint8_t first, uint8_t second) const {
    return (low[0][first & 15] & high[0][first >> 4] & low[1][second & 15] & high[1][second >> 4]) != 0;
  }
};

// The first candidate in [at, end), or end. The last byte counts as followed by anything.
const uint8_t* next_candidate(const Prefilter& filter, const uint8_t* at, const uint8_t* end);
const uint8_t* next_candidate_avx2(const Prefilter& filter, const uint8_t* at, const uint8_t* end);  // stops within 33 bytes of end

}  // namespace xcore::tokenizer
