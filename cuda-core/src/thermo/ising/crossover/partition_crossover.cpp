#include "thermo/ising/crossover/partition_crossover.hpp"

#include <algorithm>
#include <cmath>

namespace xcore::thermo::ising {

PartitionCrossover::PartitionCrossover(const Model& model)
    : model_(model), mirror_(!model.has_fields()), mark_(model.n, 0), queue_(model.n) {}

double PartitionCrossover::improve(int8_t* state, const int8_t* other, Philox& random) {
  const int32_t n = model_.n;
  int32_t differing = 0;
  for (int32_t i = 0; i < n; ++i) differing += state[i] != other[i];
  const int8_t sign = mirror_ && differing > n / 2 ? -1 : 1;
  if (++stamp_ == 0) {
    std::fill(mark_.begin(), mark_.end(), 0);
    stamp_ = 1;
  }
  double change = 0;
  components_ = flipped_ = 0;
  // The queue keeps the components that were taken; flipping waits until all have been seen, since a flipped spin would
  // no longer count as differing.
  int64_t kept = 0;
  for (int32_t start = 0; start < n; ++start) {
    if (state[start] == sign * other[start] || mark_[start] == stamp_) continue;
    ++components_;
    mark_[start] = stamp_;
    queue_[kept] = start;
    int64_t end = kept + 1;
    double boundary = 0;  // sum of J s s over bonds that leave the component, and of h s inside it
    for (int64_t at = kept; at < end; ++at) {
      const int32_t i = queue_[at];
      double bond = model_.fields[i];
      for (int64_t k = model_.offsets[i]; k < model_.offsets[i + 1]; ++k) {
        const int32_t j = model_.neighbours[k];
        if (state[j] == sign * other[j]) {
          bond += model_.couplings[k] * state[j];
        } else if (mark_[j] != stamp_) {
          mark_[j] = stamp_;
          queue_[end++] = j;
        }
      }
      boundary += bond * state[i];
    }
    if (boundary < 0 || (boundary == 0 && (random.next_u32() & 1))) {
      change += 2 * boundary;
      kept = end;
    }
  }
  for (int64_t k = 0; k < kept; ++k) state[queue_[k]] = static_cast<int8_t>(-state[queue_[k]]);
  flipped_ = kept;
  return change;
}

double descend(const Model& model, int8_t* state) {
  std::vector<double> h(model.n);
  model.local_fields(state, h.data());
  double change = 0;
  bool moved = true;
  for (int pass = 0; moved && pass < 1000; ++pass) {
    moved = false;
    for (int32_t i = 0; i < model.n; ++i) {
      const double aligned = h[i] * state[i];
      if (aligned >= 0) continue;
      // Rounding could make two flips each seem to gain a last digit for ever: a gain must be worth more than that.
      double size = std::fabs(model.fields[i]);
      for (int64_t k = model.offsets[i]; k < model.offsets[i + 1]; ++k) size += std::fabs(model.couplings[k]);
      if (aligned >= -1e-14 * size) continue;
      state[i] = static_cast<int8_t>(-state[i]);
      change += 2 * aligned;
      moved = true;
      const double twice = 2 * state[i];
      for (int64_t k = model.offsets[i]; k < model.offsets[i + 1]; ++k) h[model.neighbours[k]] += twice * model.couplings[k];
    }
  }
  return change;
}

}  // namespace xcore::thermo::ising
