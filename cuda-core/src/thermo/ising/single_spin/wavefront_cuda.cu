#include "thermo/ising/single_spin/wavefront_cuda.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "thermo/ising/single_spin/wavefront.hpp"

namespace xcore::thermo::ising {

template <class Weight>
struct alignas(16) DeviceWavefront::Site {
  int32_t spin, first, count;  // its bonds
  Weight field;
};
template <class Weight>
struct alignas(2 * sizeof(Weight)) DeviceWavefront::Bond {  // one read
  Weight coupling;
  int32_t to;
};

namespace {

constexpr unsigned kAll = 0xFFFFFFFFu;
constexpr size_t kSharedLimit = 200 << 10;
constexpr int kMostWarps = 32;

// A warp updates one spin of 32 replicas: the bonds are the same for all of its lanes, the fields and decisions are not.
template <class Weight>
__global__ void __launch_bounds__(32 * kMostWarps)
    sweep_kernel(const DeviceWavefront::Site<Weight>* __restrict__ sites, const DeviceWavefront::Bond<Weight>* __restrict__ bonds,
                 const int32_t* __restrict__ level_starts, int levels, int32_t n, int32_t rule, int32_t reach, double unit,
                 DeviceWavefront::State g, uint64_t first_sweep, int sweeps) {
  constexpr bool by_table = std::is_integral_v<Weight>;
  using Sum = std::conditional_t<by_table, long long, double>;
  extern __shared__ uint32_t state[];  // [n], bit l of replica 32 blockIdx.x + l
  __shared__ double energy_of[kMostWarps][32];
  __shared__ unsigned flips_of[kMostWarps][32];
  const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warps = blockDim.x >> 5;
  // Lanes beyond the last replica follow it, and are not kept.
  const int64_t wanted = static_cast<int64_t>(blockIdx.x) * 32 + lane, r = min(wanted, g.count - 1);
  int8_t* const column = g.spins + r;
#pragma unroll 4
  for (int32_t i = warp; i < n; i += warps) {
    const uint32_t word = __ballot_sync(kAll, column[i * g.count] > 0);
    if (lane == 0) state[i] = word;
  }
  const int32_t slot = g.slot[r];
  const double beta = g.betas[slot];
  const int32_t* const table = g.tables + static_cast<int64_t>(slot) * (2 * reach + 1) + reach;
  const bool heat_bath = rule == XC_ISING_HEAT_BATH;
  const uint64_t blocks = (static_cast<uint64_t>(n) + 3) / 4, stream = g.first_stream + static_cast<uint64_t>(r);
  Sum gained = 0;
  unsigned flips = 0;
  __syncthreads();
  for (int k = 0; k < sweeps; ++k) {
    const uint64_t first_block = (first_sweep + static_cast<uint64_t>(k)) * blocks;
    for (int level = 0; level < levels; ++level) {
      const int32_t end = __ldg(level_starts + level + 1);
      for (int32_t at = __ldg(level_starts + level) + warp; at < end; at += warps) {
        const auto site = sites[at];
        const auto* const bond = bonds + site.first;
        Weight h = site.field;
#pragma unroll 4
        for (int32_t e = 0; e < site.count; ++e) {
          const auto b = bond[e];
          h += state[b.to] >> lane & 1u ? b.coupling : -b.coupling;
        }
        const bool up = state[site.spin] >> lane & 1u;
        const Weight x = heat_bath || up ? h : -h;
        int32_t threshold;
        if constexpr (by_table) {
          threshold = table[x];
        } else {
          threshold = static_cast<int32_t>(acceptance(beta, x, rule) * (1 << kFractionBits));
        }
        const uint64_t block = first_block + static_cast<uint64_t>(site.spin >> 2);
        const Philox4x32 draws = philox4x32_10(static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                               static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32),
                                               static_cast<uint32_t>(g.seed), static_cast<uint32_t>(g.seed >> 32));
        const int q = site.spin & 3;
        const uint32_t draw = q == 0 ? draws.v[0] : q == 1 ? draws.v[1] : q == 2 ? draws.v[2] : draws.v[3];
        const bool yes = static_cast<int32_t>(draw >> (32 - kFractionBits)) < threshold;
        const bool next = heat_bath ? yes : yes != up;
        const uint32_t word = __ballot_sync(kAll, next);
        if (lane == 0) state[site.spin] = word;
        if (next != up) {
          gained += up ? h : -h;
          ++flips;
        }
      }
      __syncthreads();
    }
  }
#pragma unroll 4
  for (int32_t i = warp; i < n; i += warps)
    if (wanted < g.count) column[i * g.count] = state[i] >> lane & 1u ? 1 : -1;
  energy_of[warp][lane] = 2 * unit * static_cast<double>(gained);
  flips_of[warp][lane] = flips;
  __syncthreads();
  if (warp > 0 || wanted >= g.count) return;
  double energy = g.energies[r];
  flips = 0;
  for (int w = 0; w < warps; ++w) {
    energy += energy_of[w][lane];
    flips += flips_of[w][lane];
  }
  g.energies[r] = energy;
  atomicAdd(g.flips + slot, static_cast<unsigned long long>(flips));
}

}  // namespace

