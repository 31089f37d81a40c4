#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "thermo/langevin/langevin.hpp"

namespace xcore::thermo {

namespace {

constexpr int kThreads = 256;
// Steps between two looks at the cancel flag and reports of progress.
constexpr int32_t kStepsALook = 64;

__global__ void start_kernel(Landscape l, int64_t walkers, double* x) {
  const int64_t w = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (w < walkers) x[w] = first_position(l, w, walkers);
}

// One step of the schedule for all walkers; the sums are integers, so the order of the additions does not matter.
__global__ void walk_kernel(Landscape l, int64_t walkers, double temperature, double dt, int32_t substeps, uint64_t seed,
                            int32_t step, double* __restrict__ x, unsigned long long* __restrict__ sums) {
  const int64_t w = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  unsigned long long energy = 0, square = 0;
  if (w < walkers) {
    x[w] = langevin_walk(l, x[w], temperature, dt, substeps, seed, w, step);
    const EnergySums own = energy_quanta(l, x[w]);
    energy = own.energy;
    square = own.square;
  }
  for (int offset = 16; offset > 0; offset /= 2) {
    energy += __shfl_down_sync(0xffffffffu, energy, offset);
    square += __shfl_down_sync(0xffffffffu, square, offset);
  }
  if (threadIdx.x % 32 == 0) {
    atomicAdd(sums, energy);
    atomicAdd(sums + 1, square);
  }
}

}  // namespace

void langevin_cooling_cuda(const LangevinCooling& run, int device, const Control& control) {
  trace::OpTimer timer("thermo.langevin", cuda_device(device), static_cast<uint64_t>(run.walkers) * run.steps * 16);
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  auto potential = cuda::Buffer<double>::from_host(run.potential, run.points, stream);
  cuda::Buffer<double> x(run.walkers, stream);
  cuda::Buffer<unsigned long long> sums(2, stream);
  cuda::PinnedBuffer<unsigned long long> host(2);
  const Landscape here = landscape(run);
  Landscape there = here;
  there.potential = potential.data();
  const auto blocks = static_cast<unsigned>((run.walkers + kThreads - 1) / kThreads);
  start_kernel<<<blocks, kThreads, 0, stream>>>(there, run.walkers, x.data());
  XC_CUDA_LAUNCHED("thermo.langevin_start");
  double temperature = run.start;
  for (int32_t step = 0; step < run.steps; ++step) {
    if (step % kStepsALook == 0) {
      control.throw_if_cancelled();
      control.progress(step, run.steps);
    }
    XC_CUDA(cudaMemsetAsync(sums.data(), 0, 2 * sizeof(unsigned long long), stream));
    walk_kernel<<<blocks, kThreads, 0, stream>>>(there, run.walkers, temperature, run.dt, run.substeps, run.seed, step,
                                                 x.data(), sums.data());
    XC_CUDA_LAUNCHED("thermo.langevin_walk");
    sums.download(host.data(), 2);
    stream.synchronize();
    temperature = cool(run, here, {host.data()[0], host.data()[1]}, step, temperature);
  }
  if (run.positions) {
    x.download(run.positions, run.walkers);
    stream.synchronize();
  }
  control.progress(run.steps, run.steps);
}

}  // namespace xcore::thermo
