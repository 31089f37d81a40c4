#include "runtime/philox.hpp"
#include "thermo/ising/crossover/crossover_cuda.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr int kThreads = 128;

struct Graph {
  int32_t n;
  const int64_t* offsets;
  const int32_t* neighbours;
  const double* couplings;
  const double* fields;
};

__device__ __forceinline__ int spin_of(const uint32_t* column, int64_t row_words, int32_t i, int bit) {
  return static_cast<int>(column[i * row_words] >> bit & 1u);
}

__global__ void energies_kernel(Graph g, const uint32_t* __restrict__ rows, int64_t row_words, double* __restrict__ energies) {
  const int64_t lane = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (lane >= row_words * 32) return;
  const uint32_t* const column = rows + lane / 32;
  const int bit = static_cast<int>(lane % 32);
  double twice = 0, field = 0;
  for (int32_t i = 0; i < g.n; ++i) {
    const int self = spin_of(column, row_words, i, bit);
    double h = 0;
    for (int64_t k = g.offsets[i]; k < g.offsets[i + 1]; ++k)
      h += spin_of(column, row_words, g.neighbours[k], bit) ? g.couplings[k] : -g.couplings[k];
    twice += self ? h : -h;
    field += self ? g.fields[i] : -g.fields[i];
  }
  energies[lane] = -twice / 2 - field;
}

__global__ void improve_kernel(Graph g, uint32_t* rows, const uint32_t* __restrict__ others, int64_t row_words,
                               const int32_t* __restrict__ partner, bool mirror, uint64_t seed, uint64_t round,
                               int32_t* __restrict__ queue, uint32_t* __restrict__ visited, double* __restrict__ energies) {
  const int64_t lanes = row_words * 32, lane = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (lane >= lanes) return;
  const int64_t other_lane = partner ? partner[lane] : lane;
  if (other_lane < 0) return;
  uint32_t* const column = rows + lane / 32;
  const uint32_t* const other = others + other_lane / 32;
  const int bit = static_cast<int>(lane % 32), other_bit = static_cast<int>(other_lane % 32);
  queue += lane;
  visited += lane;

  // Other lanes of the word change their own bits meanwhile; this one's are changed by this thread only, at the end.
  int32_t differing = 0;
  for (int32_t i = 0; i < g.n; ++i)
    differing += spin_of(column, row_words, i, bit) ^ spin_of(other, row_words, i, other_bit);
  if (differing == 0 || (mirror && differing == g.n)) return;
  const int turned = mirror && differing > g.n / 2;
  const auto differs = [&](int32_t i) {
    return (spin_of(column, row_words, i, bit) ^ spin_of(other, row_words, i, other_bit)) != turned;
  };
  for (int32_t i = 0; i < g.n; i += 32) visited[(i / 32) * lanes] = 0;
  Philox random(seed, static_cast<uint64_t>(lane) | uint64_t{1} << 61, round << 16);
  double change = 0;
  int32_t kept = 0;
  for (int32_t start = 0; start < g.n; ++start) {
    if (!differs(start) || (visited[(start / 32) * lanes] >> (start % 32) & 1u)) continue;
    visited[(start / 32) * lanes] |= 1u << (start % 32);
    queue[kept * lanes] = start;
    int32_t end = kept + 1;
    double boundary = 0;
    for (int32_t at = kept; at < end; ++at) {
      const int32_t i = queue[at * lanes];
      double bond = g.fields[i];
      for (int64_t k = g.offsets[i]; k < g.offsets[i + 1]; ++k) {
        const int32_t j = g.neighbours[k];
        if (!differs(j)) {
          bond += spin_of(column, row_words, j, bit) ? g.couplings[k] : -g.couplings[k];
        } else if (!(visited[(j / 32) * lanes] >> (j % 32) & 1u)) {
          visited[(j / 32) * lanes] |= 1u << (j % 32);
          queue[end * lanes] = j;
          ++end;
        }
      }
      boundary += spin_of(column, row_words, i, bit) ? bond : -bond;
    }
    if (boundary < 0 || (boundary == 0 && (random.next_u32() & 1u))) {
      change += 2 * boundary;
      kept = end;
    }
  }
  for (int32_t k = 0; k < kept; ++k) atomicXor(column + queue[k * lanes] * row_words, 1u << bit);
  energies[lane] += change;
}

