#include "thermo/context_belief/context_belief.hpp"

#include <string>
#include <vector>

#include "thermo/bench_round.hpp"
#include "thermo/text_features/text_features.hpp"

// What one choice takes: the features of a text of 348 units, and the forecasts for all models from 59 regressors.
void bench_context_belief(xc_device device) {
  using namespace xcore::thermo;
  if (device.kind != XC_DEVICE_CPU) return;
  const int32_t size = 59, stride = XC_THERMO_CONTEXT_STRIDE(size), repeats = 1000;
  std::u16string text;
  for (int i = 0; i < 4; ++i)
    text += u"Which of these metals is liquid at 20 degrees? Say why.\nA) iron\nB) mercury\nC) gallium\n";
  std::vector<double> features(XC_THERMO_TEXT_FEATURES), frequencies(26 * 32, 0.1), phases(32, 1), x(size);
  bench_round("text features", device, repeats, [&] {
    for (int i = 0; i < repeats; ++i) text_features(text.data(), static_cast<int64_t>(text.size()), '\n', features.data());
  });
  bench_round("context regressors", device, repeats, [&] {
    for (int i = 0; i < repeats; ++i)
      context_regressors(features.data(), 26, frequencies.data(), phases.data(), 32, x.data());
  });
  for (const int32_t models : {2, 5, 11}) {
    std::vector<double> memory(XC_THERMO_CONTEXT_BLOCK(models, size) + 8), shifts(models), variances(models);
    auto* block = reinterpret_cast<double*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
    for (int32_t m = 0; m <= models; ++m)
      for (int32_t i = 0; i < size; ++i) block[(static_cast<int64_t>(m) * (size + 1) + i) * stride + i] = 0.3;
    const std::vector<uint8_t> seen(models, 1);
    const xc_thermo_context context{models, size, 10, block, seen.data()};
    bench_round(("context predict, " + std::to_string(models) + " models").c_str(), device, repeats, [&] {
      for (int i = 0; i < repeats; ++i) context_predict(context, x.data(), shifts.data(), variances.data());
    });
    bench_round(("context observe, " + std::to_string(models) + " models").c_str(), device, repeats, [&] {
      for (int i = 0; i < repeats; ++i) context_observe(context, i % models, x.data(), 0.1);
    });
  }
}
