#include <algorithm>
#include <atomic>
#include <cstring>

#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/belief_table/belief_table.hpp"

namespace xcore::thermo {

namespace {

constexpr int kThreads = 256;
// Pairs that travel together: few enough that the first are under way soon, enough for transfers at full speed.
constexpr int64_t kPart = 1 << 16;
// Pairs whose statistics are in page-locked memory at a time; bounds it to 48 MB.
const int64_t kBatch = 1 << 22;
// Pairs a launch of the slow readings: bounds the time between two looks at the cancel flag.
constexpr int64_t kReadingsALaunch = 1 << 18;

__device__ int64_t pair_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__global__ void fill_kernel(BeliefPrior prior, double* parameters, int64_t pairs) {
  const int64_t i = pair_index();
  if (i >= pairs) return;
  for (int c = 0; c < (prior.kind == XC_BELIEFS_BETA ? 2 : 4); ++c) parameters[c * pairs + i] = prior.values[c];
}

// Pairs [first, first + count); their statistics come in parts of `part` pairs, a part's columns one after the other.
__global__ void update_kernel(BeliefPrior prior, double forgetting, const float* __restrict__ statistics, int part,
                              int64_t first, int64_t count, double* __restrict__ parameters, int64_t pairs) {
  const int64_t i = pair_index();
  if (i >= count) return;
  float own[3];
  double p[4];
  const int columns = prior.kind == XC_BELIEFS_BETA ? 2 : 4, given = prior.kind == XC_BELIEFS_BETA ? 2 : 3;
#pragma unroll
  for (int c = 0; c < 3; ++c)
    if (c < given) own[c] = statistics[(i / part) * part * given + c * part + i % part];
#pragma unroll
  for (int c = 0; c < 4; ++c)
    if (c < columns) p[c] = parameters[c * pairs + first + i];
  belief_update(prior, forgetting, own, p, 1);
#pragma unroll
  for (int c = 0; c < 4; ++c)
    if (c < columns) parameters[c * pairs + first + i] = p[c];
}

__global__ void summary_kernel(int32_t kind, const double* __restrict__ parameters, int64_t pairs, int64_t first,
                               int64_t count, double level, double* __restrict__ out) {
  const int64_t i = pair_index();
  if (i >= count) return;
  const NormalReading r = belief_reading(kind, parameters + first + i, pairs, level);
  out[i] = r.mean;
  out[count + i] = r.variance;
  out[2 * count + i] = r.lower;
  out[3 * count + i] = r.upper;
}

__global__ void sample_kernel(int32_t kind, const double* __restrict__ parameters, int64_t pairs, int64_t first,
                              int64_t count, uint64_t seed, uint64_t first_stream, double* __restrict__ draws) {
  const int64_t i = pair_index();
  if (i < count)
    draws[i] = belief_draw(kind, parameters + first + i, pairs, seed, first_stream + static_cast<uint64_t>(first + i));
}

// Pairs of whole parts that a batch of a table may hold.
int64_t staged(int64_t pairs) { return (std::min(pairs, kBatch) + kPart - 1) / kPart * kPart; }

class CudaStorage final : public BeliefStorage {
 public:
  CudaStorage(const BeliefPrior& prior, int64_t pairs, int device)
      : prior_(prior), pairs_(pairs), stream_(device), parameters_(prior.parameters() * pairs, stream_),
        staging_(prior.statistics() * staged(pairs)), statistics_(staging_.size(), stream_) {
    fill_kernel<<<cuda::blocks_for(pairs, kThreads), kThreads, 0, stream_>>>(prior, parameters_.data(), pairs);
    XC_CUDA_LAUNCHED("thermo.beliefs_fill");
    stream_.synchronize();
  }

  xc_device device() const override { return cuda_device(stream_.device()); }

  // Statistics come from ordinary memory, which a GPU cannot read at full speed: each thread checks a part, copies it into
  // page-locked memory and sends it off at once, so that checking, copying and transfers go on side by side. The parameters
  // change when all parts are known to be usable.
  void update(const float* statistics, double forgetting, const Control&) override {
    if (pairs_ > kBatch) check_statistics(prior_, statistics, pairs_);
    trace::OpTimer timer("thermo.beliefs_update", device(), static_cast<uint64_t>(pairs_) * prior_.statistics() * 4);
    const cuda::DeviceScope scope(stream_.device());
    for (int64_t first = 0; first < pairs_; first += kBatch) {
      const int64_t count = std::min(kBatch, pairs_ - first);
      if (!send(statistics, first, count)) {
        stream_.synchronize();  // the parts under way leave page-locked memory that the next update writes
        check_statistics(prior_, statistics, pairs_);
      }
      update_kernel<<<cuda::blocks_for(count, kThreads), kThreads, 0, stream_>>>(prior_, forgetting, statistics_.data(), static_cast<int>(kPart), first, count,
                                                             parameters_.data(), pairs_);
      XC_CUDA_LAUNCHED("thermo.beliefs_update");
      stream_.synchronize();
    }
  }

