#include "thermo/ising/crossover/components_cuda.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "runtime/philox.hpp"
#include "thermo/ising/crossover/lane_set_cuda.cuh"

namespace xcore::thermo::ising {

template <class Weight>
struct alignas(2 * sizeof(Weight)) DeviceComponents::Bond {  // one read
  Weight coupling;
  int32_t to;
};

namespace {

constexpr size_t kSharedLimit = 200 << 10;
constexpr int kMostWarps = 8;  // a block
constexpr uint32_t kTaken = 1u << 31;

// Spins in which two states can differ: without fields the mirror image of one of them is nearer than half.
int32_t most_differing(int32_t n, bool mirror) { return mirror ? n / 2 : n; }

size_t bytes_a_warp(int32_t n, bool mirror, size_t weight) {
  const size_t words = (n + 31) / 32, most = most_differing(n, mirror) + 1;
  return (words * (4 + 4 + 4) + most * (4 + 2 + weight) + 15) / 16 * 16;
}

template <class Weight>
__device__ __forceinline__ void add_to(Weight* sum, Weight x) {
  if constexpr (sizeof(Weight) == 4) {
    atomicAdd(sum, x);
  } else {
    atomicAdd(reinterpret_cast<unsigned long long*>(sum), static_cast<unsigned long long>(x));
  }
}

template <class Weight>
__global__ void __launch_bounds__(32 * kMostWarps)
    components_kernel(DeviceComponents::Pairs p, int32_t n, bool mirror, const int2* __restrict__ ranges,
                      const DeviceComponents::Bond<Weight>* __restrict__ bonds, const Weight* __restrict__ fields, double unit,
                      int stride, int group, int most, size_t bytes) {
  extern __shared__ uint4 shared[];
  const int t = threadIdx.x & 31, warp = threadIdx.x >> 5, words = (n + 31) / 32;
  const int64_t lanes = p.row_words * 32;
  int64_t lane = static_cast<int64_t>(blockIdx.x) * (blockDim.x >> 5) + warp, partner = lane;
  if (stride > 0) {
    const int64_t first = lane * stride;
    if (first >= lanes) return;
    Philox random(p.seed, static_cast<uint64_t>(lane) | uint64_t{3} << 60, p.round << 4);
    lane = first + random.next_below(static_cast<uint32_t>(min(static_cast<int64_t>(stride), lanes - first)));
    const int64_t base = lane / group * group;
    partner = base + random.next_below(static_cast<uint32_t>(min(static_cast<int64_t>(group), lanes - base)));
    if (partner == lane) return;
  }
  if (lane >= lanes) return;
  // Sums first: they are the widest.
  char* const mine = reinterpret_cast<char*>(shared) + warp * bytes;
  Weight* const sum = reinterpret_cast<Weight*>(mine);
  uint32_t* const label = reinterpret_cast<uint32_t*>(sum + most);
  uint32_t* const up = label + most;
  uint32_t* const differs = up + words;
  uint32_t* const before = differs + words;  // differing spins in the words before
  uint16_t* const spin = reinterpret_cast<uint16_t*>(before + words);

  gather_lane(p.rows, p.row_words, lane, n, up);
  gather_lane(p.others, p.row_words, partner, n, differs);
  int count = 0;
  for (int w = t; w < words; w += 32) count += __popc(differs[w] ^= up[w]);
  count = __reduce_add_sync(kAllLanes, count);
  const bool turned = mirror && count > n / 2;
  if (turned) count = n - count;
  if (count == 0) return;
  int reached = 0;
  for (int from = 0; from < words; from += 32) {
    const int w = from + t;
    uint32_t set = w < words ? differs[w] : 0;
    if (turned && w < words) set = ~set & (w == n / 32 ? (1u << (n % 32)) - 1 : kAllLanes);
    int through = __popc(set);  // of this word and those before it
    for (int d = 1; d < 32; d *= 2) {
      const int other = __shfl_up_sync(kAllLanes, through, d);
      if (t >= d) through += other;
    }
    if (w < words) {
      differs[w] = set;
      int at = reached + through - __popc(set);
      before[w] = at;
      for (; set != 0; set &= set - 1) spin[at++] = static_cast<uint16_t>(32 * w + __ffs(set) - 1);
    }
    reached += __shfl_sync(kAllLanes, through, 31);
  }
  uint32_t* const next = reinterpret_cast<uint32_t*>(sum);  // labels of the step under way
  for (int k = t; k < count; k += 32) label[k] = next[k] = k;
  __syncwarp();
  const auto place_of = [&](int32_t j) { return before[j >> 5] + __popc(differs[j >> 5] & ((1u << (j & 31)) - 1)); };

  // A root is its own label; hooking makes the larger root of a bond's two ends point to the smaller.
  for (bool again = true; again;) {
    bool changed = false;
    for (int k = t; k < count; k += 32) {
      const int2 range = ranges[spin[k]];
      uint32_t own = label[k];
      for (int e = range.x; e < range.y; ++e) {
        const int32_t j = bonds[e].to;
        if (!in_set(differs, j)) continue;
        const uint32_t other = label[place_of(j)];
        if (other == own) continue;
        atomicMin(next + max(own, other), min(own, other));
        own = min(own, other);
        changed = true;
      }
    }
    __syncwarp();
    for (int k = t; k < count; k += 32) {
      uint32_t root = next[k];
      while (next[root] != root) root = next[root];
      label[k] = root;
    }
    __syncwarp();
    again = __any_sync(kAllLanes, changed);
    if (again)
      for (int k = t; k < count; k += 32) next[k] = label[k];
    __syncwarp();
  }
  for (int k = t; k < count; k += 32) sum[k] = 0;
  __syncwarp();
  // What taking a component changes, halved, comes from its bonds to spins that both states share, and from fields.
  for (int k = t; k < count; k += 32) {
    const int32_t i = spin[k];
    Weight field = fields[i];
    const int2 range = ranges[i];
    for (int e = range.x; e < range.y; ++e) {
      const auto bond = bonds[e];
      if (!in_set(differs, bond.to)) field += in_set(up, bond.to) ? bond.coupling : -bond.coupling;
    }
    add_to(sum + label[k], in_set(up, i) ? field : -field);
  }
  __syncwarp();
  int64_t change = 0;
  for (int k = t; k < count; k += 32) {
    if (label[k] != k) continue;
    const Weight boundary = sum[k];
    bool take = boundary < 0;
    if (boundary == 0) {
      Philox coin(p.seed, static_cast<uint64_t>(lane) | (stride > 0 ? uint64_t{5} : uint64_t{1}) << 61, p.round << 18 | 4u * spin[k]);
      take = coin.next_u32() & 1u;
    }
    if (!take) continue;
    change += boundary;
    label[k] |= kTaken;
  }
  __syncwarp();
  // Other lanes of the words change their own bits meanwhile.
  const uint32_t bit = 1u << (lane & 31);
  for (int k = t; k < count; k += 32)
    if (label[label[k] & ~kTaken] & kTaken) atomicXor(p.rows + spin[k] * p.row_words + lane / 32, bit);
  for (int d = 16; d > 0; d /= 2) change += __shfl_xor_sync(kAllLanes, change, d);
  if (t == 0) p.energies[lane] += 2 * unit * static_cast<double>(change);
}

}  // namespace

bool DeviceComponents::fits(const Model& m) {
  return m.n < 1 << 16 && bytes_a_warp(m.n, !m.has_fields(), sizeof(int64_t)) <= kSharedLimit && m.neighbours.size() <= INT32_MAX;
}

DeviceComponents::DeviceComponents(const Model& m, const cuda::Stream& stream)
    : stream_(stream), n_(m.n), mirror_(!m.has_fields()), ranges_(m.n, stream) {
  double total = 0;
  for (const double w : m.couplings) total += std::fabs(w);
  for (const double h : m.fields) total += std::fabs(h);
  const double exact = exact_unit(m, 1 << 20);
  narrow_ = exact > 0 && total / exact < 1 << 30;
  int exponent;
  std::frexp(total, &exponent);
  unit_ = narrow_ ? exact : std::ldexp(1.0, std::max(exponent - 60, -1074));
  std::vector<int2> ranges(m.n);
  for (int32_t i = 0; i < m.n; ++i) ranges[i] = make_int2(static_cast<int>(m.offsets[i]), static_cast<int>(m.offsets[i + 1]));
  ranges_.upload(ranges.data(), ranges.size());
  if (narrow_) {
    place(narrow_graph_, m);
  } else {
    place(wide_graph_, m);
  }
}

template <class Weight>
void DeviceComponents::place(Graph<Weight>& graph, const Model& m) {
  const auto in_units = [&](double x) { return static_cast<Weight>(std::llround(x / unit_)); };
  std::vector<Bond<Weight>> bonds(std::max<size_t>(1, m.neighbours.size()));
  for (size_t k = 0; k < m.neighbours.size(); ++k) bonds[k] = {in_units(m.couplings[k]), m.neighbours[k]};
  std::vector<Weight> fields(m.n);
  std::transform(m.fields.begin(), m.fields.end(), fields.begin(), in_units);
  graph.bonds = cuda::Buffer<Bond<Weight>>::from_host(bonds.data(), bonds.size(), stream_);
  graph.fields = cuda::Buffer<Weight>::from_host(fields.data(), fields.size(), stream_);
  XC_CUDA(cudaFuncSetAttribute(reinterpret_cast<const void*>(components_kernel<Weight>),
                               cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(kSharedLimit)));
  stream_.synchronize();  // the host copies end here
}

template <class Weight>
void DeviceComponents::launch(const Graph<Weight>& graph, const Pairs& pairs, int stride, int group) {
  const size_t bytes = bytes_a_warp(n_, mirror_, sizeof(Weight));
  const int64_t lanes = pairs.row_words * 32, warps = stride > 0 ? (lanes + stride - 1) / stride : lanes;
  // Few warps spread over all multiprocessors, many fill them.
  const int most_warps = stride > 0 ? 1 : kMostWarps;
  const int a_block = static_cast<int>(std::clamp<size_t>(kSharedLimit / 2 / bytes, 1, most_warps));
  components_kernel<Weight><<<cuda::blocks_for(warps, a_block), 32 * a_block, bytes * a_block, stream_.get()>>>(
      pairs, n_, mirror_, ranges_.data(), graph.bonds.data(), graph.fields.data(), unit_, stride, group,
      most_differing(n_, mirror_) + 1, bytes);
  XC_CUDA_LAUNCHED("thermo.crossover_components");
}

void DeviceComponents::improve(const Pairs& pairs) {
  if (narrow_) {
    launch(narrow_graph_, pairs, 0, 1);
  } else {
    launch(wide_graph_, pairs, 0, 1);
  }
}

void DeviceComponents::mate(const Pairs& pairs, int stride, int group) {
  if (narrow_) {
    launch(narrow_graph_, pairs, stride, group);
  } else {
    launch(wide_graph_, pairs, stride, group);
  }
}

}  // namespace xcore::thermo::ising