__global__ void copy_kernel(int32_t n, uint32_t* __restrict__ rows, const uint32_t* __restrict__ source, int64_t row_words,
                            const int32_t* __restrict__ to, const int32_t* __restrict__ from, int count) {
  const int k = blockIdx.x;
  if (k >= count) return;
  const int32_t target = to[k], origin = from[k];
  const uint32_t bit = 1u << (target % 32);
  for (int32_t i = threadIdx.x; i < n; i += blockDim.x) {
    uint32_t* const word = rows + i * row_words + target / 32;
    if (spin_of(source + origin / 32, row_words, i, origin % 32)) {
      atomicOr(word, bit);
    } else {
      atomicAnd(word, ~bit);
    }
  }
}

__global__ void copy_energies_kernel(double* energies, const int32_t* __restrict__ to, const int32_t* __restrict__ from,
                                     int count) {
  // Lanes that are copied from are never copied to (ground_state_cuda.cu takes them from different halves).
  const int k = blockIdx.x * blockDim.x + threadIdx.x;
  if (k < count) energies[to[k]] = energies[from[k]];
}

}  // namespace

DeviceCrossover::DeviceCrossover(const Model& m, int64_t row_words, uint64_t seed, const cuda::Stream& stream)
    : stream_(stream), n_(m.n), row_words_(row_words), mirror_(!m.has_fields()), seed_(seed),
      offsets_(cuda::Buffer<int64_t>::from_host(m.offsets.data(), m.offsets.size(), stream)),
      neighbours_(std::max<size_t>(1, m.neighbours.size()), stream), couplings_(std::max<size_t>(1, m.couplings.size()), stream),
      fields_(cuda::Buffer<double>::from_host(m.fields.data(), m.fields.size(), stream)),
      queue_(static_cast<size_t>(m.n) * row_words * 32, stream),
      visited_(static_cast<size_t>((m.n + 31) / 32) * row_words * 32, stream) {
  neighbours_.upload(m.neighbours.data(), m.neighbours.size());
  couplings_.upload(m.couplings.data(), m.couplings.size());
  stream_.synchronize();
}

void DeviceCrossover::energies(const uint32_t* rows, double* energies) {
  const Graph g{n_, offsets_.data(), neighbours_.data(), couplings_.data(), fields_.data()};
  const unsigned blocks = static_cast<unsigned>((row_words_ * 32 + kThreads - 1) / kThreads);
  energies_kernel<<<blocks, kThreads, 0, stream_.get()>>>(g, rows, row_words_, energies);
  XC_CUDA_LAUNCHED("thermo.ising_energies");
}

void DeviceCrossover::improve(uint32_t* rows, const uint32_t* others, const int32_t* partner, double* energies) {
  const Graph g{n_, offsets_.data(), neighbours_.data(), couplings_.data(), fields_.data()};
  const unsigned blocks = static_cast<unsigned>((row_words_ * 32 + kThreads - 1) / kThreads);
  improve_kernel<<<blocks, kThreads, 0, stream_.get()>>>(g, rows, others, row_words_, partner, mirror_, seed_, ++round_,
                                                         queue_.data(), visited_.data(), energies);
  XC_CUDA_LAUNCHED("thermo.partition_crossover");
}

void DeviceCrossover::copy_lanes(uint32_t* rows, const uint32_t* source, double* energies, const int32_t* to,
                                 const int32_t* from, int count) {
  if (count == 0) return;
  copy_kernel<<<count, 256, 0, stream_.get()>>>(n_, rows, source, row_words_, to, from, count);
  XC_CUDA_LAUNCHED("thermo.copy_lanes");
  copy_energies_kernel<<<(count + kThreads - 1) / kThreads, kThreads, 0, stream_.get()>>>(energies, to, from, count);
  XC_CUDA_LAUNCHED("thermo.copy_energies");
}

}  // namespace xcore::thermo::ising
