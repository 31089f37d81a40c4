#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "thermo/boltzmann/boltzmann.hpp"

namespace xcore::thermo {

namespace {

constexpr int32_t kMostModels = 1 << 20;
// Below this many exponentials the transfer to a GPU costs more than the CPU needs for the whole batch.
constexpr int64_t kPaysFrom = 1 << 20;

void validate(const BoltzmannBatch& b) {
  if (b.rows < 0) throw invalid_argument("rows", "rows is %lld; it must not be negative", static_cast<long long>(b.rows));
  if (b.models < 1 || b.models > kMostModels)
    throw invalid_argument("models", "a row of %d models; 1 to %d are possible", b.models, kMostModels);
  if (b.rows > INT64_MAX / 64 / b.models)
    throw invalid_argument("rows", "%lld rows are more than can be addressed", static_cast<long long>(b.rows));
  if (b.rows > 0 && (!b.energies || !b.temperatures || !b.probabilities || !b.readings || !b.choices))
    throw invalid_argument("energies", "an array is missing");
  for (int64_t row = 0; row < b.rows; ++row) {
    const double t = b.temperatures[row];
    if (!(t >= 0))
      throw invalid_argument("temperature", "the temperature of row %lld is %g; it must be 0 or more",
                             static_cast<long long>(row), t);
    bool possible = false;
    for (int32_t i = 0; i < b.models; ++i) {
      const double e = b.energies[row * b.models + i];
      if (!(std::fabs(e) <= XC_THERMO_ENERGY_MAX) && e != INFINITY)
        throw invalid_argument("energies", "energy %d of row %lld is %g; it must lie within +-%g, or be +infinity to forbid it",
                               i, static_cast<long long>(row), e, XC_THERMO_ENERGY_MAX);
      possible = possible || e != INFINITY;
    }
    if (!possible)
      throw invalid_argument("energies", "every choice of row %lld is forbidden (+infinity); at least one must be possible",
                             static_cast<long long>(row));
  }
}

}  // namespace

void boltzmann_cpu(const BoltzmannBatch& b, const Control& control) {
  trace::OpTimer timer("thermo.boltzmann", kCpu, static_cast<uint64_t>(b.rows) * (16 * b.models + 8 + 32 + 4));
  auto rows_of = [&](int64_t begin, int64_t end) {
    control.throw_if_cancelled();
    for (int64_t row = begin; row < end; ++row) {
      boltzmann_row(b.energies + row * b.models, b.models, b.temperatures[row], b.seed, b.first_stream + row,
                    b.probabilities + row * b.models, b.readings + row * XC_THERMO_READINGS, b.choices + row);
    }
  };
  const int64_t grain = std::max<int64_t>(1, 4096 / b.models);
  if (b.rows <= grain) {
    rows_of(0, b.rows);  // a single choice must not pay for waking threads
  } else {
    thread_pool().parallel_for(b.rows, grain, rows_of);
  }
}

void boltzmann(const BoltzmannBatch& b, xc_device device, const Control& control) {
  validate(b);
  run_on(
      device, b.rows * b.models >= kPaysFrom, "thermo.boltzmann",
      [&](int index) {
#if XCORE_CUDA
        boltzmann_cuda(b, index, control);
#else
        (void)index;
        throw Error(XC_DEVICE_UNAVAILABLE, "this build has no CUDA", "device");
#endif
      },
      [&] { boltzmann_cpu(b, control); });
  control.progress(static_cast<double>(b.rows), static_cast<double>(b.rows));
}

}  // namespace xcore::thermo
