#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/cpu_features.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/ksg.hpp"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/network/ksg/ksg_pairs_lists.hpp"
#include "te/network/ksg/ksg_pairs_scan.hpp"

namespace xcore::te {
namespace {

// Plain arrays, which a compiler turns into whatever vectors the target has.
struct Portable {
  struct type {
    double v[4];
  };
  struct Count {
    int64_t v[4];
  };
  static constexpr int width = 4;
  template <class F>
  static type each(F&& f) {
    type out;
    for (int l = 0; l < width; ++l) out.v[l] = f(l);
    return out;
  }
  static type load(const double* p) { return each([&](int l) { return p[l]; }); }
  static type set(double x) { return each([&](int) { return x; }); }
  static void store(double* p, const type& a) {
    for (int l = 0; l < width; ++l) p[l] = a.v[l];
  }
  static type sub(const type& a, const type& b) { return each([&](int l) { return a.v[l] - b.v[l]; }); }
  static type mul(const type& a, const type& b) { return each([&](int l) { return a.v[l] * b.v[l]; }); }
  static void truncate(int32_t* to, const type& a) {
    for (int l = 0; l < width; ++l) to[l] = static_cast<int32_t>(a.v[l]);
  }
  static type min(const type& a, const type& b) { return each([&](int l) { return a.v[l] < b.v[l] ? a.v[l] : b.v[l]; }); }
  static type max(const type& a, const type& b) { return each([&](int l) { return a.v[l] > b.v[l] ? a.v[l] : b.v[l]; }); }
  static type far(const type& a, const type& b) {
    return each([&](int l) { return a.v[l] > __builtin_fabs(b.v[l]) ? a.v[l] : __builtin_fabs(b.v[l]); });
  }
  static Count zero_count() { return {{0, 0, 0, 0}}; }
  static Count add_less(Count c, const type& a, const type& b) {
    for (int l = 0; l < width; ++l) c.v[l] += a.v[l] < b.v[l];
    return c;
  }
  static bool all_less_equal(const type& a, const type& b) {
    bool all = true;
    for (int l = 0; l < width; ++l) all = all && a.v[l] <= b.v[l];
    return all;
  }
  static void store_count(int64_t* p, const Count& c) {
    for (int l = 0; l < width; ++l) p[l] = c.v[l];
  }
  static uint32_t less_mask(const type& a, const type& b) {
    uint32_t mask = 0;
    for (int l = 0; l < width; ++l) mask |= static_cast<uint32_t>(a.v[l] < b.v[l]) << l;
    return mask;
  }
  static int64_t count_within(const uint16_t* ranks, int64_t begin, int64_t end, uint16_t low, uint16_t last) {
    int64_t count = 0;
    for (int64_t j = begin; j < end; ++j) count += static_cast<uint16_t>(ranks[j] - low) <= last;
    return count;
  }
  static void append(double* to, uint32_t* ranks, uint32_t mask, const type& values, uint32_t first) {
    for (; mask; mask &= mask - 1) {
      const int lane = __builtin_ctz(mask);
      *to++ = values.v[lane], *ranks++ = first + static_cast<uint32_t>(lane);
    }
  }
};

struct Backend {
  PairsListsFunction lists;
  PairsScanFunction scan;
  int width;
};
Backend backend() {
#if defined(__x86_64__)
  if (cpu_features().level >= CpuLevel::avx512) return {pairs_lists_avx512, pairs_scan_avx512, 8};
  if (cpu_features().level >= CpuLevel::avx2) return {pairs_lists_avx2, pairs_scan_avx2, 4};
#endif
  return {pairs_lists_portable, pairs_scan_portable, 4};
}

constexpr int64_t kRows = 1024;          // between two looks at the cancel flag
constexpr int64_t kListBytes = 12 << 20;  // of one preparation

// One target's data in the order of its P. The columns have a margin of a vector on both sides.
struct Target {
  std::vector<uint32_t> order;
  std::vector<double> past_storage, future_storage;
  const double* past = nullptr;
  const double* future = nullptr;
  Scratch<int32_t> cells;
  RankLookup<double> lookup;  // of `past`
};
constexpr int64_t kMargin = kPairsWidestVector;

// One variable's column as a source: where values stand in it, and its rows' ranks.
struct SourceRanks {
  std::vector<double> sorted;  // with a margin of infinities
  std::vector<uint16_t> ranks;
  Scratch<int32_t> cells;
  RankLookup<double> lookup;
};

// The lookup of `sorted`, with n ascending values.
RankLookup<double> lookup_of(const double* sorted, int64_t n, Scratch<int32_t>& cells) {
  RankedColumn<double> column;
  column.sorted.assign(sorted, sorted + n);
  RankLookup<double> lookup = make_lookup(column, cells);
  lookup.sorted = sorted;
  return lookup;
}

class KsgPairsCpu final : public Pairs {
 public:
  explicit KsgPairsCpu(const KsgPairsProblem& problem)
      : p_(problem), c_(*problem.columns), psi_(digamma_table(c_.n + 1)), backend_(backend()), pitch_(c_.n + 2 * kMargin),
        rank_pitch_(c_.n + kPairsRankMargin), cap_(192) {
    if (p_.k > kPairsCpuMaxK)
      throw invalid_argument("k", "k is %d; networks take k up to %d", p_.k, kPairsCpuMaxK);
    by_ranks_ = c_.past_dims == 1 && c_.source_dims == 1 && p_.theiler == 0 && c_.n <= kPairsMost16;
    if (by_ranks_) rank_sources();
  }

