#include "thermo/ising/bitsliced/graph_cuda.hpp"

#include <algorithm>

#include "runtime/philox.hpp"

namespace xcore::thermo::ising {

namespace {

constexpr size_t kSharedLimit = 200 << 10, kAllShared = 216 << 10;

// The rows of the spins of one colour that a thread block works on side by side: threads that keep a multiprocessor busy while
// the others wait for memory.
constexpr int kBusyThreads = 192;

// The spins of one colour in slices of 32, each slice with the groups of its spins alternating, so that a warp reads them side
// by side. spins: row, first group, groups of level 0, levels | weight << 8; row -1 fills up a slice.
template <class Group>
std::vector<Group> slices(const BitslicedProgram& program, const Colouring& colouring, int64_t stride, int32_t turned_offset,
                          std::vector<int4>& spins, std::vector<int32_t>& starts) {
  using Entry = decltype(Group{}.x);
  constexpr bool in_shared = sizeof(Group) == sizeof(ushort4);
  const auto groups_of = [&](int32_t i) {
    const auto& s = program.spins[i];
    size_t count = 0;
    for (int32_t l = 0; l < s.levels; ++l) {
      const auto& level = program.levels[s.first_level + l];
      count += (l > 0) + (level.antiferro + level.ferro + 3) / 4;
    }
    return count;
  };
  std::vector<Group> groups;
  starts.assign(1, 0);
  for (size_t c = 0; c + 1 < colouring.starts.size(); ++c) {
    for (int32_t begin = colouring.starts[c]; begin < colouring.starts[c + 1]; begin += kSliceSpins) {
      const int32_t end = std::min(begin + kSliceSpins, colouring.starts[c + 1]);
      const size_t base = groups.size();
      size_t most = 0;
      for (int32_t at = begin; at < end; ++at) most = std::max(most, groups_of(colouring.order[at]));
      groups.resize(base + most * kSliceSpins);
      for (int32_t lane = 0; lane < kSliceSpins; ++lane) {
        if (begin + lane >= end) {
          spins.push_back(make_int4(-1, 0, 0, 0));
          continue;
        }
        const int32_t i = colouring.order[begin + lane];
        const auto& s = program.spins[i];
        const auto own = static_cast<int32_t>(i * stride);
        Group* at = groups.data() + base + lane;
        const int32_t* row = program.entries.data() + s.first_entry;
        int32_t first_count = 0;
        for (int32_t l = 0; l < s.levels; ++l) {
          const auto& level = program.levels[s.first_level + l];
          const int32_t count = level.antiferro + level.ferro;
          if (l == 0) {
            first_count = (count + 3) / 4;
          } else {
            at->x = static_cast<Entry>((count + 3) / 4);
            at += kSliceSpins;
          }
          for (int32_t k = 0; k < count; k += 4, at += kSliceSpins) {
            int32_t entry[4] = {own, own, own, own};
            for (int32_t m = 0; m < 4 && k + m < count; ++m, ++row) {
              const auto offset = static_cast<int32_t>(*row * stride);
              entry[m] = k + m < level.antiferro ? offset : in_shared ? offset + turned_offset : ~offset;
            }
            at->x = static_cast<Entry>(entry[0]);
            at->y = static_cast<Entry>(entry[1]);
            at->z = static_cast<Entry>(entry[2]);
            at->w = static_cast<Entry>(entry[3]);
          }
        }
        spins.push_back(make_int4(own, static_cast<int>(base) + lane, first_count, static_cast<int>(s.levels | s.weight << 8)));
      }
    }
    starts.push_back(static_cast<int32_t>(spins.size()));
  }
  groups.resize(groups.size() + 2 * kSliceSpins);  // read ahead
  return groups;
}

__global__ void seed_kernel(uint64_t seed, uint2* random) {
  const uint64_t t = static_cast<uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  Philox draws(seed, t | uint64_t{1} << 62);
  const uint32_t x = draws.next_u32();
  // The carry stays below the multiplier, and 0 with x = 0 would be a fixed point.
  random[t] = make_uint2(x, draws.next_u32() >> 1 | 1);
}

}  // namespace

DeviceGraph::DeviceGraph(const IntegerModel& model, const BitslicedProgram& program, const Shape& shape,
                         const cuda::Stream& stream)
    : n_(model.n), blocks_(shape.blocks), words_(shape.words), largest_weight_(program.largest_weight) {
  const Colouring colouring = colour_greedily(model);
  const int64_t colours = static_cast<int64_t>(colouring.starts.size()) - 1;
  bool turned = false;  // some bond wants its ends equal
  for (const auto& level : program.levels) turned |= level.ferro > 0;
  const auto bytes = [&](int w) { return static_cast<size_t>(n_ + 1) * w * 4 * (turned ? 2 : 1); };
  // Places in shared memory are told in 16 bits.
  const auto fits = [&](int w) {
    return bytes(w) <= kSharedLimit && bytes(w) / 4 <= 65536 && bytes(w) + w * shape.bytes_a_word <= kAllShared;
  };
  const bool choose = words_ == 0;
  if (choose) {
    int multiprocessors = 1;
    XC_CUDA(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, stream.device()));
    // The spins of one colour still have to occupy the threads.
    for (words_ = 1; words_ < kLaneWords && (static_cast<int64_t>(words_) * n_ < kBusyThreads * colours ||
                                             static_cast<int64_t>(words_) * multiprocessors < shape.replica_words);)
      words_ *= 2;
    while (shape.blocks == 0 && words_ > 1 && words_ / 2 >= shape.replica_words) words_ /= 2;
  }
  while (words_ > 1 && !fits(words_)) words_ /= 2;
  in_shared_ = fits(words_);
  if (!in_shared_) words_ = choose ? 2 : kLaneWords;
  if (blocks_ == 0) blocks_ = static_cast<int>((shape.replica_words + words_ - 1) / words_);
  shared_bytes_ = in_shared_ ? bytes(words_) : 0;
  const int64_t stride = in_shared_ ? words_ : row_words();
  turned_offset_ = turned && in_shared_ ? static_cast<int32_t>((n_ + 1) * stride) : 0;
  if ((n_ + 1) * stride > INT32_MAX / 2)
    throw Error(XC_OUT_OF_MEMORY, "the replicas of this model are more than the kernel can address", "device");

