// The search of dense_anneal.hpp on a GPU: a block of threads is a lineage, with spins and local fields in shared memory.
//
// Spins are looked at in index order, 32 at a time, by all warps of a block alike: each warp has the same random numbers and sees
// the same fields, so all come to the same decision without asking, and only a flip, for which they share out the row of the
// matrix, needs barriers.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "runtime/cuda.hpp"
#include "thermo/ising/crossover/partition_crossover.hpp"
#include "thermo/ising/dense/dense_anneal.hpp"
#include "thermo/ising/ground_state/ground_state.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;
constexpr int kDescents = 64;  // at most; rounded fields might go in circles
constexpr int kPatience = 12;  // rounds without improvement before a lineage starts anew
constexpr int32_t kMostSpins = 24576;  // whose spins and fields fit shared memory

struct View {
  int32_t n;
  int64_t stride;
  const float* fields;
  uint64_t seed;
  float hot, reheat, cold;
};

// [lineages], or [lineages x stride].
struct Lineages {
  float* spins;         // the best of each
  double* energies;     // theirs, in units; infinite: none yet
  int32_t* stagnant;
  float* now;           // of the annealing under way
  float* local_fields;
  float* from;          // its first temperature
};

template <class Weight>
__device__ void add_row(const Weight* __restrict__ row, float factor, float* h, int32_t n) {
#pragma unroll 4
  for (int32_t j = threadIdx.x; j < n; j += blockDim.x) h[j] += factor * static_cast<float>(__ldg(row + j));
}

// Sweeps first .. last - 1 of `sweeps`; begin and end of an annealing are done by the launches that hold them.
template <class Weight>
__global__ void __launch_bounds__(1024)
    dense_sweep_kernel(View v, const Weight* __restrict__ matrix, Lineages all, uint64_t round, int first, int last, int sweeps) {
  extern __shared__ float shared[];
  __shared__ double partial[32];
  float *const s = shared, *const h = shared + v.stride;
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int64_t base = static_cast<int64_t>(blockIdx.x) * v.stride;
  const bool fresh = !(all.energies[blockIdx.x] < INFINITY);
  // A counter of its own for every sweep and 32 spins, the same in all warps: stream = (lineage, lane).
  const uint64_t stream = static_cast<uint64_t>(blockIdx.x) << 8 | static_cast<uint64_t>(lane) | uint64_t{1} << 60;
  const auto draw = [&](uint64_t sweep, uint32_t chunk) {
    return philox4x32_10(chunk, static_cast<uint32_t>(round << 16 | sweep), static_cast<uint32_t>(stream),
                         static_cast<uint32_t>(stream >> 32), static_cast<uint32_t>(v.seed), static_cast<uint32_t>(v.seed >> 32));
  };
  if (first == 0) {
    for (int32_t i = threadIdx.x; i < v.n; i += blockDim.x) {
      const uint32_t bits = philox4x32_10(static_cast<uint32_t>(i), static_cast<uint32_t>(round), blockIdx.x, 1u << 30,
                                          static_cast<uint32_t>(v.seed), static_cast<uint32_t>(v.seed >> 32)).v[0];
      s[i] = fresh ? (bits & 1u ? 1.0f : -1.0f) : all.spins[base + i];
      h[i] = v.fields[i];
    }
    __syncthreads();
    for (int32_t i = 0; i < v.n; ++i) add_row(matrix + i * v.stride, s[i], h, v.n);
    if (threadIdx.x == 0) {
      const float u = static_cast<float>(draw(0xFFFF, 0).v[0] >> 8) * 0x1.0p-24f;
      all.from[blockIdx.x] = fresh ? v.hot : v.reheat * (0.7f + 0.6f * u);
    }
  } else {
    for (int32_t i = threadIdx.x; i < v.n; i += blockDim.x) {
      s[i] = all.now[base + i];
      h[i] = all.local_fields[base + i];
    }
  }
  __syncthreads();
  const float from = all.from[blockIdx.x];

  // The number of flips of a sweep, the same in all threads.
  const auto sweep_once = [&](uint64_t sweep, float temperature) {
    int flips = 0;
    Philox4x32 draws{};
    for (int32_t begin = 0, chunk = 0; begin < v.n; begin += 32, ++chunk) {
      if ((chunk & 3) == 0) draws = draw(sweep, static_cast<uint32_t>(chunk >> 2));
      const int q = chunk & 3;
      const uint32_t bits = q == 0 ? draws.v[0] : q == 1 ? draws.v[1] : q == 2 ? draws.v[2] : draws.v[3];
      const float most = temperature > 0 ? -0.5f * temperature * __logf((static_cast<float>(bits >> 8) + 0.5f) * 0x1.0p-24f) : 0.0f;
      const int32_t i = begin + lane;
      for (unsigned left = kAll;;) {
        const bool flip = i < v.n && s[i] * h[i] < most;
        const unsigned able = __ballot_sync(kAll, flip) & left;
        if (able == 0) break;
        const int at = __ffs(able) - 1;
        left = at == 31 ? 0u : kAll << (at + 1);
        const int32_t k = begin + at;
        const float twice = 2 * s[k];
        __syncthreads();  // all have seen the fields
        add_row(matrix + k * v.stride, -twice, h, v.n);
        if (threadIdx.x == 0) s[k] = -s[k];
        __syncthreads();
        ++flips;
        if (left == 0) break;
      }
    }
    return flips;
  };
  for (int k = first; k < last; ++k)
    sweep_once(static_cast<uint64_t>(k), from * __powf(v.cold / from, static_cast<float>(k) / max(1.0f, sweeps - 1.0f)));
  if (last < sweeps) {
    __syncthreads();
    for (int32_t i = threadIdx.x; i < v.n; i += blockDim.x) {
      all.now[base + i] = s[i];
      all.local_fields[base + i] = h[i];
    }
    return;
  }
  for (int k = 0; k < kDescents && sweep_once(0, 0.0f) > 0; ++k) {
  }
  double twice = 0;
  for (int32_t i = threadIdx.x; i < v.n; i += blockDim.x)
    twice += static_cast<double>(s[i]) * (static_cast<double>(h[i]) + v.fields[i]);
  for (int k = 16; k > 0; k /= 2) twice += __shfl_xor_sync(kAll, twice, k);
  if (lane == 0) partial[warp] = twice;
  __syncthreads();
  double energy = 0;
  for (int w = 0; w < static_cast<int>(blockDim.x >> 5); ++w) energy -= partial[w] / 2;
  const double before = all.energies[blockIdx.x];
  const bool weary = energy >= before && all.stagnant[blockIdx.x] >= kPatience;
  __syncthreads();
  if (energy <= before)
    for (int32_t i = threadIdx.x; i < v.n; i += blockDim.x) all.spins[base + i] = s[i];
  if (threadIdx.x == 0) {
    all.energies[blockIdx.x] = weary ? INFINITY : min(energy, before);
    all.stagnant[blockIdx.x] = weary || energy < before ? 0 : all.stagnant[blockIdx.x] + 1;
  }
}

