#include <algorithm>

#include "runtime/philox.hpp"
#include "thermo/ising/crossover/crossover_cuda.hpp"
#include "thermo/ising/crossover/lane_set_cuda.cuh"

namespace xcore::thermo::ising {

struct alignas(16) DeviceCrossover::Bond {  // one read
  double coupling;
  int32_t to, unused;
};

namespace {

using Bond = DeviceCrossover::Bond;
constexpr int kMostWarps = 8;  // a block
constexpr int kSets = 7;       // of spins, that the crossover keeps in shared memory
constexpr size_t kSharedLimit = 200 << 10;
constexpr unsigned kBlocksAtOnce = 264;

struct Graph {
  int32_t n;
  bool mirror;
  const int2* ranges;  // of each spin's bonds
  const Bond* bonds;
  const double* fields;
};

__device__ __forceinline__ double warp_sum(double x) {
  for (int k = 16; k > 0; k /= 2) x += __shfl_xor_sync(kAllLanes, x, k);
  return x;
}

__global__ void energies_kernel(Graph g, const uint32_t* __restrict__ rows, int64_t row_words, int words_a_set,
                                double* __restrict__ energies) {
  extern __shared__ uint32_t sets[];
  const int t = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int64_t lane = static_cast<int64_t>(blockIdx.x) * (blockDim.x >> 5) + warp;
  if (lane >= row_words * 32) return;
  uint32_t* const up = sets + static_cast<int64_t>(warp) * words_a_set;
  gather_lane(rows, row_words, lane, g.n, up);
  double twice = 0, field = 0;
  for (int32_t i = t; i < g.n; i += 32) {
    double h = 0;
    const int2 range = g.ranges[i];
    for (int k = range.x; k < range.y; ++k) {
      const Bond bond = g.bonds[k];
      h += in_set(up, bond.to) ? bond.coupling : -bond.coupling;
    }
    twice += in_set(up, i) ? h : -h;
    field += in_set(up, i) ? g.fields[i] : -g.fields[i];
  }
  twice = warp_sum(twice);
  field = warp_sum(field);
  if (t == 0) energies[lane] = -twice / 2 - field;
}

// For models that components_cuda.hpp has no room for. One warp a lane, its sets of spins in shared memory. A component grows by whole frontiers: each thread owns every 32nd
// word and visits the frontier spins in it. Sums are over spins in a fixed order, so results repeat.
__global__ void improve_kernel(Graph g, uint32_t* rows, const uint32_t* __restrict__ others, int64_t row_words, int words_a_set,
                               unsigned first_block, float mating, int group, uint64_t seed, uint64_t round, double* __restrict__ energies) {
  extern __shared__ uint32_t sets[];
  const int t = threadIdx.x & 31, warp = threadIdx.x >> 5;
  const int64_t lanes = row_words * 32, lane = (first_block + static_cast<int64_t>(blockIdx.x)) * (blockDim.x >> 5) + warp;
  if (lane >= lanes) return;
  Philox random(seed, static_cast<uint64_t>(lane) | uint64_t{1} << 61, round << 16);
  int64_t partner = lane;
  if (mating >= 0) {
    if (random.next_float() >= mating) return;
    const int64_t base = lane / group * group, size = min(static_cast<int64_t>(group), lanes - base);
    partner = base + random.next_below(static_cast<uint32_t>(size));
    if (partner == lane) return;
  }
  uint32_t* const up = sets + static_cast<int64_t>(warp) * words_a_set * kSets;
  uint32_t *const differs = up + words_a_set, *const left = differs + words_a_set, *frontier = left + words_a_set,
           *next = frontier + words_a_set, *const component = next + words_a_set, *const taken = component + words_a_set;
  gather_lane(rows, row_words, lane, g.n, up);
  gather_lane(others, row_words, partner, g.n, differs);
  int count = 0;
  for (int w = t; w < words_a_set; w += 32) {
    differs[w] ^= up[w];
    count += __popc(differs[w]);
  }
  count = static_cast<int>(__reduce_add_sync(kAllLanes, static_cast<unsigned>(count)));
  const bool turned = g.mirror && count > g.n / 2;
  if (turned) count = g.n - count;
  if (count == 0) return;
  for (int w = t; w < words_a_set; w += 32) {
    if (turned) differs[w] = ~differs[w] & (w == g.n / 32 ? (1u << (g.n % 32)) - 1 : kAllLanes);
    left[w] = differs[w];
    frontier[w] = next[w] = component[w] = taken[w] = 0;
  }
  __syncwarp();
  double change = 0;
  for (int at = 0; at < words_a_set; ++at) {
    for (uint32_t word = left[at]; word != 0; word = left[at]) {
      __syncwarp();  // all have read it
      if (t == 0) {
        frontier[at] = word & (0u - word);
        left[at] = word & (word - 1);
      }
      __syncwarp();
      double boundary = 0;
      int first = at, last = at + 1;           // words in which the frontier may be
      int component_first = at, component_last = at + 1;
      while (first < last) {
        int low = words_a_set, high = 0;
        for (int w = first + t; w < last; w += 32) {
          uint32_t spins = frontier[w];
          frontier[w] = 0;
          component[w] |= spins;
          for (; spins != 0; spins &= spins - 1) {
            const int32_t i = 32 * w + __ffs(spins) - 1;
            double sum = g.fields[i];
            const int2 range = g.ranges[i];
            for (int k = range.x; k < range.y; ++k) {
              const Bond bond = g.bonds[k];
              const int32_t j = bond.to, home = j >> 5;
              const uint32_t bit = 1u << (j & 31);
              if (!(differs[home] & bit)) {
                sum += in_set(up, j) ? bond.coupling : -bond.coupling;
              } else if ((left[home] & bit) && (atomicAnd(left + home, ~bit) & bit)) {
                atomicOr(next + home, bit);
                low = min(low, home);
                high = max(high, home + 1);
              }
            }
            boundary += in_set(up, i) ? sum : -sum;
          }
        }
        __syncwarp();
        first = __reduce_min_sync(kAllLanes, low);
        last = __reduce_max_sync(kAllLanes, high);
        component_first = min(component_first, first);
        component_last = max(component_last, last);
        uint32_t* const other = frontier;
        frontier = next;
        next = other;
      }
      boundary = warp_sum(boundary);
      const bool take = boundary < 0 || (boundary == 0 && (random.next_u32() & 1u));
      if (take) change += 2 * boundary;
      for (int w = component_first + t; w < component_last; w += 32) {
        if (take) taken[w] |= component[w];
        component[w] = 0;
      }
      __syncwarp();
    }
  }
  // Other lanes of the words change their own bits meanwhile.
  const uint32_t mine = 1u << (lane & 31);
  for (int32_t i = t; i < g.n; i += 32)
    if (in_set(taken, i)) atomicXor(rows + i * row_words + lane / 32, mine);
  if (t == 0) energies[lane] += change;
}

// Words are shared with lanes that are copied meanwhile, but no bit is both read and written.
__global__ void copy_kernel(int32_t n, uint32_t* rows, int64_t row_words, const int32_t* __restrict__ to,
                            const int32_t* __restrict__ from, double* energies) {
  const int k = blockIdx.x;
  const int32_t target = to[k], origin = from[k];
  const uint32_t bit = 1u << (target & 31);
  for (int32_t i = threadIdx.x; i < n; i += blockDim.x) {
    uint32_t* const word = rows + i * row_words + target / 32;
    if (rows[i * row_words + origin / 32] >> (origin & 31) & 1u) {
      atomicOr(word, bit);
    } else {
      atomicAnd(word, ~bit);
    }
  }
  if (threadIdx.x == 0) energies[target] = energies[origin];
}

__global__ void copy_blocks_kernel(uint32_t* __restrict__ rows, const uint32_t* __restrict__ source, int64_t cells,
                                   int64_t row_words, int words, const int32_t* __restrict__ flags) {
  for (int64_t k = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; k < cells;
       k += static_cast<int64_t>(gridDim.x) * blockDim.x)
    if (flags[k % row_words / words] != 0) rows[k] = source[k];
}

__global__ void extract_kernel(const uint32_t* __restrict__ rows, int64_t row_words, int lane, int32_t n,
                               uint32_t* __restrict__ spins) {
  const int32_t i = blockIdx.x * blockDim.x + threadIdx.x;
  const bool up = i < n && (rows[i * row_words + lane / 32] >> (lane & 31) & 1u);
  const uint32_t word = __ballot_sync(kAllLanes, up);
  if ((threadIdx.x & 31) == 0 && i < n) spins[i / 32] = word;
}

}  // namespace

DeviceCrossover::DeviceCrossover(const Model& m, int64_t row_words, int group, uint64_t seed, const cuda::Stream& stream)
    : stream_(stream), n_(m.n), row_words_(row_words), group_(group), mirror_(!m.has_fields()), seed_(seed),
      ranges_(m.n, stream), bonds_(std::max<size_t>(1, m.neighbours.size()), stream),
      fields_(cuda::Buffer<double>::from_host(m.fields.data(), m.fields.size(), stream)) {
  if (m.neighbours.size() > INT32_MAX)
    throw Error(XC_OUT_OF_MEMORY, "the bonds of this model are more than the crossover can address", "device");
  std::vector<int2> ranges(m.n);
  std::vector<Bond> bonds(m.neighbours.size());
  for (int32_t i = 0; i < m.n; ++i) ranges[i] = make_int2(static_cast<int>(m.offsets[i]), static_cast<int>(m.offsets[i + 1]));
  for (size_t k = 0; k < bonds.size(); ++k) bonds[k] = {m.couplings[k], m.neighbours[k], 0};
  ranges_.upload(ranges.data(), ranges.size());
  bonds_.upload(bonds.data(), bonds.size());
  const size_t a_warp = words_a_set() * kSets * 4;
  warps_ = static_cast<int>(std::clamp<size_t>(kSharedLimit / 2 / a_warp, 1, kMostWarps));
  shared_ = a_warp * warps_;
  if (shared_ > kSharedLimit)
    throw Error(XC_OUT_OF_MEMORY, "a state of this model does not fit the shared memory of the crossover", "device");
  for (const void* kernel : {reinterpret_cast<const void*>(energies_kernel), reinterpret_cast<const void*>(improve_kernel)})
    XC_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kSharedLimit)));
  if (DeviceComponents::fits(m)) components_.emplace(m, stream_);
  stream_.synchronize();
}

