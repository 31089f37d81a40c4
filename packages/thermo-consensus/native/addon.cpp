// A thin passage from JavaScript to xc_thermo_table. Each operation comes twice: at once, for the few numbers of one
// choice, and as a job off the event loop, for batches.
#include <cmath>

#include "xcore/addon.hpp"
#include "xcore/thermo.h"

XADDON_DOMAIN(xc_thermo_table, "thermo", XC_THERMO_ABI)

// One file a subject.
void init_beliefs(Napi::Object exports);
void init_context(Napi::Object exports);
void init_langevin(Napi::Object exports);
void init_assignment(Napi::Object exports);
void init_ising(Napi::Object exports);

namespace {

using xaddon::array_arg;
using xaddon::check;
using xaddon::fail;
using xaddon::number_arg;
using xaddon::Span;
using Info = Napi::CallbackInfo;
using Call = std::function<xc_status(const xc_control*, xc_error*)>;

const xc_thermo_table& core(const Info& info) { return xaddon::core<xc_thermo_table>(info.Env()); }

Span<double> doubles(const Info& info, size_t i, const char* name) {
  return array_arg<double>(i < info.Length() ? info[i] : info.Env().Undefined(), name);
}
void same_length(size_t found, size_t wanted, const char* name) {
  if (found != wanted)
    fail(XC_INVALID_ARGUMENT, name,
         std::string(name) + " has " + std::to_string(found) + " elements; " + std::to_string(wanted) + " are needed");
}
uint64_t whole_arg(const Info& info, size_t i, const char* name) {
  const double v = number_arg(info, i, name);
  if (!(v >= 0 && v <= 9007199254740991.0 && v == std::floor(v)))
    fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be an integer from 0 to 2^53 - 1");
  return static_cast<uint64_t>(v);
}
// A missing device means auto; reading the object's properties is most of the cost of a small call.
xc_device device_arg(const Info& info, size_t i) {
  return xaddon::device_arg(i < info.Length() ? info[i] : info.Env().Undefined());
}

// boltzmann(energies, temperatures, seed, stream, device, probabilities, readings, choices); models is the quotient.
auto boltzmann_call(const Info& info) {
  const auto& table = core(info);
  const auto energies = doubles(info, 0, "energies"), temperatures = doubles(info, 1, "temperatures");
  const uint64_t seed = whole_arg(info, 2, "seed"), stream = whole_arg(info, 3, "stream");
  const xc_device device = device_arg(info, 4);
  const auto probabilities = doubles(info, 5, "probabilities"), readings = doubles(info, 6, "readings");
  const auto choices = array_arg<int32_t>(info[7], "choices");
  const size_t rows = temperatures.size, models = rows ? energies.size / rows : 1;
  if (models > INT32_MAX) fail(XC_INVALID_ARGUMENT, "energies", "a row has too many energies");
  same_length(energies.size, rows * models, "energies");
  same_length(probabilities.size, energies.size, "probabilities");
  same_length(readings.size, rows * XC_THERMO_READINGS, "readings");
  same_length(choices.size, rows, "choices");
  return [=, &table](const xc_control* control, xc_error* e) {
    return table.boltzmann(energies.data, static_cast<int64_t>(rows), static_cast<int32_t>(models), temperatures.data,
                           seed, stream, device, probabilities.data, readings.data, choices.data, control, e);
  };
}

// betaUpdate(alpha, beta, successes, failures, priorAlpha, priorBeta, forgetting, device, alphaOut, betaOut)
auto update_call(const Info& info) {
  const auto& table = core(info);
  const auto alpha = doubles(info, 0, "alpha"), beta = doubles(info, 1, "beta");
  const auto successes = doubles(info, 2, "successes"), failures = doubles(info, 3, "failures");
  const double prior_alpha = number_arg(info, 4, "prior"), prior_beta = number_arg(info, 5, "prior");
  const double forgetting = number_arg(info, 6, "forgetting");
  const xc_device device = device_arg(info, 7);
  const auto alpha_out = doubles(info, 8, "alphaOut"), beta_out = doubles(info, 9, "betaOut");
  same_length(beta.size, alpha.size, "beta");
  same_length(successes.size, alpha.size, "successes");
  same_length(failures.size, alpha.size, "failures");
  same_length(alpha_out.size, alpha.size, "alphaOut");
  same_length(beta_out.size, alpha.size, "betaOut");
  return [=, &table](const xc_control* control, xc_error* e) {
    return table.beta_update(alpha.data, beta.data, successes.data, failures.data, static_cast<int64_t>(alpha.size),
                             prior_alpha, prior_beta, forgetting, device, alpha_out.data, beta_out.data, control, e);
  };
}

// betaSummary(alpha, beta, level, device, mean, variance, lower, upper)
auto summary_call(const Info& info) {
  const auto& table = core(info);
  const auto alpha = doubles(info, 0, "alpha"), beta = doubles(info, 1, "beta");
  const double level = number_arg(info, 2, "level");
  const xc_device device = device_arg(info, 3);
  const auto mean = doubles(info, 4, "mean"), variance = doubles(info, 5, "variance");
  const auto lower = doubles(info, 6, "lower"), upper = doubles(info, 7, "upper");
  same_length(beta.size, alpha.size, "beta");
  same_length(mean.size, alpha.size, "mean");
  same_length(variance.size, alpha.size, "variance");
  same_length(lower.size, alpha.size, "lower");
  same_length(upper.size, alpha.size, "upper");
  return [=, &table](const xc_control* control, xc_error* e) {
    return table.beta_summary(alpha.data, beta.data, static_cast<int64_t>(alpha.size), level, device, mean.data,
                              variance.data, lower.data, upper.data, control, e);
  };
}

// betaSample(alpha, beta, seed, stream, device, draws)
auto sample_call(const Info& info) {
  const auto& table = core(info);
  const auto alpha = doubles(info, 0, "alpha"), beta = doubles(info, 1, "beta");
  const uint64_t seed = whole_arg(info, 2, "seed"), stream = whole_arg(info, 3, "stream");
  const xc_device device = device_arg(info, 4);
  const auto draws = doubles(info, 5, "draws");
  same_length(beta.size, alpha.size, "beta");
  same_length(draws.size, alpha.size, "draws");
  return [=, &table](const xc_control* control, xc_error* e) {
    return table.beta_sample(alpha.data, beta.data, static_cast<int64_t>(alpha.size), seed, stream, device, draws.data,
                             control, e);
  };
}

template <auto make_call>
Napi::Value now(const Info& info) {
  const auto call = make_call(info);
  check([&](xc_error* e) { return call(nullptr, e); });
  return info.Env().Undefined();
}

// The last argument is runJob's control. All arguments are kept alive: the arrays among them are in use.
template <auto make_call>
Napi::Value job(const Info& info) {
  const Call call = make_call(info);
  auto arguments = Napi::Array::New(info.Env(), info.Length());
  for (size_t i = 0; i < info.Length(); ++i) arguments.Set(static_cast<uint32_t>(i), info[i]);
  return xaddon::Job::start(info, info.Length() - 1, {arguments}, call, [](Napi::Env env) { return env.Undefined(); });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "boltzmann", now<boltzmann_call>);
  XADDON_METHOD(exports, "betaUpdate", now<update_call>);
  XADDON_METHOD(exports, "betaSummary", now<summary_call>);
  XADDON_METHOD(exports, "betaSample", now<sample_call>);
  XADDON_METHOD(exports, "boltzmannJob", job<boltzmann_call>);
  XADDON_METHOD(exports, "betaUpdateJob", job<update_call>);
  XADDON_METHOD(exports, "betaSummaryJob", job<summary_call>);
  XADDON_METHOD(exports, "betaSampleJob", job<sample_call>);
  init_beliefs(exports);
  init_context(exports);
  init_langevin(exports);
  init_assignment(exports);
  init_ising(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, init)
