#include <algorithm>
#include <optional>
#include <vector>

#include "runtime/cuda.hpp"
#include "thermo/ising/single_spin/single_spin.hpp"
#include "thermo/ising/single_spin/wavefront_cuda.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr int kThreads = 128;

// For models whose spins do not fit the shared memory of a block (wavefront_cuda.hpp). One thread a replica; spins are
// [n x count], so that the threads of a warp read side by side. The arithmetic and its order are those of sweep_lanes.hpp.
__global__ void sweep_kernel(SweepModel m, int8_t* __restrict__ spins, int64_t count, const int32_t* __restrict__ slot,
                             const double* __restrict__ betas, const int32_t* __restrict__ tables, uint64_t seed,
                             uint64_t first_stream, uint64_t first_sweep, int sweeps, double* __restrict__ energies,
                             unsigned long long* __restrict__ flips) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (r >= count) return;
  const double beta = betas[slot[r]];
  const int32_t* const table = tables + static_cast<int64_t>(slot[r]) * (2 * m.reach + 1) + m.reach;
  const uint64_t blocks = (static_cast<uint64_t>(m.n) + 3) / 4, stream = first_stream + static_cast<uint64_t>(r);
  const bool heat_bath = m.rule == XC_ISING_HEAT_BATH;
  double energy = energies[r];
  unsigned long long changed = 0;
  spins += r;
  for (int k = 0; k < sweeps; ++k) {
    Philox4x32 draws{};
    for (int32_t i = 0; i < m.n; ++i) {
      if ((i & 3) == 0) {
        const uint64_t block = (first_sweep + static_cast<uint64_t>(k)) * blocks + static_cast<uint64_t>(i >> 2);
        draws = philox4x32_10(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                              static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32),
                              static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
      }
      double h = m.fields[i];
      for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; ++e) {
        const double coupling = m.couplings[e];
        h += spins[m.neighbours[e] * count] > 0 ? coupling : -coupling;
      }
      const double self = spins[i * count];
      const double x = heat_bath ? h : h * self;
      const int32_t threshold = m.reach > 0 ? table[static_cast<int32_t>(x * m.inverse_unit)]
                                            : static_cast<int32_t>(acceptance(beta, x, m.rule) * (1 << kFractionBits));
      const uint32_t draw = (i & 3) == 0 ? draws.v[0] : (i & 3) == 1 ? draws.v[1] : (i & 3) == 2 ? draws.v[2] : draws.v[3];
      const bool yes = static_cast<int32_t>(draw >> (32 - kFractionBits)) < threshold;
      const double next = heat_bath ? (yes ? 1.0 : -1.0) : (yes ? -self : self);
      energy += (self - next) * h;
      changed += next != self;
      spins[i * count] = static_cast<int8_t>(next);
    }
  }
  energies[r] = energy;
  atomicAdd(flips + slot[r], changed);
}

__global__ void randomize_kernel(int32_t n, int8_t* spins, int64_t count, uint64_t seed, uint64_t first_stream) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (r >= count) return;
  Philox random(seed, first_stream + static_cast<uint64_t>(r), uint64_t{1} << 62);
  for (int32_t i = 0; i < n; ++i) spins[i * count + r] = random.next_u32() & 1 ? 1 : -1;
}

__global__ void energies_kernel(SweepModel m, const int8_t* __restrict__ spins, int64_t count, double* energies) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (r >= count) return;
  double twice = 0, field = 0;
  for (int32_t i = 0; i < m.n; ++i) {
    double h = 0;
    for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; ++e) h += m.couplings[e] * spins[m.neighbours[e] * count + r];
    twice += spins[i * count + r] * h;
    field += spins[i * count + r] * m.fields[i];
  }
  energies[r] = -twice / 2 - field;
}

__global__ void gather_kernel(int32_t n, const int8_t* __restrict__ from, const double* __restrict__ energies_from,
                              const int32_t* __restrict__ source, int64_t count, int8_t* __restrict__ to,
                              double* __restrict__ energies_to) {
  const int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (r >= count) return;
  const int64_t s = source[r];
  for (int32_t i = 0; i < n; ++i) to[i * count + r] = from[i * count + s];
  energies_to[r] = energies_from[s];
}

