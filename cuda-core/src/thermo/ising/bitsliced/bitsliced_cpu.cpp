#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/cpu_features.hpp"
#include "thermo/ising/bitsliced/lane_sums.hpp"

namespace xcore::thermo::ising {

BitslicedProgram compile_bitsliced(const IntegerModel& m) {
  BitslicedProgram p;
  p.n = m.n;
  p.unit = m.unit;
  p.spins.resize(m.n);
  p.levels.reserve(m.n);
  size_t entries = 0;
  for (const auto* weights : {&m.couplings, &m.fields})
    for (const int32_t w : *weights) entries += static_cast<size_t>(__builtin_popcount(static_cast<uint32_t>(std::abs(w))));
  p.entries.reserve(entries);
  std::vector<std::pair<int32_t, uint32_t>> bonds[2];  // antiferromagnetic, ferromagnetic: row and size of each
  int64_t widest = 0;
  for (int32_t i = 0; i < m.n; ++i) {
    auto& spin = p.spins[i];
    spin.first_entry = static_cast<int64_t>(p.entries.size());
    spin.first_level = static_cast<int32_t>(p.levels.size());
    uint32_t weight = 0, digits = 0;
    for (auto& list : bonds) list.clear();
    const auto add = [&](int32_t row, int32_t w) {
      if (w == 0) return;
      const auto size = static_cast<uint32_t>(std::abs(w));
      bonds[w > 0].emplace_back(row, size);
      weight += size;
      digits |= size;
    };
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) add(m.neighbours[k], m.couplings[k]);
    add(m.n, m.fields[i]);
    spin.weight = weight;
    spin.levels = 0;
    int64_t column = 0;
    for (int level = 0; digits >> level != 0; ++level, ++spin.levels) {
      const auto take = [&](const auto& list) {
        const size_t before = p.entries.size();
        for (const auto& [row, size] : list)
          if (size >> level & 1) p.entries.push_back(row);
        return static_cast<int32_t>(p.entries.size() - before);
      };
      BitslicedProgram::Level part;
      part.antiferro = take(bonds[0]);
      part.ferro = take(bonds[1]);
      p.levels.push_back(part);
      column = part.antiferro + part.ferro + (column + 1) / 2;  // with the carries from below
      widest = std::max(widest, column);
    }
    p.largest_weight = std::max(p.largest_weight, weight);
  }
  p.scratch_rows = static_cast<int32_t>(2 * (widest + 1));
  return p;
}

AcceptancePlanes acceptance_planes(double beta_unit, uint32_t largest_weight, int resolution) {
  AcceptancePlanes out;
  const double q = std::exp(-2 * beta_unit), cutoff = std::ldexp(0.5, -resolution);
  // Rounded to the digits that will be read; 1 itself has no such digits, the largest fraction stands for it.
  const auto fraction = [&](double p) {
    const double scaled = std::floor(std::ldexp(p, resolution) + 0.5);
    const double most = std::ldexp(1.0, resolution) - 1;
    return static_cast<uint32_t>(std::min(scaled, most)) << (32 - resolution);
  };
  out.odd = fraction(q / (1 + q));
  double odds = q * q;  // of digit 1
  while (out.planes < AcceptancePlanes::kMost && odds > cutoff && (largest_weight >> out.planes) != 0) {
    out.digit[out.planes++] = fraction(odds / (1 + odds));
    odds *= odds;
  }
  if (odds > cutoff) out.overflow = fraction(odds);
  return out;
}

namespace {

// Row b of 0 .. digits of a plane of probability p.
bool plane_bit(uint32_t p, int digits, int b) {
  const auto digit = [&](int k) { return (p >> (32 - digits + k) & 1) != 0; };
  return b == 0 ? digit(0) : b == digits ? digit(digits - 1) : digit(b - 1) != digit(b);
}

}  // namespace

void LaneThresholds::set_uniform(const AcceptancePlanes& a, int digits) {
  planes = a.planes;
  resolution = digits;
  any_odd = a.odd != 0;
  any_overflow = a.overflow != 0;
  masks.resize(static_cast<size_t>(planes + any_odd + any_overflow) * (digits + 1));
  LaneRow* row = masks.data();
  const auto spread = [&](uint32_t p) {
    for (int b = 0; b <= digits; ++b, ++row) std::memset(row, plane_bit(p, digits, b) ? 0xFF : 0, sizeof *row);
  };
  for (int j = 0; j < planes; ++j) spread(a.digit[j]);
  if (any_odd) spread(a.odd);
  if (any_overflow) spread(a.overflow);
}

void LaneThresholds::set_lanes(const AcceptancePlanes* const* lanes, int digits) {
  planes = 0;
  resolution = digits;
  any_odd = any_overflow = false;
  for (int r = 0; r < kLanes; ++r) {
    planes = std::max(planes, lanes[r]->planes);
    any_odd |= lanes[r]->odd != 0;
    any_overflow |= lanes[r]->overflow != 0;
  }
  masks.resize(static_cast<size_t>(planes + any_odd + any_overflow) * (digits + 1));
  LaneRow* rows = masks.data();
  // With q the digits of p as a number, rows 0 .. digits are the bits of q ^ 2 q: the least digit, the differences, the first.
  const auto spread = [&](auto probability) {
    for (int w = 0; w < kLaneWords; ++w) {
      uint32_t bits[32];
      for (int l = 0; l < 32; ++l) {
        const uint32_t q = probability(*lanes[32 * w + l]) >> (32 - digits);
        bits[l] = q ^ q << 1;
      }
      transpose_bits(bits);
      for (int b = 0; b <= digits; ++b) rows[b].word[w] = bits[b];
    }
    rows += digits + 1;
  };
  for (int j = 0; j < planes; ++j) spread([j](const AcceptancePlanes& a) { return j < a.planes ? a.digit[j] : 0; });
  if (any_odd) spread([](const AcceptancePlanes& a) { return a.odd; });
  if (any_overflow) spread([](const AcceptancePlanes& a) { return a.overflow; });
}

const BitslicedKernels bitsliced_portable{sweep, energies, count};

const BitslicedKernels& bitsliced_kernels() {
#if defined(__x86_64__)
  static const BitslicedKernels& kernels = cpu_features().level >= CpuLevel::avx512 ? bitsliced_avx512
                                           : cpu_features().level >= CpuLevel::avx2 ? bitsliced_avx2
                                                                                    : bitsliced_portable;
  return kernels;
#else
  return bitsliced_portable;
#endif
}

void bitsliced_randomize(const BitslicedProgram& p, LaneRow* rows, LaneRandom& random) {
  for (int part = 0; part < kParts; ++part) {
    Xoshiro draws(random, part);
    for (int32_t i = 0; i < p.n; ++i) store(rows[i], part, draws.next());
    draws.save(random);
    store(rows[p.n], part, ~Lanes{});
  }
}

void bitsliced_randomize(const BitslicedProgram& p, LaneRow* rows, LaneRandom& random, const LaneRow& lanes) {
  for (int part = 0; part < kParts; ++part) {
    Xoshiro draws(random, part);
    const Lanes chosen = load(lanes, part);
    for (int32_t i = 0; i < p.n; ++i) {
      const Lanes now = load(rows[i], part);
      store(rows[i], part, now ^ ((now ^ draws.next()) & chosen));
    }
    draws.save(random);
  }
}

}  // namespace xcore::thermo::ising
