#include <algorithm>

#include "thermo/ising/bitsliced/bitsliced_replicas.hpp"
#include "thermo/ising/bitsliced/lane_sampler_cuda.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr int kThreads = 256;

__global__ void randomize_kernel(uint32_t* __restrict__ rows, int64_t cells, uint64_t seed, uint64_t stream) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (4 * at >= cells) return;
  const Philox4x32 draws = philox4x32_10(static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), static_cast<uint32_t>(stream),
                                         static_cast<uint32_t>(stream >> 32), static_cast<uint32_t>(seed),
                                         static_cast<uint32_t>(seed >> 32));
  for (int k = 0; k < 4 && 4 * at + k < cells; ++k) rows[4 * at + k] = draws.v[k];
}

// One thread a word of a spin; the words of a spin side by side.
__global__ void resample_kernel(const uint32_t* __restrict__ from, uint32_t* __restrict__ to, int64_t cells, int64_t row_words,
                                const int32_t* __restrict__ starts, const LaneMoves::Move* __restrict__ moves) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= cells) return;
  const int64_t word = at % row_words, row = at - word;
  uint32_t bits = 0;
  for (int32_t k = starts[word]; k < starts[word + 1]; ++k) {
    const uint32_t source = from[row + moves[k].source];
    bits |= __funnelshift_l(source, source, moves[k].rotation) & moves[k].mask;
  }
  to[at] = bits;
}

// One thread a spin of a replica; those of a replica side by side.
__global__ void read_kernel(const uint32_t* __restrict__ rows, int32_t n, int64_t row_words, const int32_t* __restrict__ replicas,
                            int64_t count, int8_t* __restrict__ out) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count * n) return;
  const int32_t r = replicas[at / n];
  out[at] = rows[at % n * row_words + (r >> 5)] >> (r & 31) & 1u ? 1 : -1;
}

class BitslicedReplicasCuda final : public Replicas {
 public:
  BitslicedReplicasCuda(IntegerModel model, int64_t count, const ReplicaOptions& o, int device, const Control& control)
      : Replicas(count), model_(std::move(model)), options_(o), control_(control), scope_(device), stream_(device),
        program_(compile_bitsliced(model_)),
        sampler_(model_, program_, (count + 31) / 32, o.seed + o.first_stream * 0x9E3779B97F4A7C15u, stream_),
        rows_(cells() + sampler_.row_words(), stream_), before_(cells(), stream_), slots_(count, stream_),
        totals_(3 * sampler_.lanes(), stream_), host_slots_(count), host_totals_(3 * sampler_.lanes()), energies_(count),
        sums_(count) {
    for (const int32_t h : model_.fields) weights_ += 2 * std::abs(h);
    for (const int32_t w : model_.couplings) weights_ += std::abs(w);
  }

  void randomize() override {
    collect();
    randomize_kernel<<<cuda::blocks_for((static_cast<int64_t>(cells()) + 3) / 4, kThreads), kThreads, 0, stream_.get()>>>(
        rows_.data(), static_cast<int64_t>(cells()), options_.seed, options_.first_stream + kSlicedStreams);
    XC_CUDA_LAUNCHED("thermo.ising_sliced_randomize");
    if (flips_of_slot_.empty()) set_betas({1.0});
    std::fill_n(host_slots_.data(), count_, 0);
    slots_.upload(host_slots_.data(), count_);
    sampler_.sweep(lanes(), 0, true);
    pending_ = 0;
    waiting_ = true;
  }

  void set_betas(const std::vector<double>& betas) override {
    collect();
    sampler_.set_betas(betas);
    flips_of_slot_.assign(betas.size(), 0);
  }

  void sweep(const int32_t* slot, int64_t sweeps) override {
    if (sweeps < 1) return;
    collect();
    std::copy(slot, slot + count_, host_slots_.data());
    slots_.upload(host_slots_.data(), count_);
    // Few sweeps a launch, so that a cancel is seen in time.
    const int64_t by_length = (1 << 20) / model_.n, by_work = (int64_t{1} << 33) / (model_.n * count_);
    const int64_t part = std::clamp<int64_t>(std::min(by_length, by_work), 1, 1024);
    for (int64_t first = 0; first < sweeps; first += part) {
      if (first > 0) {
        stream_.synchronize();
        control_.throw_if_cancelled();
      }
      sampler_.sweep(lanes(), static_cast<int>(std::min(part, sweeps - first)), first + part >= sweeps);
    }
    pending_ = sweeps;
    waiting_ = true;
  }

  const double* energies() override {
    collect();
    return energies_.data();
  }

