// IEEE 754 binary16 <-> binary32, and the block formats of the files. Rounding is to nearest, ties to even: bit for bit
// what F16C, AVX-512 and CUDA's __float2half_rn do. The functions have internal linkage on purpose: files compiled for
// different instruction sets include this header, and the linker must not give one of them another's code.
#pragma once

#include <cstdint>
#include <cstring>

namespace xcore::llm {

// As in the file: not aligned to more than two bytes.
struct BlockQ8_0 {
  uint16_t scale;  // binary16
  int8_t q[32];    // x = scale * q
};
struct BlockQ4_0 {
  uint16_t scale;  // binary16, may be negative
  uint8_t q[16];   // element j: low nibble of q[j], element j + 16: high nibble; x = scale * (nibble - 8)
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18, "the layout of the file");
inline constexpr int32_t kBlock = 32;

static inline float float_from_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t rest = h & 0x7FFFu;
  uint32_t bits;
  if (rest >= 0x7C00u) {  // infinity and NaN (quietened, as the hardware does)
    bits = sign | 0x7F800000u | ((rest & 0x3FFu) << 13);
    if (rest > 0x7C00u) bits |= 0x00400000u;
  } else if (rest >= 0x0400u) {
    bits = sign | ((rest << 13) + (112u << 23));
  } else {  // zero and subnormal: rest * 2^-24 is exact
    float magnitude = static_cast<float>(rest) * 0x1.0p-24f;
    std::memcpy(&bits, &magnitude, 4);
    bits |= sign;
  }
  float out;
  std::memcpy(&out, &bits, 4);
  return out;
}

static inline uint16_t half_from_float(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t rest = bits & 0x7FFFFFFFu;
  if (rest > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u | ((rest >> 13) & 0x3FFu));
  if (rest >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65520 and above
  if (rest < 0x38800000u) {                                              // below 2^-14: subnormal or zero
    float magnitude;
    std::memcpy(&magnitude, &rest, 4);
    magnitude += 0.5f;  // the addition rounds to a multiple of 2^-24, ties to even
    uint32_t rounded;
    std::memcpy(&rounded, &magnitude, 4);
    return static_cast<uint16_t>(sign | (rounded - 0x3F000000u));
  }
  const uint32_t rebased = rest - (112u << 23);
  return static_cast<uint16_t>(sign | ((rebased + 0x0FFFu + ((rebased >> 13) & 1u)) >> 13));
}

}  // namespace xcore::llm
