#include <algorithm>
#include <chrono>

#include "thermo/ising/bitsliced/anneal_cuda.hpp"
#include "thermo/ising/bitsliced/bitsliced_cuda.hpp"

namespace xcore::thermo::ising {

ReplicaRows anneal_cuda(const IntegerModel& model, const std::vector<double>& betas, int64_t replicas, uint64_t seed,
                        int device, const Control& control) {
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  const BitslicedProgram program = compile_bitsliced(model);
  DeviceBitsliced probe(model, program, 1, kLaneWords, seed, stream);  // tells how many words fit a block
  const int64_t lanes_a_block = 32 * probe.words();
  const int blocks = static_cast<int>((replicas + lanes_a_block - 1) / lanes_a_block);
  DeviceBitsliced annealer(model, program, blocks, probe.words(), seed, stream);
  const uint32_t largest = program.largest_weight;
  std::vector<DeviceSweep> sweeps;
  for (const double beta : betas) sweeps.push_back(device_sweep(beta * model.unit, largest));
  std::vector<DeviceSweep> both = sweeps;  // all blocks start fresh; the other schedule is never read
  both.insert(both.end(), sweeps.begin(), sweeps.end());
  ReplicaRows out;
  out.row_words = annealer.row_words();
  out.words.resize(model.n * out.row_words);
  cuda::Buffer<uint32_t> rows(out.words.size() + out.row_words, stream);
  XC_CUDA(cudaMemsetAsync(rows.data(), 0, out.words.size() * 4, stream.get()));
  const std::vector<int32_t> all(blocks, 1);
  auto fresh = cuda::Buffer<int32_t>::from_host(all.data(), all.size(), stream);
  auto schedule = cuda::Buffer<DeviceSweep>::from_host(both.data(), both.size(), stream);
  const int length = static_cast<int>(betas.size());
  int part = 64;
  for (int first = 0; first < length;) {
    control.throw_if_cancelled();
    const auto before = std::chrono::steady_clock::now();
    const int last = std::min(length, first + part);
    annealer.sweep(rows.data(), schedule.data(), length, first, last, fresh.data());
    stream.synchronize();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    if (took < 0.01) part = std::min(2 * part, 1 << 20);
    if (took > 0.03) part = std::max(1, part / 2);
    first = last;
  }
  rows.download(out.words.data(), out.words.size());
  stream.synchronize();
  return out;
}

}  // namespace xcore::thermo::ising