// The replicas named as rows of their own, by tiles that are read along the replicas and written along the spins.
constexpr int kTile = 32;
__global__ void read_kernel(int32_t n, const int8_t* __restrict__ spins, int64_t count, const int32_t* __restrict__ replicas,
                            int64_t wanted, int8_t* __restrict__ out) {
  __shared__ int8_t tile[kTile][kTile + 4];
  const unsigned across = (static_cast<unsigned>(n) + kTile - 1) / kTile;
  const int64_t row = static_cast<int64_t>(blockIdx.x / across) * kTile;
  const int32_t column = static_cast<int32_t>(blockIdx.x % across) * kTile;
  if (row + threadIdx.x < wanted) {
    const int8_t* const from = spins + replicas[row + threadIdx.x];
    for (int y = threadIdx.y; y < kTile && column + y < n; y += blockDim.y) tile[y][threadIdx.x] = from[(column + y) * count];
  }
  __syncthreads();
  if (column + threadIdx.x < n)
    for (int y = threadIdx.y; y < kTile && row + y < wanted; y += blockDim.y)
      out[(row + y) * n + column + threadIdx.x] = tile[threadIdx.x][y];
}

// One block a replica.
__global__ void sums_kernel(int32_t n, const int8_t* __restrict__ spins, int64_t count, const int32_t* __restrict__ replicas,
                            int32_t* __restrict__ sums) {
  __shared__ int32_t total;
  if (threadIdx.x == 0) total = 0;
  __syncthreads();
  int32_t sum = 0;
  for (int32_t i = threadIdx.x; i < n; i += blockDim.x) sum += spins[i * count + replicas[blockIdx.x]];
  sum = __reduce_add_sync(0xFFFFFFFFu, sum);
  if ((threadIdx.x & 31) == 0) atomicAdd(&total, sum);
  __syncthreads();
  if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// See cluster_exchange.hpp: one thread a pair, on the same draws.
__global__ void exchange_kernel(SweepModel m, int8_t* __restrict__ spins, int64_t count, const int32_t* __restrict__ pairs,
                                int64_t pair_count, uint64_t seed, uint64_t first_stream, uint64_t position,
                                int32_t* __restrict__ queue, uint8_t* __restrict__ visited, double* __restrict__ energies) {
  const int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (k >= pair_count) return;
  int8_t *const a = spins + pairs[2 * k], *const b = spins + pairs[2 * k + 1];
  queue += k;
  visited += k;
  uint32_t differing = 0;
  for (int32_t i = 0; i < m.n; ++i) {
    visited[i * pair_count] = 0;
    differing += a[i * count] != b[i * count];
  }
  if (differing == 0) return;
  Philox random(seed, first_stream + (uint64_t{1} << 40) + static_cast<uint64_t>(k), position);
  uint32_t wanted = random.next_below(differing);
  int32_t start = 0;
  for (;; ++start)
    if (a[start * count] != b[start * count] && wanted-- == 0) break;
  visited[start * pair_count] = 1;
  queue[0] = start;
  double boundary = 0;
  int32_t end = 1;
  for (int32_t at = 0; at < end; ++at) {
    const int32_t i = queue[at * pair_count];
    double bond = m.fields[i];
    for (int64_t e = m.offsets[i]; e < m.offsets[i + 1]; ++e) {
      const int32_t j = m.neighbours[e];
      if (a[j * count] == b[j * count]) {
        bond += m.couplings[e] * a[j * count];
      } else if (!visited[j * pair_count]) {
        visited[j * pair_count] = 1;
        queue[end++ * pair_count] = j;
      }
    }
    boundary += bond * a[i * count];
  }
  for (int32_t at = 0; at < end; ++at) {
    const int32_t i = queue[at * pair_count];
    a[i * count] = static_cast<int8_t>(-a[i * count]);
    b[i * count] = static_cast<int8_t>(-b[i * count]);
  }
  energies[pairs[2 * k]] += 2 * boundary;
  energies[pairs[2 * k + 1]] -= 2 * boundary;
}

class SingleSpinCuda final : public Replicas {
 public:
  SingleSpinCuda(const Model& m, int64_t count, const ReplicaOptions& o, int device, const Control& control)
      : Replicas(count), scope_(device), stream_(device), model_(m), options_(o), control_(control), tables_(m),
        offsets_(cuda::Buffer<int64_t>::from_host(m.offsets.data(), m.offsets.size(), stream_)),
        neighbours_(std::max<size_t>(1, m.neighbours.size()), stream_), couplings_(std::max<size_t>(1, m.couplings.size()), stream_),
        fields_(cuda::Buffer<double>::from_host(m.fields.data(), m.fields.size(), stream_)),
        spins_(static_cast<size_t>(m.n) * count, stream_), spare_(static_cast<size_t>(m.n) * count, stream_),
        energies_(count, stream_), spare_energies_(count, stream_), slots_(count, stream_), host_energies_(count),
        host_slots_(count) {
    neighbours_.upload(m.neighbours.data(), m.neighbours.size());
    couplings_.upload(m.couplings.data(), m.couplings.size());
    XC_CUDA(cudaMemsetAsync(spins_.data(), 1, spins_.size(), stream_.get()));
    sweep_model_ = {m.n, o.rule, tables_.reach, tables_.inverse_unit, offsets_.data(), neighbours_.data(), couplings_.data(), fields_.data(),
                    nullptr, nullptr};
    if (DeviceWavefront::fits(m)) wavefront_.emplace(m, tables_, o.rule, stream_);
    stream_.synchronize();
  }

  void randomize() override {
    randomize_kernel<<<cuda::blocks_for(count_, kThreads), kThreads, 0, stream_.get()>>>(model_.n, spins_.data(), count_, options_.seed,
                                                                         options_.first_stream);
    XC_CUDA_LAUNCHED("thermo.ising_randomize");
    refresh_energies();
  }

  void set_betas(const std::vector<double>& betas) override {
    std::vector<int32_t> tables;
    for (const double beta : betas) {
      const auto t = tables_.table(beta, options_.rule);
      tables.insert(tables.end(), t.begin(), t.end());
    }
    if (tables.empty()) tables.push_back(0);
    betas_ = cuda::Buffer<double>::from_host(betas.data(), betas.size(), stream_);
    device_tables_ = cuda::Buffer<int32_t>::from_host(tables.data(), tables.size(), stream_);
    flips_ = cuda::Buffer<unsigned long long>(betas.size(), stream_);
    XC_CUDA(cudaMemsetAsync(flips_.data(), 0, betas.size() * sizeof(unsigned long long), stream_.get()));
    stream_.synchronize();
  }

  void sweep(const int32_t* slot, int64_t sweeps) override {
    stream_.synchronize();  // the copy below may still be read
    std::copy(slot, slot + count_, host_slots_.data());
    slots_.upload(host_slots_.data(), count_);
    // Few sweeps a launch, so that a cancel is seen in time.
    const int64_t by_length = (1 << 17) / model_.n, by_work = (int64_t{1} << 31) / (model_.n * count_);
    const int part = static_cast<int>(std::clamp<int64_t>(std::min(by_length, by_work), 1, 256));
    for (int64_t first = 0; first < sweeps; first += part) {
      const int now = static_cast<int>(std::min<int64_t>(part, sweeps - first));
      if (wavefront_) {
        wavefront_->sweep({spins_.data(), count_, slots_.data(), betas_.data(), device_tables_.data(), energies_.data(),
                           flips_.data(), options_.seed, options_.first_stream},
                          done_, now);
      } else {
        sweep_kernel<<<cuda::blocks_for(count_, kThreads), kThreads, 0, stream_.get()>>>(
            sweep_model_, spins_.data(), count_, slots_.data(), betas_.data(), device_tables_.data(), options_.seed,
            options_.first_stream, done_, now, energies_.data(), flips_.data());
        XC_CUDA_LAUNCHED("thermo.ising_sweep");
      }
      done_ += static_cast<uint64_t>(now);
      if (first + now == sweeps) break;  // who asks for the outcome waits for it
      stream_.synchronize();
      control_.throw_if_cancelled();
    }
    if (tables_.reach == 0 && (unchecked_ += sweeps) >= 64) refresh_energies();
  }

  const double* energies() override {
    energies_.download(host_energies_.data(), count_);
    stream_.synchronize();
    return host_energies_.data();
  }

  void take_flips(uint64_t* of_slot) override {
    std::vector<unsigned long long> out(flips_.size());
    flips_.download(out.data(), out.size());
    XC_CUDA(cudaMemsetAsync(flips_.data(), 0, out.size() * sizeof(unsigned long long), stream_.get()));
    stream_.synchronize();
    std::copy(out.begin(), out.end(), of_slot);
  }

  void resample(const int32_t* from) override {
    slots_.upload(from, count_);
    gather_kernel<<<cuda::blocks_for(count_, kThreads), kThreads, 0, stream_.get()>>>(model_.n, spins_.data(), energies_.data(), slots_.data(),
                                                                      count_, spare_.data(), spare_energies_.data());
    XC_CUDA_LAUNCHED("thermo.ising_resample");
    stream_.synchronize();
    std::swap(spins_, spare_);
    std::swap(energies_, spare_energies_);
  }

  void read(const int32_t* replicas, int64_t count, int8_t* spins) override {
    if (count == 0) return;
    const int64_t part = std::clamp<int64_t>((int64_t{1} << 28) / model_.n, 1, count);
    cuda::Buffer<int8_t> out(static_cast<size_t>(part) * model_.n, stream_);
    const auto names = cuda::Buffer<int32_t>::from_host(replicas, count, stream_);
    for (int64_t first = 0; first < count; first += part) {
      const int64_t now = std::min(part, count - first);
      const int64_t tiles = ((now + kTile - 1) / kTile) * ((model_.n + kTile - 1) / kTile);
      read_kernel<<<static_cast<unsigned>(tiles), dim3(kTile, 8), 0, stream_.get()>>>(model_.n, spins_.data(), count_,
                                                                                      names.data() + first, now, out.data());
      XC_CUDA_LAUNCHED("thermo.ising_read");
      out.download(spins + first * model_.n, static_cast<size_t>(now) * model_.n);
      stream_.synchronize();
    }
  }

  void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) override {
    if (count == 0) return;
    const auto names = cuda::Buffer<int32_t>::from_host(replicas, count, stream_);
    cuda::Buffer<int32_t> out(count, stream_);
    sums_kernel<<<static_cast<unsigned>(count), 256, 0, stream_.get()>>>(model_.n, spins_.data(), count_, names.data(), out.data());
    XC_CUDA_LAUNCHED("thermo.ising_sums");
    out.download(sums, count);
    stream_.synchronize();
  }

  void exchange_clusters(const int32_t* pairs, int64_t count) override {
    if (count == 0) return;
    const auto on_device = cuda::Buffer<int32_t>::from_host(pairs, 2 * count, stream_);
    cuda::Buffer<int32_t> queue(static_cast<size_t>(model_.n) * count, stream_);
    cuda::Buffer<uint8_t> visited(static_cast<size_t>(model_.n) * count, stream_);
    exchange_kernel<<<cuda::blocks_for(count, kThreads), kThreads, 0, stream_.get()>>>(sweep_model_, spins_.data(), count_, on_device.data(),
                                                                       count, options_.seed, options_.first_stream,
                                                                       64 * moves_++, queue.data(), visited.data(),
                                                                       energies_.data());
    XC_CUDA_LAUNCHED("thermo.ising_exchange_clusters");
    stream_.synchronize();
  }

 private:
  void refresh_energies() {
    unchecked_ = 0;
    energies_kernel<<<cuda::blocks_for(count_, kThreads), kThreads, 0, stream_.get()>>>(sweep_model_, spins_.data(), count_, energies_.data());
    XC_CUDA_LAUNCHED("thermo.ising_energies");
  }

  cuda::DeviceScope scope_;
  cuda::Stream stream_;
  const Model& model_;
  const ReplicaOptions options_;
  const Control& control_;
  const AcceptanceTables tables_;
  SweepModel sweep_model_;
  cuda::Buffer<int64_t> offsets_;
  cuda::Buffer<int32_t> neighbours_;
  cuda::Buffer<double> couplings_, fields_, betas_;
  cuda::Buffer<int32_t> device_tables_;
  cuda::Buffer<int8_t> spins_, spare_;
  cuda::Buffer<double> energies_, spare_energies_;
  cuda::Buffer<int32_t> slots_;
  cuda::Buffer<unsigned long long> flips_;  // [betas]
  std::optional<DeviceWavefront> wavefront_;
  cuda::PinnedBuffer<double> host_energies_;
  cuda::PinnedBuffer<int32_t> host_slots_;
  uint64_t done_ = 0, moves_ = 0;
  int64_t unchecked_ = 0;
};

}  // namespace

std::unique_ptr<Replicas> make_single_spin_replicas_cuda(const Model& model, int64_t count, const ReplicaOptions& options,
                                                         int device, const Control& control) {
  return std::make_unique<SingleSpinCuda>(model, count, options, device, control);
}

}  // namespace xcore::thermo::ising