  int32_t targets_at_once() const override {
    // A few for each thread: fresh memory costs more than small groups do.
    return static_cast<int32_t>(std::clamp<int64_t>(kListBytes / (c_.n * cap_ * 12), thread_pool().threads(), 64));
  }

  void prepare(int32_t from, int32_t to, const Control& control) override {
    from_ = from;
    targets_.resize(to - from);
    distances_.resize(static_cast<size_t>(to - from) * c_.n * cap_);
    ranks_.resize(distances_.size());
    limits_.resize(static_cast<size_t>(to - from) * c_.n);
    thread_pool().parallel_for(to - from, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) order_target(t);
    });
    const int64_t chunks = (c_.n + kRows - 1) / kRows;
    thread_pool().parallel_for((to - from) * chunks, 1, [&](int64_t begin, int64_t end) {
      std::vector<double> found_distances(cap_ + 2 * kMargin);
      std::vector<uint32_t> found_ranks(cap_ + 2 * kMargin);
      for (int64_t unit = begin; unit < end; ++unit) {
        control.throw_if_cancelled();
        const int64_t t = unit / chunks, first = unit % chunks * kRows;
        const Target& target = targets_[t];
        backend_.lists({c_.n, p_.theiler, c_.past_dims, cap_, pitch_, target.past, target.future, target.order.data(),
                        distances_.data() + t * c_.n * cap_, ranks_.data() + t * c_.n * cap_, limits_.data() + t * c_.n,
                        found_distances.data(), found_ranks.data()},
                       first, std::min(c_.n, first + kRows));
      }
    });
  }