bool DeviceWavefront::fits(const Model& m) {
  return static_cast<size_t>(m.n) * 4 <= kSharedLimit && m.neighbours.size() <= INT32_MAX;
}

DeviceWavefront::DeviceWavefront(const Model& m, const AcceptanceTables& tables, int32_t rule, const cuda::Stream& stream)
    : stream_(stream), n_(m.n), rule_(rule), reach_(tables.reach), unit_(reach_ > 0 ? 1 / tables.inverse_unit : 1) {
  XC_CUDA(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, stream.device()));
  if (reach_ > 0) {
    place(whole_, m, unit_);
  } else {
    place(real_, m, 1);
  }
}

template <class Weight>
void DeviceWavefront::place(Graph<Weight>& graph, const Model& m, double unit) {
  const Wavefront w = wavefront(m);
  levels_ = w.levels();
  std::vector<Site<Weight>> sites;
  std::vector<Bond<Weight>> bonds;
  const auto in_units = [&](double x) { return static_cast<Weight>(x / unit); };
  for (const int32_t i : w.order) {
    sites.push_back({i, static_cast<int32_t>(bonds.size()), static_cast<int32_t>(m.offsets[i + 1] - m.offsets[i]),
                     in_units(m.fields[i])});
    for (int64_t k = m.offsets[i]; k < m.offsets[i + 1]; ++k) bonds.push_back({in_units(m.couplings[k]), m.neighbours[k]});
  }
  bonds.resize(std::max<size_t>(1, bonds.size()));
  graph.sites = cuda::Buffer<Site<Weight>>::from_host(sites.data(), sites.size(), stream_);
  graph.bonds = cuda::Buffer<Bond<Weight>>::from_host(bonds.data(), bonds.size(), stream_);
  level_starts_ = cuda::Buffer<int32_t>::from_host(w.starts.data(), w.starts.size(), stream_);
  XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(sweep_kernel<Weight>), cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(kSharedLimit)));
  stream_.synchronize();  // the host copies end here
}

template <class Weight>
void DeviceWavefront::launch(const Graph<Weight>& graph, const State& g, uint64_t first_sweep, int sweeps) {
  const int64_t blocks = (g.count + 31) / 32;
  // As many warps as a level has spins on average; fewer where other blocks fill the multiprocessor while one waits at the end
  // of a level.
  const int most = blocks > 4 * multiprocessors_ ? 8 : kMostWarps;
  int warps = 1;
  while (warps < most && warps * levels_ < n_) warps *= 2;
  sweep_kernel<Weight><<<static_cast<unsigned>(blocks), 32 * warps, static_cast<size_t>(n_) * 4, stream_.get()>>>(
      graph.sites.data(), graph.bonds.data(), level_starts_.data(), levels_, n_, rule_, reach_, unit_, g, first_sweep, sweeps);
  XC_CUDA_LAUNCHED("thermo.ising_wavefront");
}

void DeviceWavefront::sweep(const State& state, uint64_t first_sweep, int sweeps) {
  if (reach_ > 0) {
    launch(whole_, state, first_sweep, sweeps);
  } else {
    launch(real_, state, first_sweep, sweeps);
  }
}

}  // namespace xcore::thermo::ising
