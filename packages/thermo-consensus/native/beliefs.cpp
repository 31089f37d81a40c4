// Belief tables: objects of the core behind handles; every call that touches a whole table is a job.
#include <cmath>

#include "xcore/addon.hpp"
#include "xcore/thermo.h"

namespace {

using xaddon::array_arg;
using xaddon::check;
using xaddon::fail;
using xaddon::number_arg;
using Info = Napi::CallbackInfo;
using Handle = xaddon::Handle<xc_beliefs>;

constexpr const char* kType = "belief table";

const xc_thermo_table& core(const Info& info) { return xaddon::core<xc_thermo_table>(info.Env()); }
int columns(double kind) { return kind == XC_BELIEFS_BETA ? 2 : 4; }

void need(size_t found, double wanted, const char* name) {
  if (static_cast<double>(found) != wanted)
    fail(XC_INVALID_ARGUMENT, name, std::string(name) + " has " + std::to_string(found) + " elements where " +
                                        std::to_string(static_cast<long long>(wanted)) + " are needed");
}

// beliefsCreate(kind, prior, pairs, device)
Napi::Value create(const Info& info) {
  const auto& table = core(info);
  const double kind = number_arg(info, 0, "kind"), pairs = number_arg(info, 2, "pairs");
  const auto prior = array_arg<double>(info[1], "prior");
  need(prior.size, columns(kind), "prior");
  if (!(pairs >= 0 && pairs <= 0x1p53)) fail(XC_INVALID_ARGUMENT, "pairs", "pairs must be a whole number");
  xc_beliefs* made = nullptr;
  check([&](xc_error* e) {
    return table.beliefs_create(static_cast<int32_t>(kind), prior.data, static_cast<int64_t>(pairs),
                                xaddon::device_arg(info[3]), &made, e);
  });
  return Handle::wrap(info.Env(), made, [&table](xc_beliefs* b) { table.beliefs_release(b); }, kType);
}

Napi::Value dispose(const Info& info) {
  Handle::dispose(info[0], kType);
  return info.Env().Undefined();
}

// beliefsDevice(table): { kind, index }
Napi::Value device(const Info& info) {
  const xc_device d = core(info).beliefs_device(Handle::unwrap(info[0], kType).get());
  auto out = Napi::Object::New(info.Env());
  out.Set("kind", d.kind);
  out.Set("index", d.index);
  return out;
}

Napi::Value undefined(Napi::Env env) { return env.Undefined(); }

// beliefsUpdate(table, statistics, length, forgetting, control); `length` is what the table's kind and size need.
Napi::Value update(const Info& info) {
  const auto& table = core(info);
  const auto beliefs = Handle::unwrap(info[0], kType);
  const auto statistics = array_arg<float>(info[1], "statistics");
  need(statistics.size, number_arg(info, 2, "length"), "statistics");
  const double forgetting = number_arg(info, 3, "forgetting");
  return xaddon::Job::start(
      info, 4, {info[1]},
      [=, &table](const xc_control* control, xc_error* e) {
        return table.beliefs_update(beliefs.get(), statistics.data, forgetting, control, e);
      },
      undefined);
}

// beliefsRead(table, parameters, length, control) and beliefsWrite, likewise
template <bool write>
Napi::Value transfer(const Info& info) {
  const auto& table = core(info);
  const auto beliefs = Handle::unwrap(info[0], kType);
  const auto parameters = array_arg<double>(info[1], "parameters");
  need(parameters.size, number_arg(info, 2, "length"), "parameters");
  return xaddon::Job::start(
      info, 3, {info[1]},
      [=, &table](const xc_control*, xc_error* e) {
        return write ? table.beliefs_write(beliefs.get(), parameters.data, e)
                     : table.beliefs_read(beliefs.get(), parameters.data, e);
      },
      undefined);
}

// beliefsSummary(table, pairs, level, mean, variance, lower, upper, control)
Napi::Value summary(const Info& info) {
  const auto& table = core(info);
  const auto beliefs = Handle::unwrap(info[0], kType);
  const double pairs = number_arg(info, 1, "pairs"), level = number_arg(info, 2, "level");
  xaddon::Span<double> out[4];
  for (size_t c = 0; c < 4; ++c) {
    out[c] = array_arg<double>(info[3 + c], "summary");
    need(out[c].size, pairs, "summary");
  }
  return xaddon::Job::start(
      info, 7, {info[3], info[4], info[5], info[6]},
      [=, &table](const xc_control* control, xc_error* e) {
        return table.beliefs_summary(beliefs.get(), level, out[0].data, out[1].data, out[2].data, out[3].data, control, e);
      },
      undefined);
}

// beliefsSample(table, pairs, seed, stream, draws, control)
Napi::Value sample(const Info& info) {
  const auto& table = core(info);
  const auto beliefs = Handle::unwrap(info[0], kType);
  const double seed = number_arg(info, 2, "seed"), stream = number_arg(info, 3, "stream");
  const auto draws = array_arg<double>(info[4], "draws");
  need(draws.size, number_arg(info, 1, "pairs"), "draws");
  return xaddon::Job::start(
      info, 5, {info[4]},
      [=, &table](const xc_control* control, xc_error* e) {
        return table.beliefs_sample(beliefs.get(), static_cast<uint64_t>(seed), static_cast<uint64_t>(stream), draws.data,
                                    control, e);
      },
      undefined);
}

}  // namespace

void init_beliefs(Napi::Object exports) {
  XADDON_METHOD(exports, "beliefsCreate", create);
  XADDON_METHOD(exports, "beliefsDispose", dispose);
  XADDON_METHOD(exports, "beliefsDevice", device);
  XADDON_METHOD(exports, "beliefsUpdate", update);
  XADDON_METHOD(exports, "beliefsRead", transfer<false>);
  XADDON_METHOD(exports, "beliefsWrite", transfer<true>);
  XADDON_METHOD(exports, "beliefsSummary", summary);
  XADDON_METHOD(exports, "beliefsSample", sample);
}
