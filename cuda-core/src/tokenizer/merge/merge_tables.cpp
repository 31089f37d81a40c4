#include "tokenizer/merge/merge_tables.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/cpu_features.hpp"
#include "tokenizer/vocabulary.hpp"

namespace xcore::tokenizer {

alignas(64) const uint64_t MergeTables::kFreeLine[kLine] = {kFree, kFree, kFree, kFree, kFree, kFree, kFree, kFree};

Large<PairTable::Entry> by_rank(const PairTable& pairs) {
  Large<PairTable::Entry> out;
  out.reserve(pairs.size());
  pairs.each([&](const PairTable::Entry& e) { out.push_back(e); });
  std::sort(out.begin(), out.end(), [](const PairTable::Entry& a, const PairTable::Entry& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.left != b.left ? a.left < b.left : a.right < b.right;
  });
  return out;
}

MergeTables::MergeTables(const PairTable& pairs, const uint32_t* byte_token) {
  Large<PairTable::Entry> list = by_rank(pairs);
  *this = MergeTables(list, false, byte_token);
}

MergeTables::MergeTables(Large<PairTable::Entry>& pairs, bool last_counts, const uint32_t* byte_token) {
  uint32_t symbols = 0;
  bool fits = !pairs.empty();
  for (const PairTable::Entry& e : pairs) {
    fits = fits && e.left < kMaxSymbols && e.right < kMaxSymbols && e.joined < kMaxSymbols && e.rank < kRankMask;
    symbols = std::max({symbols, e.left + 1, e.right + 1, e.joined + 1});
  }
  if (!fits) return;
  reserve(pairs.size(), pairs.back().rank + 1);
  uint64_t* const slots = slots_.writable();
  uint32_t* const makes = joined_.writable();
  size_t repeated = 0;
  const auto add = [&](PairTable::Entry& e) {
    const uint64_t pair = key(e.left, e.right);
    uint64_t& slot = slots[place(pair)];
    if (slot != kFree) {
      e.rank = kNoRank;
      ++repeated;
      return;
    }
    fits = fits && (makes[e.rank] == kNoId || makes[e.rank] == e.joined);
    slot = pair << kRankBits | e.rank;
    filter(pair);
    makes[e.rank] = e.joined;
  };
  constexpr size_t kAhead = 16;
  for (size_t n = 0, count = pairs.size(); n < count; ++n) {
    const auto at = [&](size_t k) -> PairTable::Entry& { return pairs[last_counts ? count - 1 - k : k]; };
    if (n + kAhead < count) prefetch_rank(at(n + kAhead).left, at(n + kAhead).right);
    add(at(n));
  }
  if (!fits) {
    *this = MergeTables();
    return;
  }
  if (repeated) pairs.erase(std::remove_if(pairs.begin(), pairs.end(), [](const PairTable::Entry& e) { return e.rank == kNoRank; }), pairs.end());
  Large<uint32_t> made_by(symbols, 0);  // highest rank + 1 that makes the symbol
  for (const PairTable::Entry& e : pairs) made_by[e.joined] = std::max(made_by[e.joined], e.rank + 1);
  monotone_ = true;
  for (const PairTable::Entry& e : pairs) monotone_ = monotone_ && made_by[e.left] <= e.rank && made_by[e.right] <= e.rank;
  // Ranks of no pair make anything that is there, so that no table of an image can make nothing.
  std::replace(makes, makes + joined_.size(), kNoId, uint32_t{0});
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
  const uint64_t pair = key(left, right);
  slots_.writable()[place(pair)] = pair << kRankBits | rank;
  joined_.writable()[rank] = joined;
  filter(pair);
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
