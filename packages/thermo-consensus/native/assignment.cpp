// The generalised assignment problem: both entries of the table as jobs off the event loop.
#include "xcore/addon.hpp"
#include "xcore/thermo.h"

namespace {

using xaddon::array_arg;
using xaddon::fail;
using xaddon::number_arg;
using Info = Napi::CallbackInfo;

template <class T>
T* sized(const Info& info, size_t i, const char* name, size_t wanted) {
  const auto a = array_arg<T>(i < info.Length() ? info[i] : info.Env().Undefined(), name);
  if (a.size != wanted)
    fail(XC_INVALID_ARGUMENT, name,
         std::string(name) + " has " + std::to_string(a.size) + " elements; " + std::to_string(wanted) + " are needed");
  return a.data;
}

int32_t count_arg(const Info& info, size_t i, const char* name, double least, double most) {
  const double v = number_arg(info, i, name);
  if (!(v >= least && v <= most && v == static_cast<int32_t>(v)))
    fail(XC_INVALID_ARGUMENT, name,
         std::string(name) + " must be an integer from " + std::to_string(int64_t(least)) + " to " + std::to_string(int64_t(most)));
  return static_cast<int32_t>(v);
}

// (sense, agents, jobs, resources, budgets, costs, loads, capacities, amounts, limits, allowed | undefined,
//  start | undefined, ...)
constexpr size_t kProblemArguments = 12;
xc_thermo_assignment problem_of(const Info& info) {
  xc_thermo_assignment p{};
  p.sense = count_arg(info, 0, "sense", 0, 1);
  p.agents = count_arg(info, 1, "agents", 1, 1 << 20);
  p.jobs = count_arg(info, 2, "jobs", 1, 1 << 20);
  p.resources = count_arg(info, 3, "resources", 1, 64);
  p.budgets = count_arg(info, 4, "budgets", 0, 64);
  const size_t pairs = static_cast<size_t>(p.agents) * static_cast<size_t>(p.jobs);
  p.costs = sized<double>(info, 5, "costs", pairs);
  p.loads = sized<double>(info, 6, "loads", pairs * p.resources);
  p.capacities = sized<double>(info, 7, "capacities", static_cast<size_t>(p.agents) * p.resources);
  p.amounts = sized<double>(info, 8, "amounts", pairs * p.budgets);
  p.limits = sized<double>(info, 9, "limits", static_cast<size_t>(p.budgets));
  if (!info[10].IsUndefined()) p.allowed = sized<uint8_t>(info, 10, "allowed", pairs);
  if (!info[11].IsUndefined()) p.start = sized<int32_t>(info, 11, "warmStart", static_cast<size_t>(p.jobs));
  return p;
}

Napi::Value job(const Info& info, xaddon::Job::Work work) {
  auto arguments = Napi::Array::New(info.Env(), info.Length());
  for (size_t i = 0; i < info.Length(); ++i) arguments.Set(static_cast<uint32_t>(i), info[i]);
  return xaddon::Job::start(info, info.Length() - 1, {arguments}, std::move(work),
                            [](Napi::Env env) { return env.Undefined(); });
}

// (problem ..., timeLimitMs, rounds, seed, threads, gap, assignment, readings, control)
// readings: status, objective, bound, root bound, time, time to best, rounds, nodes
Napi::Value solve_assignment(const Info& info) {
  const auto& table = xaddon::core<xc_thermo_table>(info.Env());
  const xc_thermo_assignment p = problem_of(info);
  size_t i = kProblemArguments;
  xc_thermo_assignment_options o{};
  o.time_limit_ms = number_arg(info, i++, "timeLimitMs");
  o.rounds = static_cast<int64_t>(number_arg(info, i++, "rounds"));
  o.seed = static_cast<uint64_t>(number_arg(info, i++, "seed"));
  o.threads = count_arg(info, i++, "threads", 0, 256);
  o.gap = number_arg(info, i++, "gap");
  int32_t* assignment = sized<int32_t>(info, i++, "assignment", static_cast<size_t>(p.jobs));
  double* readings = sized<double>(info, i++, "readings", 8);
  return job(info, [=, &table](const xc_control* control, xc_error* e) {
    xc_thermo_assignment_result r{};
    const xc_status status = table.solve_assignment(&p, &o, assignment, &r, control, e);
    const double values[] = {double(r.status), r.objective, r.bound, r.root_bound, r.time_ms, r.time_to_best_ms,
                             double(r.rounds), double(r.nodes)};
    std::memcpy(readings, values, sizeof values);
    return status;
  });
}

// (problem ..., conflict, control)
Napi::Value assignment_conflict(const Info& info) {
  const auto& table = xaddon::core<xc_thermo_table>(info.Env());
  const xc_thermo_assignment p = problem_of(info);
  uint8_t* conflict = sized<uint8_t>(info, kProblemArguments, "conflict", static_cast<size_t>(p.resources) * p.agents + p.budgets);
  return job(info, [=, &table](const xc_control* control, xc_error* e) {
    return table.assignment_conflict(&p, conflict, control, e);
  });
}

}  // namespace

void init_assignment(Napi::Object exports) {
  XADDON_METHOD(exports, "solveAssignmentJob", solve_assignment);
  XADDON_METHOD(exports, "assignmentConflictJob", assignment_conflict);
}
