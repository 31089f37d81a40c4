// te-router's passage to the domain "te".
#include <memory>
#include <vector>

#include "network.hpp"
#include "xcore/addon.hpp"
#include "xcore/te.h"

XADDON_DOMAIN(xc_te_table, "te", XC_TE_ABI)

namespace {

struct Call {
  xc_te_options options;
  xc_te_series source, target, conditions;
  int64_t samples;
  std::vector<double> locals, surrogates;
  bool want_locals;
  xc_te_result result;
};

int32_t integer(const Napi::Object& o, const char* name) {
  const Napi::Value v = o.Get(name);
  if (!v.IsNumber()) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
  return v.As<Napi::Number>().Int32Value();
}

xc_te_options options_arg(const Napi::Value& value) {
  if (!value.IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  const auto o = value.As<Napi::Object>();
  xc_te_options out;
  std::memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.estimator = integer(o, "estimator");
  out.k = integer(o, "k");
  out.target_history = integer(o, "targetHistory");
  out.target_tau = integer(o, "targetTau");
  out.source_history = integer(o, "sourceHistory");
  out.source_tau = integer(o, "sourceTau");
  out.delay = integer(o, "delay");
  out.theiler = integer(o, "theiler");
  out.normalise = o.Get("normalise").ToBoolean() ? 1 : 0;
  out.noise = o.Get("noise").ToNumber().DoubleValue();
  out.surrogates = integer(o, "surrogates");
  out.seed = static_cast<uint64_t>(o.Get("seed").ToNumber().Int64Value());
  out.device = xaddon::device_arg(o.Get("device"));
  const Napi::Value permutations = o.Get("permutations");
  if (permutations.IsTypedArray()) {
    const auto rows = xaddon::array_arg<int32_t>(permutations, "permutations");
    out.permutations = rows.data;
    out.permutation_values = static_cast<int64_t>(rows.size);
  }
  return out;
}

xc_te_series series_arg(const Napi::Value& value, const char* name, int64_t samples) {
  const auto values = xaddon::array_arg<double>(value, name);
  if (samples <= 0 || values.size % static_cast<size_t>(samples) != 0)
    xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must hold a whole number of series of the given length");
  const size_t variables = values.size / static_cast<size_t>(samples);
  if (variables > 1000000) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " holds too many series");
  return {values.data, static_cast<int32_t>(variables), 0};
}

// estimate(source, target, conditions, samples, options, wantLocals, control): Promise of the result.
Napi::Value Estimate(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  auto call = std::make_shared<Call>();
  call->samples = static_cast<int64_t>(xaddon::number_arg(info, 3, "samples"));
  call->source = series_arg(info[0], "source", call->samples);
  call->target = series_arg(info[1], "target", call->samples);
  call->conditions = series_arg(info[2], "conditions", call->samples);
  call->options = options_arg(info[4]);
  call->want_locals = info[5].ToBoolean();
  int64_t tuples = 0, first = 0;
  xaddon::check([&](xc_error* e) { return core.tuples(call->samples, &call->options, &tuples, &first, e); });
  if (call->want_locals) call->locals.resize(tuples);
  call->surrogates.resize(call->options.surrogates);
  return xaddon::Job::start(
      info, 6, {info[0], info[1], info[2], info[4].As<Napi::Object>().Get("permutations")},
      [call, &core](const xc_control* control, xc_error* e) {
        return core.estimate(&call->source, &call->target, &call->conditions, call->samples, &call->options,
                             call->want_locals ? call->locals.data() : nullptr, call->surrogates.data(), &call->result,
                             control, e);
      },
      [call](Napi::Env env) -> Napi::Value {
        const auto& r = call->result;
        auto out = Napi::Object::New(env);
        out.Set("te", r.te);
        out.Set("tuples", static_cast<double>(r.tuples));
        out.Set("first", static_cast<double>(r.first));
        out.Set("surrogateMean", r.surrogate_mean);
        out.Set("surrogateStd", r.surrogate_std);
        out.Set("pValue", r.p_value);
        out.Set("analyticP", r.analytic_p);
        out.Set("deviceKind", r.device.kind);
        out.Set("deviceIndex", r.device.index);
        out.Set("surrogates", xaddon::copy_to_js(env, call->surrogates.data(), call->surrogates.size()));
        if (call->want_locals) out.Set("locals", xaddon::copy_to_js(env, call->locals.data(), call->locals.size()));
        return out;
      });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "estimate", Estimate);
  init_network(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
