// Bit-sliced Metropolis along a given path of temperatures: independent replicas, thousands at once.
#pragma once

#include <vector>

#include "runtime/control.hpp"
#include "thermo/ising/bitsliced/bitsliced.hpp"

namespace xcore::thermo::ising {

// States of replicas in rows: replica r of spin i is bit r % 32 of words[i * row_words + r / 32].
struct ReplicaRows {
  int64_t row_words = 0;
  std::vector<uint32_t> words;
  int64_t replicas() const { return 32 * row_words; }
  int spin(int32_t i, int64_t r) const { return words[i * row_words + r / 32] >> (r % 32) & 1 ? 1 : -1; }
};

// Random spins, then one sweep at each of betas[0 .. sweeps - 1] (0 to infinity). At least `replicas` replicas, rounded up
// to what the device handles at once; on the CPU they depend on the seed alone. Needs a sliceable model
// (bitsliced_replicas.hpp).
ReplicaRows anneal_replicas(const Model& model, const std::vector<double>& betas, int64_t replicas, uint64_t seed,
                            xc_device device, const Control& control);

}  // namespace xcore::thermo::ising