void DeviceCrossover::energies(const uint32_t* rows, double* energies) {
  const Graph g{n_, mirror_, ranges_.data(), bonds_.data(), fields_.data()};
  energies_kernel<<<blocks(), 32 * warps_, shared_, stream_.get()>>>(g, rows, row_words_, words_a_set(), energies);
  XC_CUDA_LAUNCHED("thermo.ising_energies");
}

bool DeviceCrossover::walk(uint32_t* rows, const uint32_t* others, float mating, double* energies, const Stop& stop) {
  const Graph g{n_, mirror_, ranges_.data(), bonds_.data(), fields_.data()};
  const unsigned all = blocks();
  for (unsigned first = 0; first < all; first += kBlocksAtOnce) {
    if (first > 0) {
      stream_.synchronize();
      if (stop()) return false;
    }
    improve_kernel<<<std::min(kBlocksAtOnce, all - first), 32 * warps_, shared_, stream_.get()>>>(
        g, rows, others, row_words_, words_a_set(), first, mating, group_, seed_, round_, energies);
    XC_CUDA_LAUNCHED("thermo.partition_crossover");
  }
  return true;
}

bool DeviceCrossover::improve(uint32_t* rows, const uint32_t* others, double* energies, const Stop& stop) {
  ++round_;
  if (!components_) return walk(rows, others, -1, energies, stop);
  components_->improve({rows, others, row_words_, energies, seed_, round_});
  return true;
}

