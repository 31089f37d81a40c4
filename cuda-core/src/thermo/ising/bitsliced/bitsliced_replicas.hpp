// Replicas (replicas/replicas.hpp) as lanes of the bit-sliced kernels, each lane at a temperature of its own.
//
// A lane keeps its replica while temperatures come and go, so exchanging replicas moves no spins. Probabilities have 30 binary
// digits on the CPU and 32 on the GPU, where digits are drawn from the first until every lane of a word is decided: some 12 instead
// of 32. At beta = 0, where a Metropolis sweep would turn every spin over and never forget the start, spins are drawn anew.
// CPU and GPU draw different numbers and visit spins in different orders; their distributions agree.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "thermo/ising/bitsliced/bitsliced.hpp"
#include "thermo/ising/replicas/replicas.hpp"

namespace xcore::thermo::ising {

inline constexpr uint64_t kSlicedStreams = uint64_t{1} << 43;  // of the groups of 512 lanes, from the options' first stream

// The model in units, where it is whole and small enough: sums of 16 binary planes a spin, 31 a model.
std::optional<IntegerModel> sliceable(const Model& model);

// NULL where the model is not sliceable. Metropolis only, without cluster moves.
std::unique_ptr<Replicas> make_bitsliced_replicas(const Model& model, int64_t count, const ReplicaOptions& options,
                                                  xc_device device, const Control& control);
std::unique_ptr<Replicas> make_bitsliced_replicas_cuda(IntegerModel model, int64_t count, const ReplicaOptions& options, int device,
                                                       const Control& control);

// Resampling, word by word: word w of the new lanes is the OR over its moves of the source's bits, rotated left and masked. Copies
// of a sorted population come in runs of one rotation, so there are few moves a word.
struct LaneMoves {
  struct Move {
    int32_t source;    // word
    int32_t rotation;  // to the left, 0 to 31
    uint32_t mask;     // after it
  };
  std::vector<int32_t> starts;  // [words + 1], into moves
  std::vector<Move> moves;
  // Lane r becomes a copy of lane from[r], r < count; the others of the last word of lane 0.
  LaneMoves(const int32_t* from, int64_t count, int64_t words);
};

}  // namespace xcore::thermo::ising
