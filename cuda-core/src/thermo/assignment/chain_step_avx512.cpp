// chain_step.inl with vectors written out: compilers do not look values up by agent in registers. Same bits.
#include <immintrin.h>

// GCC 12 takes the undefined lanes of its own intrinsics for a defect.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include "thermo/assignment/chain_step.inl"

namespace xcore::thermo {
namespace {

// A table of one value an agent: in one, two or four registers, or in memory.
enum class Table { eight, sixteen, thirty_two, memory };

template <Table kind>
struct Lookup {
  const double* memory;
  __m512d a, b, c, d;
  Lookup(const double* values, int32_t count) : memory(values) {
    const auto part = [&](int from) {
      const int n = count - from;
      return n <= 0 ? _mm512_setzero_pd() : _mm512_maskz_loadu_pd(n >= 8 ? 0xFF : (1 << n) - 1, values + from);
    };
    if constexpr (kind != Table::memory) a = part(0);
    if constexpr (kind == Table::sixteen || kind == Table::thirty_two) b = part(8);
    if constexpr (kind == Table::thirty_two) c = part(16), d = part(24);
  }
  __m512d operator()(__m256i index) const {
    const __m512i wide = _mm512_cvtepi32_epi64(index);
    if constexpr (kind == Table::eight) return _mm512_permutexvar_pd(wide, a);
    if constexpr (kind == Table::sixteen) return _mm512_permutex2var_pd(a, wide, b);
    if constexpr (kind == Table::thirty_two)
      return _mm512_mask_blend_pd(_mm512_test_epi64_mask(wide, _mm512_set1_epi64(16)), _mm512_permutex2var_pd(a, wide, b),
                                  _mm512_permutex2var_pd(c, wide, d));
    if constexpr (kind == Table::memory) return _mm512_i32gather_pd(index, memory, 8);
  }
};

inline __m512d row_energy(__m512d slack, __m512d left, __m512d over) {
  return _mm512_max_pd(_mm512_mul_pd(left, slack), _mm512_mul_pd(_mm512_xor_pd(over, _mm512_set1_pd(-0.0)), slack));
}

template <Table kind>
int32_t step(const ChainStep& c) {
  const int32_t n = c.jobs;
  const Lookup<kind> in_hand(c.reduced_in_hand, c.agents);
  const __m256i here = _mm256_set1_epi32(c.here);
  const auto mask_of = [n](int32_t j) { return static_cast<__mmask8>(n - j >= 8 ? 0xFF : (1 << (n - j)) - 1); };
  for (int32_t j = 0; j < n; j += 8) {
    const __mmask8 k = mask_of(j);
    const __m256i agent = _mm256_maskz_loadu_epi32(k, c.agent_of + j);
    const __m512d stay = _mm512_maskz_mov_pd(_mm256_cmpeq_epi32_mask(agent, here), _mm512_set1_pd(1e30));
    __m512d move = _mm512_sub_pd(_mm512_maskz_loadu_pd(k, c.reduced_here + j), _mm512_maskz_loadu_pd(k, c.reduced_now + j));
    move = _mm512_add_pd(_mm512_add_pd(move, _mm512_maskz_loadu_pd(k, c.barred + j)), stay);
    _mm512_mask_storeu_pd(c.open + j, k, move);
    _mm512_mask_storeu_pd(c.closed + j, k, _mm512_add_pd(move, in_hand(agent)));
  }
  for (int32_t s = 0; s < c.layers; ++s) {
    const ChainLayer& l = c.layer[s];
    const Lookup<kind> use_in_hand(l.use_in_hand, c.agents);
    const int32_t at = l.budget ? 0 : c.here;
    const __m512d slack = _mm512_set1_pd(l.slack[at]), left = _mm512_set1_pd(l.left[at]), over = _mm512_set1_pd(l.over[at]);
    const __m512d before = row_energy(slack, left, over);
    const int32_t entries = l.budget ? 1 : c.agents;
    const Lookup<kind> slacks(l.slack, entries), lefts(l.left, entries), overs(l.over, entries);
    for (int32_t j = 0; j < n; j += 8) {
      const __mmask8 k = mask_of(j);
      const __m256i agent = _mm256_maskz_loadu_epi32(k, c.agent_of + j);
      const __m512d fills = _mm512_maskz_loadu_pd(k, l.use_here + j), now = _mm512_maskz_loadu_pd(k, l.use_now + j);
      __m512d open = _mm512_maskz_loadu_pd(k, c.open + j), closed = _mm512_maskz_loadu_pd(k, c.closed + j);
      if (l.budget) {
        const __m512d after = _mm512_add_pd(_mm512_sub_pd(slack, fills), now);
        open = _mm512_add_pd(open, _mm512_sub_pd(row_energy(after, left, over), before));
        closed = _mm512_add_pd(
            closed, _mm512_sub_pd(row_energy(_mm512_sub_pd(after, use_in_hand(agent)), left, over), before));
      } else {
        const __m512d fill = _mm512_sub_pd(row_energy(_mm512_sub_pd(slack, fills), left, over), before);
        const __m512d there = slacks(agent), left_there = lefts(agent), over_there = overs(agent);
        const __m512d there_before = row_energy(there, left_there, over_there);
        open = _mm512_add_pd(open, _mm512_sub_pd(fill, there_before));
        const __m512d after = _mm512_sub_pd(_mm512_add_pd(there, now), use_in_hand(agent));
        closed = _mm512_add_pd(closed, _mm512_sub_pd(_mm512_add_pd(fill, row_energy(after, left_there, over_there)), there_before));
      }
      _mm512_mask_storeu_pd(c.open + j, k, open);
      _mm512_mask_storeu_pd(c.closed + j, k, closed);
    }
  }
  // The first of the least closed scores.
  __m512d least = _mm512_set1_pd(1e300);
  for (int32_t j = 0; j < n; j += 8) least = _mm512_mask_min_pd(least, mask_of(j), least, _mm512_maskz_loadu_pd(mask_of(j), c.closed + j));
  const __m512d best = _mm512_set1_pd(_mm512_reduce_min_pd(least));
  for (int32_t j = 0; j < n; j += 8) {
    const __mmask8 k = _mm512_mask_cmp_pd_mask(mask_of(j), _mm512_maskz_loadu_pd(mask_of(j), c.closed + j), best, _CMP_EQ_OQ);
    if (k) return j + __builtin_ctz(k);
  }
  return 0;
}

}  // namespace

int32_t chain_step_avx512(const ChainStep& c) {
  if (c.agents <= 8) return step<Table::eight>(c);
  if (c.agents <= 16) return step<Table::sixteen>(c);
  if (c.agents <= 32) return step<Table::thirty_two>(c);
  return step<Table::memory>(c);
}

}  // namespace xcore::thermo
