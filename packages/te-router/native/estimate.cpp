// estimate(source, target, conditions, samples, options, wantLocals, control): Promise of the result.
#include <memory>
#include <vector>

#include "options.hpp"

namespace {

struct Call {
  TeOptions options;
  xc_te_series source, target, conditions;
  int64_t samples;
  std::vector<double> locals, surrogates;
  xc_te_result result;
};

Napi::Value Estimate(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  auto call = std::make_shared<Call>();
  const double samples = xaddon::number_arg(info, 3, "samples");
  if (!(samples >= 1 && samples <= 2147483647)) xaddon::fail(XC_INVALID_ARGUMENT, "samples", "samples must be 1 to 2^31 - 1");
  call->samples = static_cast<int64_t>(samples);
  call->source = te_series_arg(info[0], "source", call->samples);
  call->target = te_series_arg(info[1], "target", call->samples);
  call->conditions = te_series_arg(info[2], "conditions", call->samples);
  te_options_arg(info[4], call->options);
  if (!call->options.valid.empty() && call->options.valid.size() != static_cast<size_t>(call->samples))
    xaddon::fail(XC_INVALID_ARGUMENT, "mask", "mask must have one entry for each sample");
  if (call->options.options.surrogates < 0 || call->options.options.surrogates > 100000000)
    xaddon::fail(XC_INVALID_ARGUMENT, "surrogates", "surrogates must be 0 to 100,000,000");
  const bool locals = info[5].ToBoolean();
  if (locals) call->locals.resize(call->samples);
  call->surrogates.resize(call->options.options.surrogates);
  call->result.size = sizeof call->result;
  return xaddon::Job::start(
      info, 6, {info[0], info[1], info[2]},
      [call, &core](const xc_control* control, xc_error* e) {
        return core.estimate(&call->source, &call->target, &call->conditions, call->samples, &call->options.options,
                             call->locals.empty() ? nullptr : call->locals.data(), call->surrogates.data(), &call->result, control, e);
      },
      [call, locals](Napi::Env env) -> Napi::Value {
        auto out = te_result(env, call->result);
        out.Set("surrogates", xaddon::copy_to_js(env, call->surrogates.data(), static_cast<size_t>(call->result.surrogates_done)));
        if (locals) out.Set("locals", xaddon::copy_to_js(env, call->locals.data(), static_cast<size_t>(call->result.tuples)));
        return out;
      });
}

}  // namespace

void init_estimate(Napi::Object exports) { XADDON_METHOD(exports, "estimate", Estimate); }
