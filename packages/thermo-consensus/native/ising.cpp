// Ising models: jobs off the event loop. Numbers travel in Float64Arrays whose places are named in src/native-ising.ts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/thermo.h"

namespace {

using xaddon::array_arg;
using xaddon::fail;
using xaddon::Span;
using Info = Napi::CallbackInfo;

const xc_thermo_table& core(const Info& info) { return xaddon::core<xc_thermo_table>(info.Env()); }

Napi::Value argument(const Info& info, size_t i) { return i < info.Length() ? info[i] : info.Env().Undefined(); }

template <class T>
Span<T> array(const Info& info, size_t i, const char* name) {
  return array_arg<T>(argument(info, i), name);
}
// undefined is an empty span with no data.
template <class T>
Span<T> optional_array(const Info& info, size_t i, const char* name) {
  const Napi::Value value = argument(info, i);
  return value.IsUndefined() ? Span<T>{} : array_arg<T>(value, name);
}
void require(size_t found, size_t wanted, const char* name) {
  if (found != wanted)
    fail(XC_INVALID_ARGUMENT, name,
         std::string(name) + " has " + std::to_string(found) + " elements; " + std::to_string(wanted) + " are needed");
}
void require_or_absent(size_t found, bool there, size_t wanted, const char* name) {
  if (there) require(found, wanted, name);
}
// A whole number within the range of T.
template <class T>
T whole(double x, const char* name) {
  if (!(x == std::floor(x)) || x < 0 || x > 9007199254740991.0 || x > static_cast<double>(std::numeric_limits<T>::max()))
    fail(XC_INVALID_ARGUMENT, name, std::string(name) + " is not a whole number in range");
  return static_cast<T>(x);
}

// n, edges, weights, fields | undefined: the first four arguments of every function here.
xc_ising_model model_of(const Info& info) {
  const auto n = whole<int32_t>(xaddon::number_arg(info, 0, "n"), "n");
  const auto edges = array<int32_t>(info, 1, "edges");
  const auto weights = array<double>(info, 2, "weights");
  const auto fields = optional_array<double>(info, 3, "fields");
  require(edges.size, 2 * weights.size, "edges");
  require_or_absent(fields.size, fields.data != nullptr || fields.size > 0, static_cast<size_t>(n), "fields");
  return {edges.data, weights.data, fields.data, static_cast<int64_t>(weights.size), n, 0};
}

using Call = std::function<xc_status(const xc_control*, xc_error*)>;
Napi::Value start(const Info& info, Call call) {
  auto arguments = Napi::Array::New(info.Env(), info.Length());
  for (size_t i = 0; i < info.Length(); ++i) arguments.Set(static_cast<uint32_t>(i), info[i]);
  return xaddon::Job::start(info, info.Length() - 1, {arguments}, std::move(call), [](Napi::Env env) { return env.Undefined(); });
}

// isingSolveJob(n, edges, weights, fields, options[6], start | undefined, device, spins, result[10], control)
Napi::Value solve(const Info& info) {
  const auto& table = core(info);
  const xc_ising_model model = model_of(info);
  const auto o = array<double>(info, 4, "options");
  require(o.size, 6, "options");
  xc_ising_solve_options options{};
  options.seed = whole<uint64_t>(o.data[0], "seed");
  options.time_limit_s = o.data[1];
  options.target = o.data[2];
  options.rounds = whole<int64_t>(o.data[3], "rounds");
  options.threads = whole<int32_t>(o.data[4], "threads");
  options.populations = whole<int32_t>(o.data[5], "populations");
  const auto first = optional_array<int8_t>(info, 5, "start");
  require_or_absent(first.size, first.data != nullptr || first.size > 0, static_cast<size_t>(model.n), "start");
  options.start = first.data;
  const xc_device device = xaddon::device_arg(argument(info, 6));
  const auto spins = array<int8_t>(info, 7, "spins");
  const auto result = array<double>(info, 8, "result");
  require(spins.size, static_cast<size_t>(model.n), "spins");
  require(result.size, 10, "result");
  return start(info, [=, &table](const xc_control* control, xc_error* e) {
    xc_ising_solve_result r{};
    const xc_status status = table.ising_solve(&model, &options, device, spins.data, &r, control, e);
    const double values[] = {r.energy, r.time_s, r.best_time_s, static_cast<double>(r.rounds),
                             static_cast<double>(r.spin_updates), static_cast<double>(r.proven),
                             static_cast<double>(r.target_reached), static_cast<double>(r.kernel_spins),
                             static_cast<double>(r.device.kind), static_cast<double>(r.device.index)};
    std::copy(std::begin(values), std::end(values), result.data);
    return status;
  });
}

// isingTemperJob(n, edges, weights, fields, options[9], betas, device, readings, energies, magnetizations, roundTrips,
//                spins, best, result[7], control); arrays from energies to best may be undefined
Napi::Value temper(const Info& info) {
  const auto& table = core(info);
  const xc_ising_model model = model_of(info);
  const auto o = array<double>(info, 4, "options");
  require(o.size, 9, "options");
  const auto betas = array<double>(info, 5, "betas");
  xc_ising_temper_options options{};
  options.betas = betas.data;
  options.slots = whole<int32_t>(static_cast<double>(betas.size), "betas");
  options.chains = whole<int32_t>(o.data[0], "chains");
  options.burn_in = whole<int64_t>(o.data[1], "burnIn");
  options.rounds = whole<int64_t>(o.data[2], "rounds");
  options.sweeps_per_round = whole<int32_t>(o.data[3], "sweepsPerRound");
  options.rule = whole<int32_t>(o.data[4], "rule");
  options.ladder = whole<int32_t>(o.data[5], "ladder");
  options.adaptations = whole<int32_t>(o.data[6], "adaptations");
  options.cluster_moves = whole<int32_t>(o.data[7], "clusterMoves");
  options.seed = whole<uint64_t>(o.data[8], "seed");
  const xc_device device = xaddon::device_arg(argument(info, 6));
  const auto readings = array<double>(info, 7, "readings");
  const auto energies = optional_array<double>(info, 8, "energies"), magnetizations = optional_array<double>(info, 9, "magnetizations");
  const auto trips = optional_array<double>(info, 10, "roundTrips");
  const auto spins = optional_array<int8_t>(info, 11, "spins"), best = optional_array<int8_t>(info, 12, "best");
  const auto result = array<double>(info, 13, "result");
  const size_t slots = betas.size, chains = static_cast<size_t>(options.chains), rounds = static_cast<size_t>(options.rounds);
  require(readings.size, slots * XC_ISING_READINGS, "readings");
  require_or_absent(energies.size, energies.data, chains * slots * rounds, "energies");
  require_or_absent(magnetizations.size, magnetizations.data, chains * rounds, "magnetizations");
  require_or_absent(trips.size, trips.data, chains, "roundTrips");
  require_or_absent(spins.size, spins.data, chains * slots * static_cast<size_t>(model.n), "spins");
  require_or_absent(best.size, best.data, static_cast<size_t>(model.n), "best");
  require(result.size, 7, "result");
  return start(info, [=, &table](const xc_control* control, xc_error* e) {
    xc_ising_temper_result r{};
    std::vector<int64_t> counts(trips.data ? chains : 0);
    const xc_status status =
        table.ising_temper(&model, &options, device, readings.data, energies.data, magnetizations.data,
                           trips.data ? counts.data() : nullptr, spins.data, best.data, &r, control, e);
    std::copy(counts.begin(), counts.end(), trips.data);
    const double values[] = {r.best_energy, r.barrier, static_cast<double>(r.round_trips), static_cast<double>(r.spin_updates),
                             r.time_s, static_cast<double>(r.device.kind), static_cast<double>(r.device.index)};
    std::copy(std::begin(values), std::end(values), result.data);
    return status;
  });
}

// isingPopulationJob(n, edges, weights, fields, options[6], betas, device, readings, energies, works, spins, best,
//                    result[5], control); arrays from energies to best may be undefined
Napi::Value population(const Info& info) {
  const auto& table = core(info);
  const xc_ising_model model = model_of(info);
  const auto o = array<double>(info, 4, "options");
  require(o.size, 6, "options");
  const auto betas = array<double>(info, 5, "betas");
  xc_ising_population_options options{};
  options.betas = betas.data;
  options.steps = whole<int32_t>(static_cast<double>(betas.size), "betas");
  options.replicas = whole<int32_t>(o.data[0], "replicas");
  options.sweeps_per_step = whole<int32_t>(o.data[1], "sweepsPerStep");
  options.first_sweeps = whole<int32_t>(o.data[2], "firstSweeps");
  options.rule = whole<int32_t>(o.data[3], "rule");
  options.resample = whole<int32_t>(o.data[4], "resample");
  options.seed = whole<uint64_t>(o.data[5], "seed");
  const xc_device device = xaddon::device_arg(argument(info, 6));
  const auto readings = array<double>(info, 7, "readings");
  const auto energies = optional_array<double>(info, 8, "energies"), works = optional_array<double>(info, 9, "works");
  const auto spins = optional_array<int8_t>(info, 10, "spins"), best = optional_array<int8_t>(info, 11, "best");
  const auto result = array<double>(info, 12, "result");
  const size_t replicas = static_cast<size_t>(options.replicas);
  require(readings.size, betas.size * XC_ISING_STEP_READINGS, "readings");
  require_or_absent(energies.size, energies.data, replicas, "energies");
  require_or_absent(works.size, works.data, replicas, "works");
  require_or_absent(spins.size, spins.data, replicas * static_cast<size_t>(model.n), "spins");
  require_or_absent(best.size, best.data, static_cast<size_t>(model.n), "best");
  require(result.size, 5, "result");
  return start(info, [=, &table](const xc_control* control, xc_error* e) {
    xc_ising_population_result r{};
    const xc_status status = table.ising_population(&model, &options, device, readings.data, energies.data, works.data,
                                                    spins.data, best.data, &r, control, e);
    const double values[] = {r.best_energy, static_cast<double>(r.spin_updates), r.time_s,
                             static_cast<double>(r.device.kind), static_cast<double>(r.device.index)};
    std::copy(std::begin(values), std::end(values), result.data);
    return status;
  });
}

}  // namespace

void init_ising(Napi::Object exports) {
  XADDON_METHOD(exports, "isingSolveJob", solve);
  XADDON_METHOD(exports, "isingTemperJob", temper);
  XADDON_METHOD(exports, "isingPopulationJob", population);
}