  void read(double* parameters) const override {
    cuda::DeviceScope scope(stream_.device());
    parameters_.download(parameters, parameters_.size());
    stream_.synchronize();
  }
  void write(const double* parameters) override {
    cuda::DeviceScope scope(stream_.device());
    parameters_.upload(parameters, parameters_.size());
    stream_.synchronize();
  }

  void summary(double level, const BeliefSummary& out, const Control& control) const override {
    trace::OpTimer timer("thermo.beliefs_summary", device(), static_cast<uint64_t>(pairs_) * 32);
    cuda::DeviceScope scope(stream_.device());
    const int64_t part = std::min(pairs_, kReadingsALaunch);
    cuda::Buffer<double> readings(4 * part, stream_);
    for (int64_t first = 0; first < pairs_; first += part) {
      control.throw_if_cancelled();
      const int64_t count = std::min(part, pairs_ - first);
      summary_kernel<<<cuda::blocks_for(count, kThreads), kThreads, 0, stream_>>>(prior_.kind, parameters_.data(), pairs_, first, count, level,
                                                              readings.data());
      XC_CUDA_LAUNCHED("thermo.beliefs_summary");
      double* const columns[] = {out.mean, out.variance, out.lower, out.upper};
      for (int c = 0; c < 4; ++c)
        XC_CUDA(cudaMemcpyAsync(columns[c] + first, readings.data() + c * count, count * sizeof(double),
                                cudaMemcpyDeviceToHost, stream_));
      stream_.synchronize();
    }
  }

  void sample(uint64_t seed, uint64_t first_stream, double* draws, const Control& control) const override {
    trace::OpTimer timer("thermo.beliefs_sample", device(), static_cast<uint64_t>(pairs_) * 8);
    cuda::DeviceScope scope(stream_.device());
    const int64_t part = std::min<int64_t>(pairs_, 1 << 22);
    cuda::Buffer<double> out(part, stream_);
    for (int64_t first = 0; first < pairs_; first += part) {
      control.throw_if_cancelled();
      const int64_t count = std::min(part, pairs_ - first);
      sample_kernel<<<cuda::blocks_for(count, kThreads), kThreads, 0, stream_>>>(prior_.kind, parameters_.data(), pairs_, first, count, seed,
                                                             first_stream, out.data());
      XC_CUDA_LAUNCHED("thermo.beliefs_sample");
      out.download(draws + first, count);
      stream_.synchronize();
    }
  }

 private:
  // Whether the statistics of pairs [first, first + count) are usable; if so they are on their way to the device.
  bool send(const float* statistics, int64_t first, int64_t count) {
    const int columns = prior_.statistics();
    std::atomic<bool> fine{true};
    thread_pool().parallel_for((count + kPart - 1) / kPart, 1, [&](int64_t begin, int64_t end) {
      const cuda::DeviceScope scope(stream_.device());
      for (int64_t part = begin; part < end && fine; ++part) {
        const int64_t from = first + part * kPart, size = std::min(kPart, first + count - from);
        if (!statistics_usable(prior_, statistics, pairs_, from, from + size)) {
          fine = false;
          return;
        }
        float* const host = staging_.data() + part * kPart * columns;
        for (int c = 0; c < columns; ++c)
          std::memcpy(host + c * kPart, statistics + c * pairs_ + from, size * sizeof(float));
        XC_CUDA(cudaMemcpyAsync(statistics_.data() + part * kPart * columns, host, columns * kPart * sizeof(float),
                                cudaMemcpyHostToDevice, stream_));
      }
    });
    return fine;
  }

  BeliefPrior prior_;
  int64_t pairs_;
  cuda::Stream stream_;
  cuda::Buffer<double> parameters_;
  cuda::PinnedBuffer<float> staging_;
  cuda::Buffer<float> statistics_;
};

}  // namespace

std::unique_ptr<BeliefStorage> belief_storage_cuda(const BeliefPrior& prior, int64_t pairs, int device) {
  const cuda::DeviceScope scope(device);
  return std::make_unique<CudaStorage>(prior, pairs, device);
}

}  // namespace xcore::thermo
