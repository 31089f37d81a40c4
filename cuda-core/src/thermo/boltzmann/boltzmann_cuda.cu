#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "thermo/boltzmann/boltzmann.hpp"

namespace xcore::thermo {

namespace {

constexpr int kThreads = 128;
// Rows a launch: bounds device memory and the time between two looks at the cancel flag.
constexpr int64_t kElementsALaunch = 1 << 24;

__global__ void boltzmann_kernel(const double* __restrict__ energies, int64_t rows, int32_t models,
                                 const double* __restrict__ temperatures, uint64_t seed, uint64_t first_stream,
                                 double* __restrict__ probabilities, double* __restrict__ readings,
                                 int32_t* __restrict__ choices) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  boltzmann_row(energies + row * models, models, temperatures[row], seed, first_stream + static_cast<uint64_t>(row),
                probabilities + row * models, readings + row * XC_THERMO_READINGS, choices + row);
}

}  // namespace

void boltzmann_cuda(const BoltzmannBatch& b, int device, const Control& control) {
  if (b.rows == 0) return;
  trace::OpTimer timer("thermo.boltzmann", cuda_device(device),
                       static_cast<uint64_t>(b.rows) * (16 * b.models + 8 + 32 + 4));
  cuda::DeviceScope scope(device);
  cuda::Stream stream(device);
  const int64_t part = std::min(b.rows, std::max<int64_t>(1, kElementsALaunch / b.models));
  cuda::Buffer<double> energies(part * b.models, stream), probabilities(part * b.models, stream);
  cuda::Buffer<double> temperatures(part, stream), readings(part * XC_THERMO_READINGS, stream);
  cuda::Buffer<int32_t> choices(part, stream);
  for (int64_t first = 0; first < b.rows; first += part) {
    control.throw_if_cancelled();
    const int64_t rows = std::min(part, b.rows - first);
    energies.upload(b.energies + first * b.models, rows * b.models);
    temperatures.upload(b.temperatures + first, rows);
    boltzmann_kernel<<<static_cast<unsigned>((rows + kThreads - 1) / kThreads), kThreads, 0, stream>>>(
        energies.data(), rows, b.models, temperatures.data(), b.seed, b.first_stream + static_cast<uint64_t>(first),
        probabilities.data(), readings.data(), choices.data());
    XC_CUDA_LAUNCHED("thermo.boltzmann");
    probabilities.download(b.probabilities + first * b.models, rows * b.models);
    readings.download(b.readings + first * XC_THERMO_READINGS, rows * XC_THERMO_READINGS);
    choices.download(b.choices + first, rows);
    stream.synchronize();
    control.progress(static_cast<double>(first + rows), static_cast<double>(b.rows));
  }
}

}  // namespace xcore::thermo
