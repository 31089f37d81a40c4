#include "thermo/ising/bitsliced/anneal.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/ising/bitsliced/anneal_cuda.hpp"
#include "thermo/ising/bitsliced/bitsliced_replicas.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr int kDigits = 24;  // probabilities to 6e-8

ReplicaRows anneal_cpu(const IntegerModel& model, const std::vector<double>& betas, int64_t replicas, uint64_t seed,
                       const Control& control) {
  const BitslicedProgram program = compile_bitsliced(model);
  const int64_t groups = std::max<int64_t>(1, (replicas + kLanes - 1) / kLanes);
  ReplicaRows out;
  out.row_words = groups * kLaneWords;
  out.words.resize(model.n * out.row_words);
  thread_pool().parallel_for(groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<LaneRow> rows(model.n + 1), scratch(program.scratch_rows);
    LaneThresholds thresholds;
    for (int64_t g = begin; g < end; ++g) {
      LaneRandom random(seed, static_cast<uint64_t>(g));
      bitsliced_randomize(program, rows.data(), random);
      for (size_t k = 0; k < betas.size(); ++k) {
        if (k % 16 == 0) control.throw_if_cancelled();
        if (k == 0 || betas[k] != betas[k - 1])
          thresholds.set_uniform(acceptance_planes(betas[k] * program.unit, program.largest_weight, kDigits), kDigits);
        bitsliced_sweep(program, rows.data(), random, thresholds, scratch.data());
      }
      for (int32_t i = 0; i < model.n; ++i)
        std::copy(rows[i].word, rows[i].word + kLaneWords, out.words.begin() + i * out.row_words + g * kLaneWords);
    }
  });
  return out;
}

}  // namespace

ReplicaRows anneal_replicas(const Model& model, const std::vector<double>& betas, int64_t replicas, uint64_t seed,
                            xc_device device, const Control& control) {
  const std::optional<IntegerModel> whole = sliceable(model);
  if (!whole) throw Error(XC_UNSUPPORTED, "the bit-sliced sampler needs weights that are small multiples of one unit", "weights");
  const IntegerModel& integers = *whole;
  for (const double beta : betas)
    if (!(beta >= 0)) throw invalid_argument("betas", "an inverse temperature is %g; it must be 0 or more", beta);
  if (replicas < 1 || replicas > 1 << 24)
    throw invalid_argument("replicas", "replicas is %lld; it must be 1 to 2^24", static_cast<long long>(replicas));
  ReplicaRows out;
  run_on(
      device, replicas * model.n >= 1 << 20, "thermo.bitsliced_anneal",
      [&](int index) {
#if XCORE_CUDA
        out = anneal_cuda(integers, betas, replicas, seed, index, control);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
      },
      [&] { out = anneal_cpu(integers, betas, replicas, seed, control); });
  return out;
}

}  // namespace xcore::thermo::ising