bool DeviceCrossover::mate(uint32_t* rows, const uint32_t* others, float mating, double* energies, const Stop& stop) {
  ++round_;
  if (!components_) return walk(rows, others, mating, energies, stop);
  components_->mate({rows, others, row_words_, energies, seed_, round_}, std::max(1, static_cast<int>(1 / mating)), group_);
  return true;
}

void DeviceCrossover::copy_lanes(uint32_t* rows, double* energies, const int32_t* to, const int32_t* from, int count) {
  if (count == 0) return;
  copy_kernel<<<count, 256, 0, stream_.get()>>>(n_, rows, row_words_, to, from, energies);
  XC_CUDA_LAUNCHED("thermo.copy_lanes");
}

void DeviceCrossover::copy_blocks(uint32_t* rows, const uint32_t* source, int words, const int32_t* flags) {
  const int64_t cells = n_ * row_words_;
  copy_blocks_kernel<<<static_cast<unsigned>(std::min<int64_t>((cells + 255) / 256, 4096)), 256, 0, stream_.get()>>>(
      rows, source, cells, row_words_, words, flags);
  XC_CUDA_LAUNCHED("thermo.copy_blocks");
}

void DeviceCrossover::extract(const uint32_t* rows, int lane, uint32_t* spins) {
  extract_kernel<<<(n_ + 255) / 256, 256, 0, stream_.get()>>>(rows, row_words_, lane, n_, spins);
  XC_CUDA_LAUNCHED("thermo.extract_lane");
}

}  // namespace xcore::thermo::ising