  void originals(double* te, const Control& control) override {
    const int32_t v = c_.variables, blocks = (v + backend_.width - 1) / backend_.width;
    thread_pool().parallel_for(static_cast<int64_t>(targets_.size()) * blocks, 1, [&](int64_t begin, int64_t end) {
      Block block;
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t target = unit / blocks;
        const int32_t first = static_cast<int32_t>(unit % blocks) * backend_.width, many = std::min(backend_.width, v - first);
        const int32_t y = from_ + static_cast<int32_t>(target);
        double values[kPairsWidestVector];
        fill_block(target, many, [&](int lane) { return std::make_pair(first + lane, static_cast<const int32_t*>(nullptr)); }, block);
        scan(target, block, values, control);
        for (int lane = 0; lane < many; ++lane) {
          const int32_t x = first + lane;
          te[target * v + x] = c_.nothing(x, y) ? 0.0 : values[lane];
        }
      }
    });
  }

  void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te, const Control& control) override {
    const int32_t blocks = (count + backend_.width - 1) / backend_.width;
    thread_pool().parallel_for(pair_count * blocks, 1, [&](int64_t begin, int64_t end) {
      Block block;
      for (int64_t unit = begin; unit < end; ++unit) {
        const Pair pair = pairs[unit / blocks];
        const int32_t start = static_cast<int32_t>(unit % blocks) * backend_.width, many = std::min(backend_.width, count - start);
        double values[kPairsWidestVector] = {};
        if (!c_.nothing(pair.source, pair.target)) {
          fill_block(pair.target - from_, many,
                     [&](int lane) { return std::make_pair(pair.source, p_.permutations + (first + start + lane) * c_.n); }, block);
          scan(pair.target - from_, block, values, control);
        }
        std::copy_n(values, many, te + unit / blocks * count + start);
      }
    });
  }

 private:
  void rank_sources() {
    sources_.resize(c_.variables);
    thread_pool().parallel_for(c_.variables, 1, [&](int64_t begin, int64_t end) {
      RankedColumn<double> column;
      for (int64_t v = begin; v < end; ++v) {
        SourceRanks& source = sources_[v];
        rank_column(c_.source_of(static_cast<int32_t>(v)), c_.n, column);
        source.sorted.assign(c_.n + kMargin, std::numeric_limits<double>::infinity());
        std::copy(column.sorted.begin(), column.sorted.end(), source.sorted.begin());
        source.ranks.assign(column.rank.begin(), column.rank.end());
        source.lookup = lookup_of(source.sorted.data(), c_.n, source.cells);
      }
    });
  }

  void order_target(int64_t t) {
    const int64_t n = c_.n;
    Target& target = targets_[t];
    const double* past = c_.past_of(from_ + static_cast<int32_t>(t));
    const double* future = c_.future_of(from_ + static_cast<int32_t>(t));
    target.order.resize(n);
    std::iota(target.order.begin(), target.order.end(), 0u);
    std::sort(target.order.begin(), target.order.end(),
              [&](uint32_t a, uint32_t b) { return past[a] < past[b] || (past[a] == past[b] && a < b); });
    constexpr double inf = std::numeric_limits<double>::infinity();
    target.past_storage.assign(static_cast<size_t>(c_.past_dims) * pitch_, 0.0);
    target.future_storage.assign(pitch_, 0.0);
    std::fill_n(target.past_storage.begin(), kMargin, -inf);
    std::fill_n(target.past_storage.begin() + kMargin + n, kMargin, inf);
    for (int64_t r = 0; r < n; ++r) target.future_storage[kMargin + r] = future[target.order[r]];
    for (int32_t h = 0; h < c_.past_dims; ++h)
      for (int64_t r = 0; r < n; ++r) target.past_storage[h * pitch_ + kMargin + r] = past[h * n + target.order[r]];
    target.past = target.past_storage.data() + kMargin;
    target.future = target.future_storage.data() + kMargin;
    if (by_ranks_) target.lookup = lookup_of(target.past, n, target.cells);
  }

  // The values of some sources side by side in the order of a target, and what counts by ranks need of them.
  struct Block {
    std::vector<double> values, columns;
    std::vector<uint16_t> ranks;
    const RankLookup<double>* lookups[kPairsWidestVector];
    double cells[3 * kPairsWidestVector];
  };

  // column(lane): the variable and its permutation. Lanes beyond `many` repeat the first.
  template <class F>
  void fill_block(int64_t t, int many, F&& column, Block& block) const {
    const int64_t n = c_.n;
    const int width = backend_.width;
    const uint32_t* order = targets_[t].order.data();
    block.values.resize(static_cast<size_t>(c_.source_dims) * pitch_ * width);  // margins stay zero
    if (by_ranks_) {
      block.ranks.resize(static_cast<size_t>(width) * rank_pitch_);
      block.columns.resize(static_cast<size_t>(width) * pitch_);
    }
    for (int lane = 0; lane < width; ++lane) {
      const auto [variable, permutation] = column(lane < many ? lane : 0);
      for (int32_t h = 0; h < c_.source_dims; ++h) {
        const double* from = c_.source_of(variable) + h * n;
        double* to = block.values.data() + (h * pitch_ + kMargin) * width + lane;
        for (int64_t r = 0; r < n; ++r) to[r * width] = from[permutation ? permutation[order[r]] : order[r]];
      }
      if (!by_ranks_) continue;
      const SourceRanks& source = sources_[variable];
      uint16_t* ranks = block.ranks.data() + lane * rank_pitch_;
      double* values = block.columns.data() + lane * pitch_ + kMargin;
      for (int64_t r = 0; r < n; ++r) values[r] = block.values[(kMargin + r) * width + lane];
      for (int64_t r = 0; r < n; ++r) ranks[r] = source.ranks[permutation ? permutation[order[r]] : order[r]];
      block.lookups[lane] = &source.lookup;
      block.cells[lane] = source.lookup.low, block.cells[width + lane] = source.lookup.scale;
      block.cells[2 * width + lane] = source.lookup.cells - 1;
    }
  }

  void scan(int64_t t, const Block& block, double* values, const Control& control) const {
    const int64_t n = c_.n;
    const Target& target = targets_[t];
    double sums[kPairsWidestVector] = {};
    const PairsScan scan{n, p_.k, p_.theiler, c_.past_dims, c_.source_dims, cap_, pitch_, target.past, target.future,
                         target.order.data(), distances_.data() + t * n * cap_, ranks_.data() + t * n * cap_,
                         limits_.data() + t * n, pitch_, block.values.data() + kMargin * backend_.width, psi_.data(),
                         by_ranks_ ? &target.lookup : nullptr, block.lookups, block.cells, block.columns.data() + kMargin, block.ranks.data(), rank_pitch_, sums};
    for (int64_t begin = 0; begin < n; begin += kRows) {
      control.throw_if_cancelled();
      backend_.scan(scan, begin, std::min(n, begin + kRows));
    }
    for (int lane = 0; lane < backend_.width; ++lane) values[lane] = psi_[p_.k] + sums[lane] / static_cast<double>(n);
  }

  const KsgPairsProblem p_;
  const Columns& c_;
  const std::vector<double> psi_;
  const Backend backend_;
  const int64_t pitch_;       // of a target's columns
  const int64_t rank_pitch_;  // of a block's ranks
  const int32_t cap_;
  int32_t from_ = 0;
  bool by_ranks_ = false;
  std::vector<SourceRanks> sources_;
  std::vector<Target> targets_;
  std::vector<double> distances_, limits_;  // [target][n][cap], [target][n]
  std::vector<uint32_t> ranks_;
};

}  // namespace

void pairs_lists_portable(const PairsLists& lists, int64_t begin, int64_t end) { fill_lists<Portable>(lists, begin, end); }
void pairs_scan_portable(const PairsScan& scan, int64_t begin, int64_t end) { scan_pairs<Portable>(scan, begin, end); }

std::unique_ptr<Pairs> ksg_pairs_cpu(const KsgPairsProblem& problem) { return std::make_unique<KsgPairsCpu>(problem); }

}  // namespace xcore::te