  void take_flips(uint64_t* of_slot) override {
    collect();
    std::copy(flips_of_slot_.begin(), flips_of_slot_.end(), of_slot);
    std::fill(flips_of_slot_.begin(), flips_of_slot_.end(), 0);
  }

  void resample(const int32_t* from) override {
    collect();
    const LaneMoves moves(from, count_, sampler_.row_words());
    const auto starts = cuda::Buffer<int32_t>::from_host(moves.starts.data(), moves.starts.size(), stream_);
    const auto list = cuda::Buffer<LaneMoves::Move>::from_host(moves.moves.data(), moves.moves.size(), stream_);
    const auto cells_now = static_cast<int64_t>(cells());
    resample_kernel<<<cuda::blocks_for(cells_now, kThreads), kThreads, 0, stream_.get()>>>(
        rows_.data(), before_.data(), cells_now, sampler_.row_words(), starts.data(), list.data());
    XC_CUDA_LAUNCHED("thermo.ising_sliced_resample");
    XC_CUDA(cudaMemcpyAsync(rows_.data(), before_.data(), cells() * sizeof(uint32_t), cudaMemcpyDeviceToDevice, stream_.get()));
    stream_.synchronize();  // the host copies end here
    const std::vector<double> energies(energies_);
    const std::vector<int32_t> sums(sums_);
    for (int64_t r = 0; r < count_; ++r) energies_[r] = energies[from[r]], sums_[r] = sums[from[r]];
  }

  void read(const int32_t* replicas, int64_t count, int8_t* spins) override {
    if (count == 0) return;
    const int64_t part = std::clamp<int64_t>((int64_t{1} << 28) / model_.n, 1, count);
    cuda::Buffer<int8_t> out(static_cast<size_t>(part) * model_.n, stream_);
    const auto names = cuda::Buffer<int32_t>::from_host(replicas, count, stream_);
    for (int64_t first = 0; first < count; first += part) {
      const int64_t now = std::min(part, count - first);
      read_kernel<<<cuda::blocks_for(now * model_.n, kThreads), kThreads, 0, stream_.get()>>>(
          rows_.data(), model_.n, sampler_.row_words(), names.data() + first, now, out.data());
      XC_CUDA_LAUNCHED("thermo.ising_sliced_read");
      out.download(spins + first * model_.n, static_cast<size_t>(now) * model_.n);
      stream_.synchronize();
    }
  }

  void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) override {
    collect();
    for (int64_t k = 0; k < count; ++k) sums[k] = sums_[replicas[k]];
  }

  void exchange_clusters(const int32_t*, int64_t) override {
    throw Error(XC_UNSUPPORTED, "bit-sliced replicas make no cluster moves", "clusterMoves");
  }

 private:
  size_t cells() const { return static_cast<size_t>(model_.n) * sampler_.row_words(); }
  DeviceLaneSampler::Lanes lanes() { return {rows_.data(), before_.data(), slots_.data(), count_, totals_.data()}; }

  // What the last sweeps left, once.
  void collect() {
    if (!waiting_) return;
    waiting_ = false;
    totals_.download(host_totals_.data(), totals_.size());
    stream_.synchronize();
    const int64_t lanes = sampler_.lanes();
    const int32_t *const satisfied = host_totals_.data(), *const up = satisfied + lanes, *const changed = up + lanes;
    for (int64_t r = 0; r < count_; ++r) {
      energies_[r] = static_cast<double>(weights_ / 2 - satisfied[r]) * program_.unit;
      sums_[r] = 2 * up[r] - model_.n;
      flips_of_slot_[host_slots_.data()[r]] += static_cast<uint64_t>(changed[r] * pending_);
    }
  }

  const IntegerModel model_;
  const ReplicaOptions options_;
  const Control& control_;
  cuda::DeviceScope scope_;
  cuda::Stream stream_;
  const BitslicedProgram program_;
  DeviceLaneSampler sampler_;
  cuda::Buffer<uint32_t> rows_, before_;
  cuda::Buffer<int32_t> slots_, totals_;
  cuda::PinnedBuffer<int32_t> host_slots_, host_totals_;
  std::vector<double> energies_;
  std::vector<int32_t> sums_;  // of spins
  std::vector<uint64_t> flips_of_slot_;
  int64_t weights_ = 0;  // of all bonds and fields, twice
  int64_t pending_ = 0;  // sweeps of the last call
  bool waiting_ = false;
};

}  // namespace

std::unique_ptr<Replicas> make_bitsliced_replicas_cuda(IntegerModel model, int64_t count, const ReplicaOptions& options, int device,
                                                       const Control& control) {
  return std::make_unique<BitslicedReplicasCuda>(std::move(model), count, options, device, control);
}

}  // namespace xcore::thermo::ising
