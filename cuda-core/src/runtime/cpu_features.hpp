// What this processor can do. Kernels are compiled once per instruction set in files of their own (*_avx2.cpp,
// *_avx512.cpp, *_amx.cpp; the build gives each its flags) and chosen here at run time.
#pragma once

#include <string>

namespace xcore {

enum class CpuLevel { portable = 0, avx2 = 1, avx512 = 2, amx = 3 };

struct CpuFeatures {
  bool avx2 = false;         // with FMA, F16C and BMI2
  bool avx512 = false;       // F, BW, CD, DQ, VL
  bool avx512_vnni = false;  // dot products of int8
  bool avx512_vbmi2 = false;
  bool avx512_bf16 = false;
  bool amx_int8 = false;  // tiles granted by the kernel as well
  bool amx_bf16 = false;
  // The highest level all of whose parts are present: avx512 includes VNNI, amx includes avx512 and int8 tiles.
  CpuLevel level = CpuLevel::portable;
};

// Read once. XCORE_CPU=portable|avx2|avx512|amx lowers the level (never raises it): for tests and for bug reports.
const CpuFeatures& cpu_features();
std::string describe(const CpuFeatures&);

}  // namespace xcore
