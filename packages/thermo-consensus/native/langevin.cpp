// Cooling ensembles: langevinCooling(potential, options, device, temperatures, meanEnergy, heatCapacity, control).
#include "xcore/addon.hpp"
#include "xcore/thermo.h"

namespace {

Napi::Value langevin_cooling(const Napi::CallbackInfo& info) {
  using xaddon::array_arg;
  const auto& table = xaddon::core<xc_thermo_table>(info.Env());
  const auto potential = array_arg<double>(info[0], "potential");
  if (!info[1].IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  const auto options = info[1].As<Napi::Object>();
  const auto number = [&](const char* name) {
    const Napi::Value v = options.Get(name);
    if (!v.IsNumber()) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
    return v.As<Napi::Number>().DoubleValue();
  };
  const auto temperatures = array_arg<double>(info[3], "temperatures");
  const auto mean_energy = array_arg<double>(info[4], "meanEnergy"), capacity = array_arg<double>(info[5], "heatCapacity");
  if (potential.size > INT32_MAX || temperatures.size > INT32_MAX || mean_energy.size != temperatures.size ||
      capacity.size != temperatures.size)
    xaddon::fail(XC_INVALID_ARGUMENT, "temperatures", "the arrays of readings must have one length");
  xc_thermo_langevin run;
  std::memset(&run, 0, sizeof run);
  run.potential = potential.data;
  run.points = static_cast<int32_t>(potential.size);
  run.steps = static_cast<int32_t>(temperatures.size);
  run.substeps = static_cast<int32_t>(number("substeps"));
  run.low = number("low");
  run.high = number("high");
  run.start = number("start");
  run.end = number("end");
  run.dt = number("dt");
  run.speed = number("speed");
  run.max_change = number("maxChange");
  run.walkers = static_cast<int64_t>(number("walkers"));
  run.seed = static_cast<uint64_t>(number("seed"));
  run.temperatures = temperatures.data;
  run.mean_energy = mean_energy.data;
  run.heat_capacity = capacity.data;
  const xc_device device = xaddon::device_arg(info[2]);
  return xaddon::Job::start(
      info, 6, {info[0], info[3], info[4], info[5]},
      [=, &table](const xc_control* control, xc_error* e) { return table.langevin_cooling(&run, device, control, e); },
      [](Napi::Env env) { return env.Undefined(); });
}

}  // namespace

void init_langevin(Napi::Object exports) { XADDON_METHOD(exports, "langevinCooling", langevin_cooling); }
