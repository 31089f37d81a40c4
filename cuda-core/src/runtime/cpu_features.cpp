#include "runtime/cpu_features.hpp"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace xcore {

#if defined(__x86_64__)
static uint64_t enabled_register_state() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

// Linux gives the 8 KB of tile state only to processes that ask.
static bool request_amx_tiles() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
#else
  return false;
#endif
}

static CpuFeatures detect() {
  CpuFeatures f;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return f;
  const bool osxsave = c & (1u << 27), fma = c & (1u << 12), f16c = c & (1u << 29), avx = c & (1u << 28);
  if (!osxsave || !avx) return f;
  const uint64_t state = enabled_register_state();
  const bool ymm = (state & 0x6) == 0x6, zmm = (state & 0xE6) == 0xE6, tiles = (state & 0x60000) == 0x60000;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return f;
  f.avx2 = ymm && fma && f16c && (b & (1u << 5)) && (b & (1u << 8));
  const uint32_t avx512_bits = (1u << 16) | (1u << 17) | (1u << 28) | (1u << 30) | (1u << 31);  // F DQ CD BW VL
  f.avx512 = f.avx2 && zmm && (b & avx512_bits) == avx512_bits;
  f.avx512_vnni = f.avx512 && (c & (1u << 11));
  f.avx512_vbmi2 = f.avx512 && (c & (1u << 1)) && (c & (1u << 6));
  const bool amx_tile = d & (1u << 24), amx_int8 = d & (1u << 25), amx_bf16 = d & (1u << 22);
  uint32_t a1, b1, c1, d1;
  if (__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1)) f.avx512_bf16 = f.avx512 && (a1 & (1u << 5));
  if (tiles && amx_tile && f.avx512_vnni && request_amx_tiles()) {
    f.amx_int8 = amx_int8;
    f.amx_bf16 = amx_bf16;
  }
  return f;
}
#else
static CpuFeatures detect() { return {}; }
#endif

static CpuLevel level_limit() {
  const char* text = std::getenv("XCORE_CPU");
  if (!text) return CpuLevel::amx;
  if (!std::strcmp(text, "portable")) return CpuLevel::portable;
  if (!std::strcmp(text, "avx2")) return CpuLevel::avx2;
  if (!std::strcmp(text, "avx512")) return CpuLevel::avx512;
  return CpuLevel::amx;
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = [] {
    CpuFeatures f = detect();
    const CpuLevel limit = level_limit();
    if (limit < CpuLevel::amx) f.amx_int8 = f.amx_bf16 = false;
    if (limit < CpuLevel::avx512) f.avx512 = f.avx512_vnni = f.avx512_vbmi2 = f.avx512_bf16 = false;
    if (limit < CpuLevel::avx2) f.avx2 = false;
    f.level = f.amx_int8 && f.avx512_vbmi2      ? CpuLevel::amx
              : f.avx512_vnni && f.avx512_vbmi2 ? CpuLevel::avx512
              : f.avx2                          ? CpuLevel::avx2
                                                : CpuLevel::portable;
    return f;
  }();
  return features;
}

std::string describe(const CpuFeatures& f) {
  std::string out;
  const auto add = [&](bool present, const char* name) {
    if (present) out += (out.empty() ? "" : ",") + std::string(name);
  };
  add(f.avx2, "avx2");
  add(f.avx512, "avx512");
  add(f.avx512_vnni, "vnni");
  add(f.avx512_vbmi2, "vbmi2");
  add(f.avx512_bf16, "avx512_bf16");
  add(f.amx_int8, "amx_int8");
  add(f.amx_bf16, "amx_bf16");
  return out.empty() ? "portable" : out;
}

}  // namespace xcore
