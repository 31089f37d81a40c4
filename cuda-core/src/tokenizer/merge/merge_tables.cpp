#include "tokenizer/merge/merge_tables.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/cpu_features.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

alignas(64) const uint64_t MergeTables::kFreeLine[kLine] = {kFree, kFree, kFree, kFree, kFree, kFree, kFree, kFree};

MergeTables::MergeTables(const PairTable& pairs, const uint32_t* byte_token) {
  uint32_t ranks = 0, symbols = 0;
  bool fits = pairs.size() > 0;
  pairs.each([&](const PairTable::Entry& e) {
    fits = fits && e.left < kMaxSymbols && e.right < kMaxSymbols && e.joined < kMaxSymbols && e.rank < kRankMask;
    ranks = std::max(ranks, e.rank + 1);
    symbols = std::max({symbols, e.left + 1, e.right + 1, e.joined + 1});
  });
  if (!fits) return;
  std::vector<uint32_t> makes(ranks, kNoId);
  std::vector<uint32_t> made_by(symbols, 0);  // highest rank + 1 that makes the symbol
  pairs.each([&](const PairTable::Entry& e) {
    uint32_t& j = makes[e.rank];
    if (j != kNoId && j != e.joined) fits = false;
    j = e.joined;
    made_by[e.joined] = std::max(made_by[e.joined], e.rank + 1);
  });
  if (!fits) return;
  reserve(pairs.size(), ranks);
  monotone_ = true;
  pairs.each([&](const PairTable::Entry& e) {
    monotone_ = monotone_ && made_by[e.left] <= e.rank && made_by[e.right] <= e.rank;
    insert(e.left, e.right, e.rank, e.joined);
  });
  count_joined();
  if (!byte_token) return;
  byte_ranks_ = Flat<uint32_t>(65536, kNoRank);
  for (size_t a = 0; a < 256; ++a) {
    for (size_t b = 0; b < 256; ++b) {
      if (byte_token[a] < kMaxSymbols && byte_token[b] < kMaxSymbols) {
        byte_ranks_.writable()[a << 8 | b] = rank(byte_token[a], byte_token[b]);
      }
    }
  }
}

void MergeTables::reserve(size_t pairs, uint32_t ranks) {
  size_t capacity = 64;
  while (capacity < pairs * 2) capacity *= 2;
  slots_ = Flat<uint64_t>(capacity, kFree);
  joined_ = Flat<uint32_t>(ranks, kNoId);
  filter_ = Flat<uint64_t>((capacity << kFilterBits) / 64, 0);
  mask_ = capacity - 1;
  shift_ = 64 - __builtin_ctzll(capacity);
}

void MergeTables::insert(uint32_t left, uint32_t right, uint32_t rank, uint32_t joined) {
  const uint64_t k = key(left, right);
  slots_.writable()[place(k)] = k << kRankBits | rank;
  joined_.writable()[rank] = joined;
  filter(k);
}

namespace {

using Many = void (*)(const MergeTables&, MergeJob*, size_t);
Many vector_merge() {
#if defined(__x86_64__)
  const CpuFeatures& cpu = cpu_features();
  if (cpu.avx512_vbmi2) return merge_many_avx512;
  if (cpu.avx2 && cpu.level >= CpuLevel::avx2) return merge_many_avx2;
#endif
  return nullptr;
}

}  // namespace

// All ranks side by side; after a merge only two of them change.
size_t MergeTables::merge_short(uint32_t* ids, uint32_t* ranks, size_t count) const {
  while (count > 1) {
    uint32_t lowest = kNoRank;
    size_t at = 0;
    for (size_t i = 0; i + 1 < count; ++i) {
      if (ranks[i] < lowest) {
        lowest = ranks[i];
        at = i;
      }
    }
    if (lowest == kNoRank) break;
    ids[at] = joined(lowest);
    std::memmove(ids + at + 1, ids + at + 2, (count - at - 2) * sizeof *ids);
    if (at + 2 < count) std::memmove(ranks + at, ranks + at + 1, (count - at - 2) * sizeof *ranks);
    --count;
    if (at + 1 < count) ranks[at] = rank(ids[at], ids[at + 1]);
    if (at > 0) ranks[at - 1] = rank(ids[at - 1], ids[at]);
  }
  return count;
}

void MergeTables::merge_many(MergeJob* jobs, size_t count) const {
  static const Many vector = vector_merge();
  if (vector) return vector(*this, jobs, count);
  for (size_t i = 0; i < count; ++i) jobs[i].count = static_cast<uint32_t>(merge_short(jobs[i].symbols, jobs[i].ranks, jobs[i].count));
}

size_t MergeTables::merge(uint32_t* ids, size_t count, MergeScratch& scratch) const {
  if (count < 2) return count;
  if (count > MergeJob::kMost) return merge_long(ids, count, scratch);
  MergeJob job;
  std::memcpy(job.symbols, ids, count * sizeof *ids);
  for (size_t i = 0; i + 1 < count; ++i) job.ranks[i] = rank(ids[i], ids[i + 1]);
  job.count = static_cast<uint32_t>(count);
  merge_many(&job, 1);
  std::memcpy(ids, job.symbols, job.count * sizeof *ids);
  return job.count;
}

}  // namespace xcore::tokenizer