  colours_ = static_cast<int>(colours);
  std::vector<int4> spins;
  std::vector<int32_t> starts, fields;
  const auto upload = [&](auto& buffer, const auto& groups) {
    using Buffer = std::decay_t<decltype(buffer)>;
    if (groups.size() > INT32_MAX / 2)
      throw Error(XC_OUT_OF_MEMORY, "the bonds of this model are more than the kernel can address", "device");
    for (const int4& spin : spins) fields.push_back(spin.x < 0 ? 0 : model.fields[spin.x / stride]);
    buffer = Buffer::from_host(groups.data(), groups.size(), stream);
    spins_ = cuda::Buffer<int4>::from_host(spins.data(), spins.size(), stream);
    colour_starts_ = cuda::Buffer<int32_t>::from_host(starts.data(), starts.size(), stream);
    fields_ = cuda::Buffer<int32_t>::from_host(fields.data(), fields.size(), stream);
    stream.synchronize();  // the host copies end here
  };
  if (in_shared_) {
    upload(near_groups_, slices<ushort4>(program, colouring, stride, turned_offset_, spins, starts));
  } else {
    upload(far_groups_, slices<int4>(program, colouring, stride, 0, spins, starts));
  }
}

void seed_threads(uint64_t seed, cuda::Buffer<uint2>& random, const cuda::Stream& stream) {
  seed_kernel<<<static_cast<unsigned>(random.size() / kSweepThreads), kSweepThreads, 0, stream.get()>>>(seed, random.data());
  XC_CUDA_LAUNCHED("thermo.bitsliced_seed");
}

}  // namespace xcore::thermo::ising
