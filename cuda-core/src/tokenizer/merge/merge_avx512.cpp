// Up to 16 symbols and the ranks of their pairs stay in two registers: the lowest rank is a reduction, taking a symbol
// out is a compression.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 says this of its own reductions
#endif
#include <immintrin.h>

#include "tokenizer/merge/merge_tables.hpp"

namespace xcore::tokenizer {

size_t merge_short_avx512(const MergeTables& tables, uint32_t* ids, uint32_t* ranks, size_t count) {
  const auto lanes = static_cast<__mmask16>((1u << (count - 1)) - 1);
  const __m512i none = _mm512_set1_epi32(-1);
  __m512i r = _mm512_mask_loadu_epi32(none, lanes, ranks);
  __m512i s = _mm512_loadu_si512(ids);
  while (count > 1) {
    const uint32_t lowest = _mm512_reduce_min_epu32(r);
    if (lowest == kNoRank) break;
    const auto at = static_cast<unsigned>(__builtin_ctz(_mm512_cmpeq_epi32_mask(r, _mm512_set1_epi32(static_cast<int>(lowest)))));
    const uint32_t joined = tables.joined(lowest);
    // Symbol `at` becomes the joined one, symbol at + 1 goes; of the ranks, the one of the pair goes.
    const auto here = static_cast<__mmask16>(1u << at);
    s = _mm512_mask_set1_epi32(s, here, static_cast<int>(joined));
    s = _mm512_maskz_compress_epi32(static_cast<__mmask16>(~(2u << at)), s);
    r = _mm512_mask_compress_epi32(none, static_cast<__mmask16>(~here), r);
    _mm512_storeu_si512(ids, s);
    --count;
    if (at + 1 < count) r = _mm512_mask_set1_epi32(r, here, static_cast<int>(tables.rank(joined, ids[at + 1])));
    if (at > 0) {
      r = _mm512_mask_set1_epi32(r, static_cast<__mmask16>(here >> 1), static_cast<int>(tables.rank(ids[at - 1], joined)));
    }
  }
  return count;
}

namespace {

// Finds the next merge of a job; false when there is none.
bool choose(const MergeTables& tables, MergeJob& job, __m512i ranks) {
  job.lowest = _mm512_reduce_min_epu32(ranks);
  if (job.lowest == kNoRank) return false;
  job.at = static_cast<uint32_t>(__builtin_ctz(_mm512_cmpeq_epi32_mask(ranks, _mm512_set1_epi32(static_cast<int>(job.lowest)))));
  tables.prefetch_joined(job.lowest);
  return true;
}

}  // namespace

void merge_many_avx512(const MergeTables& tables, MergeJob* jobs, size_t count) {
  constexpr size_t kTogether = 32;
  const __m512i none = _mm512_set1_epi32(-1);
  MergeJob* active[kTogether];
  for (size_t begin = 0; begin < count; begin += kTogether) {
    size_t n = 0;
    for (size_t i = begin; i < count && i < begin + kTogether; ++i) {
      const auto lanes = static_cast<__mmask16>((1u << (jobs[i].count - 1)) - 1);
      const __m512i ranks = _mm512_mask_loadu_epi32(none, lanes, jobs[i].ranks);
      _mm512_storeu_si512(jobs[i].ranks, ranks);
      if (choose(tables, jobs[i], ranks)) active[n++] = &jobs[i];
    }
    while (n > 0) {
      for (size_t k = 0; k < n; ++k) {
        MergeJob& job = *active[k];
        const uint32_t joined = tables.joined(job.lowest), at = job.at;
        const auto here = static_cast<__mmask16>(1u << at);
        const __m512i s = _mm512_mask_set1_epi32(_mm512_load_si512(job.symbols), here, static_cast<int>(joined));
        _mm512_store_si512(job.symbols, _mm512_maskz_compress_epi32(static_cast<__mmask16>(~(2u << at)), s));
        _mm512_storeu_si512(job.ranks, _mm512_mask_compress_epi32(none, static_cast<__mmask16>(~here), _mm512_loadu_si512(job.ranks)));
        --job.count;
        if (at + 1 < job.count) tables.prefetch_rank(joined, job.symbols[at + 1]);
        if (at > 0) tables.prefetch_rank(job.symbols[at - 1], joined);
      }
      size_t left = 0;
      for (size_t k = 0; k < n; ++k) {
        MergeJob& job = *active[k];
        const uint32_t at = job.at;
        if (at + 1 < job.count) job.ranks[at] = tables.rank(job.symbols[at], job.symbols[at + 1]);
        if (at > 0) job.ranks[at - 1] = tables.rank(job.symbols[at - 1], job.symbols[at]);
        if (job.count > 1 && choose(tables, job, _mm512_loadu_si512(job.ranks))) active[left++] = &job;
      }
      n = left;
    }
  }
}

}  // namespace xcore::tokenizer
