#include "thermo/ising/dense/dense_anneal.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/cpu_features.hpp"
#include "thermo/ising/crossover/partition_crossover.hpp"
#include "thermo/ising/dense/dense_kernel.hpp"
#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr int32_t kFewestSpins = 64;
constexpr int kShare = 10;  // from a tenth of all pairs on

// value(k): of entry k of the sparse rows.
template <class Weight, class Value>
std::vector<Weight> matrix_of(const Model& m, int64_t stride, Value value) {
  std::vector<Weight> out(static_cast<size_t>(m.n) * stride);
  for (int32_t i = 0; i < m.n; ++i)
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) out[i * stride + m.neighbours[k]] = static_cast<Weight>(value(k));
  return out;
}

}  // namespace

bool dense_pays(const Model& m) {
  return m.n >= kFewestSpins && m.n <= kMostDenseSpins && 2 * m.edges() * kShare >= static_cast<int64_t>(m.n) * (m.n - 1);
}

DenseModel::DenseModel(const Model& m) : model(m), stride((m.n + kDenseLanes - 1) / kDenseLanes * kDenseLanes) {
  // Sums of whole numbers below 2^24 are exact as floats.
  const IntegerModel integers = to_integers(m, INT16_MAX);
  int32_t most = 0;
  for (const int32_t w : integers.couplings) most = std::max(most, std::abs(w));
  if (integers.exact) {
    unit = integers.unit;
    const auto value = [&](int64_t k) { return integers.couplings[k]; };
    if (most <= INT8_MAX) {
      narrow = matrix_of<int8_t>(m, stride, value);
    } else {
      wide = matrix_of<int16_t>(m, stride, value);
    }
  } else {
    double largest = 0;
    for (const double w : m.couplings) largest = std::max(largest, std::fabs(w));
    int exponent;
    std::frexp(largest, &exponent);
    unit = std::ldexp(1.0, exponent);
    real = matrix_of<float>(m, stride, [&](int64_t k) { return m.couplings[k] / unit; });
  }
  fields.assign(stride, 0.0f);
  for (int32_t i = 0; i < m.n; ++i) fields[i] = static_cast<float>(std::clamp(m.fields[i] / unit, -1e30, 1e30));
  // In units of the typical local field the transition of the Sherrington-Kirkpatrick model is at 1 (D. Sherrington,
  // S. Kirkpatrick, Phys. Rev. Lett. 35, 1792 (1975)).
  double squares = 0;
  for (const double w : m.couplings) squares += w / unit * (w / unit);
  const double scale = std::sqrt(squares / m.n);
  hot = 1.0 * scale;
  reheat = 0.35 * scale;
  cold = 0.06 * scale;
}

DenseRandom::DenseRandom(uint64_t seed, uint64_t stream) {
  for (int l = 0; l < kDenseLanes; ++l) {
    Philox draws(seed, stream, static_cast<uint64_t>(4 * l));
    for (auto& words : state) words[l] = draws.next_u32();
    state[0][l] |= 1;  // the state 0 is a fixed point
  }
}

const DenseKernels dense_portable{sweep, local_fields};

const DenseKernels& dense_kernels() {
#if defined(__x86_64__)
  static const DenseKernels& kernels = cpu_features().level >= CpuLevel::avx512 ? dense_avx512
                                       : cpu_features().level >= CpuLevel::avx2 ? dense_avx2
                                                                                : dense_portable;
  return kernels;
#else
  return dense_portable;
#endif
}

DensePopulation::DensePopulation(const DenseModel& dense, uint64_t seed, uint64_t stream)
    : dense_(dense), draws_(seed, 2 * stream), random_(seed, 2 * stream + 1), spins_(dense.stride, 1.0f),
      local_fields_(dense.stride), best_(dense.model.n, 1), best_energy_(INFINITY),
      sweeps_(dense_sweeps(dense.model)) {}

void DensePopulation::seed_with(const int8_t* spins) { start_.assign(spins, spins + dense_.model.n); }

void DensePopulation::random_spins() {
  for (int32_t i = 0; i < dense_.model.n; ++i) spins_[i] = random_.next_u32() & 1 ? 1.0f : -1.0f;
}

void DensePopulation::descend_now() {
  constexpr int kMostSweeps = 64;  // rounded fields might go in circles
  for (int k = 0; k < kMostSweeps; ++k)
    if (dense_kernels().sweep(dense_, spins_.data(), local_fields_.data(), 0, draws_) == 0) break;
}

// In units.
double DensePopulation::energy_now() const {
  double twice = 0;
  for (int32_t i = 0; i < dense_.model.n; ++i)
    twice += static_cast<double>(spins_[i]) * (double{local_fields_[i]} + dense_.fields[i]);
  return -twice / 2;
}

void DensePopulation::take(Lineage& lineage) {
  const double energy = energy_now();
  if (energy < lineage.energy) {
    stagnant_ = 0;
  } else if (++stagnant_; energy > lineage.energy) {
    return;
  }
  lineage.spins = spins_;
  lineage.energy = energy;
  if (energy * dense_.unit >= best_energy_) return;
  // What is told is computed from the spins, and a local minimum of the model itself.
  std::vector<int8_t> state(dense_.model.n);
  for (int32_t i = 0; i < dense_.model.n; ++i) state[i] = spins_[i] > 0 ? 1 : -1;
  if (!dense_.real.empty()) descend(dense_.model, state.data());
  const double exact = dense_.model.energy(state.data());
  if (exact >= best_energy_) return;
  best_energy_ = exact;
  best_ = state;
}

void DensePopulation::start_anew() {
  lineages_.clear();
  stagnant_ = 0;
  sweeps_ = std::min(2 * sweeps_, kMostSweeps);
}

}  // namespace xcore::thermo::ising
