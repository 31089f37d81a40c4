#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/cpu_features.hpp"
#include "thermo/ising/bitsliced/bitsliced_kernel.hpp"

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

void LaneThresholds::set_lanes(const AcceptancePlanes* lanes, int digits) {
  planes = 0;
  resolution = digits;
  any_odd = any_overflow = false;
  for (int r = 0; r < kLanes; ++r) {
    planes = std::max(planes, lanes[r].planes);
    any_odd |= lanes[r].odd != 0;
    any_overflow |= lanes[r].overflow != 0;
  }
  masks.assign(static_cast<size_t>(planes + any_odd + any_overflow) * (digits + 1), LaneRow{});
  for (int r = 0; r < kLanes; ++r) {
    LaneRow* row = masks.data();
    const auto spread = [&](uint32_t p) {
      for (int b = 0; b <= digits; ++b, ++row)
        if (plane_bit(p, digits, b)) row->flip(r);
    };
    for (int j = 0; j < planes; ++j) spread(j < lanes[r].planes ? lanes[r].digit[j] : 0);
    if (any_odd) spread(lanes[r].odd);
    if (any_overflow) spread(lanes[r].overflow);
  }
}

void bitsliced_sweep_portable(const BitslicedProgram& p, LaneRow* rows, LaneRandom& r, const LaneThresholds& t,
                              LaneRow* scratch, int32_t first, int32_t last) {
  sweep(p, rows, r, t, scratch, first, last);
}

void bitsliced_sweep(const BitslicedProgram& p, LaneRow* rows, LaneRandom& r, const LaneThresholds& t, LaneRow* scratch,
                     int32_t first, int32_t last) {
#if defined(__x86_64__)
  static const SweepKernel kernel = cpu_features().level >= CpuLevel::avx512 ? bitsliced_sweep_avx512
                                    : cpu_features().level >= CpuLevel::avx2 ? bitsliced_sweep_avx2
                                                                             : bitsliced_sweep_portable;
  kernel(p, rows, r, t, scratch, first, last);
#else
  bitsliced_sweep_portable(p, rows, r, t, scratch, first, last);
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

namespace {

constexpr int kTotalPlanes = 56;

// total += bit * 2^plane, in every lane.
XC_LANES void add_at(Lanes* total, Lanes bit, int plane) {
  for (bool any = true; any && plane < kTotalPlanes; ++plane) {
    const Lanes carry = total[plane] & bit;
    total[plane] ^= bit;
    bit = carry;
    any = false;
    for (int w = 0; w < kPartWords; ++w) any |= bit[w] != 0;
  }
}

void energies_of_part(const BitslicedProgram& p, const LaneRow* rows, LaneRow* scratch, int part, int64_t* energies) {
  Lanes* const column = reinterpret_cast<Lanes*>(scratch);
  Lanes* const carries = column + p.scratch_rows / 2;
  Lanes planes[kSumPlanes];
  // The sum of all A meets bonds between spins twice and fields once, so fields are also summed apart.
  Lanes total[kTotalPlanes] = {}, field[kTotalPlanes] = {};
  int64_t weights = 0, field_weights = 0;
  for (int32_t i = 0; i < p.n; ++i) {
    const auto& spin = p.spins[i];
    const Lanes self = load(rows[i], part);
    const int sums = satisfied_weight(p, spin, rows, part, self, column, carries, planes);
    for (int j = 0; j < sums; ++j) add_at(total, planes[j], j);
    weights += spin.weight;
    const int32_t* entry = p.entries.data() + spin.first_entry;
    for (int level = 0; level < spin.levels; ++level) {
      const auto bonds = p.levels[spin.first_level + level];
      for (int k = 0; k < bonds.antiferro + bonds.ferro; ++k, ++entry) {
        if (*entry != p.n) continue;
        add_at(field, k < bonds.antiferro ? ~self : self, level);
        field_weights += int64_t{1} << level;
      }
    }
  }
  // E = W - 2 A over bonds and over fields.
  for (int r = 0; r < 32 * kPartWords; ++r) {
    int64_t all = 0, fields = 0;
    for (int j = 0; j < kTotalPlanes; ++j) {
      all |= static_cast<int64_t>(total[j][r >> 5] >> (r & 31) & 1) << j;
      fields |= static_cast<int64_t>(field[j][r >> 5] >> (r & 31) & 1) << j;
    }
    const int64_t bonds = (all - fields) / 2, bond_weights = (weights - field_weights) / 2;
    energies[32 * kPartWords * part + r] = (bond_weights - 2 * bonds) + (field_weights - 2 * fields);
  }
}

}  // namespace

void bitsliced_energies(const BitslicedProgram& p, const LaneRow* rows, LaneRow* scratch, int64_t* energies) {
  for (int part = 0; part < kParts; ++part) energies_of_part(p, rows, scratch, part, energies);
}

}  // namespace xcore::thermo::ising