class DenseSearch {
 public:
  DenseSearch(const Model& kernel, Search& search, int device)
      : model_(kernel), dense_(kernel), search_(search), stream_(device), fields_(stream_of(dense_.fields)),
        sweeps_(dense_sweeps(kernel)) {
    int multiprocessors = 1;
    XC_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device));
    threads_ = static_cast<int>(std::clamp<int64_t>((dense_.stride / 4 + 31) / 32 * 32, 64, 512));
    bytes_ = static_cast<size_t>(dense_.stride) * 2 * sizeof(float);
    const int a_multiprocessor = static_cast<int>(std::clamp<size_t>((size_t{200} << 10) / bytes_, 1, 1024 / threads_));
    lineages_ = multiprocessors * a_multiprocessor;
    const size_t cells = static_cast<size_t>(lineages_) * dense_.stride;
    spins_ = cuda::Buffer<float>(cells, stream_);
    now_ = cuda::Buffer<float>(cells, stream_);
    local_fields_ = cuda::Buffer<float>(cells, stream_);
    from_ = cuda::Buffer<float>(lineages_, stream_);
    energies_of_.assign(lineages_, INFINITY);
    energies_ = cuda::Buffer<double>::from_host(energies_of_.data(), energies_of_.size(), stream_);
    stagnant_ = cuda::Buffer<int32_t>(lineages_, stream_);
    XC_CUDA(cudaMemsetAsync(stagnant_.data(), 0, lineages_ * sizeof(int32_t), stream_.get()));
    if (!dense_.narrow.empty()) {
      narrow_ = stream_of(dense_.narrow);
    } else if (!dense_.wide.empty()) {
      wide_ = stream_of(dense_.wide);
    } else {
      real_ = stream_of(dense_.real);
    }
    stream_.synchronize();
  }

  void run(const int8_t* start) {
    const int64_t limit = search_.options.rounds;
    search_.plan(limit);
    if (start) give(start);
    int64_t round = 0;
    for (; !search_.stop() && (limit == 0 || round < limit); ++round) {
      if (!anneal(static_cast<uint64_t>(round))) break;
      select();
      search_.add(1, 0);
      search_.tell_progress();
      if (round % 16 == 15) sweeps_ = std::min(2 * sweeps_, kMostSweeps);
    }
    search_.add(0, updates_);
  }

 private:
  static constexpr int kMostSweeps = 2048;

  template <class T>
  cuda::Buffer<T> stream_of(const std::vector<T>& values) {
    return cuda::Buffer<T>::from_host(values.data(), values.size(), stream_);
  }

  // The given state is the first lineage.
  void give(const int8_t* start) {
    std::vector<float> spins(start, start + model_.n);
    spins_.upload(spins.data(), spins.size());
    const double energy = model_.energy(start) / dense_.unit;
    energies_.upload(&energy, 1);
    stream_.synchronize();
  }

  template <class Weight>
  void launch(const cuda::Buffer<Weight>& matrix, uint64_t round, int first, int last, int sweeps) {
    XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(dense_sweep_kernel<Weight>),
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes_)));
    dense_sweep_kernel<Weight><<<lineages_, threads_, bytes_, stream_.get()>>>(
        {model_.n, dense_.stride, fields_.data(), search_.options.seed, static_cast<float>(dense_.hot),
         static_cast<float>(dense_.reheat), static_cast<float>(dense_.cold)},
        matrix.data(),
        {spins_.data(), energies_.data(), stagnant_.data(), now_.data(), local_fields_.data(), from_.data()}, round, first, last,
        sweeps);
    XC_CUDA_LAUNCHED("thermo.ising_dense_sweep");
  }

  // False when there was no time for all of it; an annealing that would take most of the time left is shortened.
  bool anneal(uint64_t round) {
    const double affordable = a_sweep_ > 0 ? 0.5 * search_.seconds_left() / a_sweep_ : 64;
    const int sweeps = static_cast<int>(std::clamp(affordable, 8.0, static_cast<double>(sweeps_)));
    for (int first = 0; first < sweeps;) {
      const int last = std::min(sweeps, first + part_);
      const double before = search_.seconds();
      if (!dense_.narrow.empty()) {
        launch(narrow_, round, first, last, sweeps);
      } else if (!dense_.wide.empty()) {
        launch(wide_, round, first, last, sweeps);
      } else {
        launch(real_, round, first, last, sweeps);
      }
      stream_.synchronize();
      const double took = search_.seconds() - before;
      a_sweep_ = std::max(took / (last - first), 0.5 * a_sweep_);
      updates_ += static_cast<int64_t>(last - first) * lineages_ * model_.n;
      first = last;
      if (first < sweeps && search_.stop()) return false;
      if (took < 0.004) part_ = std::min(2 * part_, kMostSweeps);
      if (took > 0.02) part_ = std::max(1, part_ / 2);
    }
    return true;
  }

  void select() {
    energies_.download(energies_of_.data(), energies_of_.size());
    stream_.synchronize();
    const auto least = std::min_element(energies_of_.begin(), energies_of_.end());
    // Sums of floats may be off where weights are no multiples of a unit; the true energy decides.
    if (!(*least * dense_.unit < search_.best_energy)) return;
    std::vector<float> spins(model_.n);
    XC_CUDA(cudaMemcpyAsync(spins.data(), spins_.data() + (least - energies_of_.begin()) * dense_.stride,
                            spins.size() * sizeof(float), cudaMemcpyDeviceToHost, stream_.get()));
    stream_.synchronize();
    std::vector<int8_t> state(model_.n);
    for (int32_t i = 0; i < model_.n; ++i) state[i] = spins[i] > 0 ? 1 : -1;
    if (!dense_.real.empty()) descend(model_, state.data());
    search_.offer(model_.energy(state.data()), state.data(), 0);
  }

  const Model& model_;
  const DenseModel dense_;
  Search& search_;
  cuda::Stream stream_;
  cuda::Buffer<float> fields_, real_;
  cuda::Buffer<int8_t> narrow_;
  cuda::Buffer<int16_t> wide_;
  int threads_ = 0, lineages_ = 0, sweeps_, part_ = 4;
  size_t bytes_ = 0;
  double a_sweep_ = 0;
  std::vector<double> energies_of_;
  cuda::Buffer<float> spins_, now_, local_fields_, from_;
  cuda::Buffer<double> energies_;
  cuda::Buffer<int32_t> stagnant_;
  int64_t updates_ = 0;
};

}  // namespace

void search_dense_cuda(const Model& kernel, Search& search, const int8_t* start, int device) {
  static_assert(kMostDenseSpins <= kMostSpins, "spins and fields of the largest model fit shared memory");
  if (search.stop()) return;  // setting up takes a while for large models
  cuda::DeviceScope scope(device);
  DenseSearch(kernel, search, device).run(start);
}

}  // namespace xcore::thermo::ising
