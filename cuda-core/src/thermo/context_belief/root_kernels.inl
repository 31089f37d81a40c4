// The loops of context_belief.cpp over a square root; see RootKernels. Written with the compiler's vectors of eight doubles, which each instruction
// set carries out in as many registers as they take.
#include "thermo/context_belief/context_belief.hpp"

// Nothing here is called from elsewhere with vectors.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace xcore::thermo {
namespace {

constexpr int32_t kLanes = 8;
typedef double Lanes __attribute__((vector_size(kLanes * sizeof(double))));
// The same in memory, at any address of a double.
typedef double Stored __attribute__((vector_size(kLanes * sizeof(double)), aligned(sizeof(double)), may_alias));

inline Lanes load(const double* p) { return *reinterpret_cast<const Stored*>(p); }
inline void store(double* p, Lanes v) { *reinterpret_cast<Stored*>(p) = v; }
inline double sum_of(Lanes v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }

// Columns j .. j + 8 kWide of L' x: a sum a lane stays in a register over all rows.
template <int kWide>
inline void across_columns(const double* root, const double* x, int32_t size, int32_t stride, double* f) {
  Lanes sum[kWide] = {};
  for (int32_t i = 0; i < size; ++i, root += stride)
    for (int k = 0; k < kWide; ++k) sum[k] += load(root + k * kLanes) * x[i];
  for (int k = 0; k < kWide; ++k) store(f + k * kLanes, sum[k]);
}

// Sums that the registers hold, and that are enough for none to wait for the one before.
#if defined(__AVX512F__)
constexpr int kSums = 8;
#else
constexpr int kSums = 4;
#endif

void across(const double* root, const double* x, int32_t size, int32_t stride, double* f) {
  int32_t j = 0;
  for (; j + kSums * kLanes <= stride; j += kSums * kLanes) across_columns<kSums>(root + j, x, size, stride, f + j);
  for (; j < stride; j += kLanes) across_columns<1>(root + j, x, size, stride, f + j);
}

double dot(const double* x, const double* y, int32_t stride) {
  Lanes sum = {};
  for (int32_t j = 0; j < stride; j += kLanes) sum += load(x + j) * load(y + j);
  return sum_of(sum);
}

void times(const double* root, const double* f, int32_t size, int32_t stride, double* out) {
  int32_t i = 0;
  // Four rows at a time: their sums do not wait for each other.
  for (; i + 4 <= size; i += 4, root += 4 * static_cast<int64_t>(stride)) {
    Lanes sum[4] = {};
    for (int32_t j = 0; j < stride; j += kLanes) {
      const Lanes y = load(f + j);
      for (int k = 0; k < 4; ++k) sum[k] += load(root + k * static_cast<int64_t>(stride) + j) * y;
    }
    for (int k = 0; k < 4; ++k) out[i + k] = sum_of(sum[k]);
  }
  for (; i < size; ++i, root += stride) out[i] = dot(root, f, stride);
  for (; i < stride; ++i) out[i] = 0;
}

void lower(double* root, const double* g, const double* f, double factor, int32_t size, int32_t stride) {
  for (int32_t i = 0; i < size; ++i, root += stride) {
    const double scale = factor * g[i];
    for (int32_t j = 0; j < stride; j += kLanes) store(root + j, load(root + j) - load(f + j) * scale);
  }
}

}  // namespace
}  // namespace xcore::thermo
