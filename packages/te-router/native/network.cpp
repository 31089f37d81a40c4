// Networks: the passage to xc_te_table.network and network_greedy.
#include "network.hpp"

#include <cstring>
#include <vector>

#include "options.hpp"
#include "xcore/addon.hpp"
#include "xcore/te.h"

namespace {

struct Values {
  const double* data;
  int32_t variables;
  int64_t samples;
};

// info[0..2]: the values, how many variables, how many samples
Values values_arg(const Napi::CallbackInfo& info) {
  const auto values = xaddon::array_arg<double>(info[0], "values");
  const double variables = xaddon::number_arg(info, 1, "variables"), samples = xaddon::number_arg(info, 2, "samples");
  if (!(variables >= 1 && variables <= 1000000) || !(samples >= 1 && samples <= 1e12) ||
      variables * samples != static_cast<double>(values.size))
    xaddon::fail(XC_INVALID_ARGUMENT, "values", "values must hold variables x samples numbers");
  return {values.data, static_cast<int32_t>(variables), static_cast<int64_t>(samples)};
}

template <class T>
T* matrix_arg(const Napi::Value& value, const char* name, int32_t variables) {
  if (value.IsUndefined()) return nullptr;
  const auto m = xaddon::array_arg<T>(value, name);
  if (m.size != static_cast<size_t>(variables) * variables)
    xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be variables x variables");
  return m.data;
}

struct PairwiseCall {
  Values values;
  xc_te_network_options options;
  double *te, *p;
  int32_t* lags;
  xc_te_network_result result;
};

// network(values, variables, samples, options, te, pValue | undefined, lag | undefined, control): Promise of the rest.
Napi::Value Network(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  auto call = std::make_shared<PairwiseCall>();
  call->values = values_arg(info);
  if (!info[3].IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  const auto o = info[3].As<Napi::Object>();
  xc_te_network_options& out = call->options;
  std::memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.estimator = te_integer(o, "estimator");
  out.k = te_integer(o, "k");
  out.target_history = te_integer(o, "targetHistory");
  out.target_tau = te_integer(o, "targetTau");
  out.source_history = te_integer(o, "sourceHistory");
  out.source_tau = te_integer(o, "sourceTau");
  out.min_delay = te_integer(o, "minDelay");
  out.max_delay = te_integer(o, "maxDelay");
  out.theiler = te_integer(o, "theiler");
  out.normalise = o.Get("normalise").ToBoolean() ? 1 : 0;
  out.bins = te_integer(o, "bins");
  out.equal_frequency = o.Get("equalFrequency").ToBoolean() ? 1 : 0;
  out.precision = te_integer(o, "precision");
  out.surrogates = te_integer(o, "surrogates");
  out.stop_after = te_integer(o, "stopAfter");
  out.null_model = te_integer(o, "nullModel");
  out.analytic = o.Get("analytic").ToBoolean() ? 1 : 0;
  out.from = te_integer(o, "from");
  out.to = te_integer(o, "to");
  out.noise = o.Get("noise").ToNumber().DoubleValue();
  out.seed = static_cast<uint64_t>(o.Get("seed").ToNumber().Int64Value());
  out.device = xaddon::device_arg(o.Get("device"));
  const Napi::Value wanted = o.Get("wanted");
  out.wanted = matrix_arg<uint8_t>(wanted, "wanted", call->values.variables);
  call->te = matrix_arg<double>(info[4], "te", call->values.variables);
  call->p = matrix_arg<double>(info[5], "pValue", call->values.variables);
  call->lags = matrix_arg<int32_t>(info[6], "lag", call->values.variables);
  if (!call->te) xaddon::fail(XC_INVALID_ARGUMENT, "te", "te must be given");
  return xaddon::Job::start(
      info, 7, {info[0], info[4], info[5], info[6], wanted},
      [call, &core](const xc_control* control, xc_error* e) {
        return core.network(call->values.data, call->values.variables, call->values.samples, &call->options, call->te, call->p, call->lags,
                            &call->result, control, e);
      },
      [call](Napi::Env env) -> Napi::Value {
        auto out = Napi::Object::New(env);
        out.Set("tuples", static_cast<double>(call->result.tuples));
        out.Set("surrogates", static_cast<double>(call->result.surrogates));
        out.Set("single", call->result.single != 0);
        out.Set("deviceKind", call->result.device.kind);
        out.Set("deviceIndex", call->result.device.index);
        return out;
      });
}

struct GreedyCall {
  Values values;
  xc_te_greedy_options options;
  std::vector<xc_te_greedy_link> links;
  std::vector<double> te, p;
};

// networkGreedy(values, variables, samples, options, control): Promise of { links, omnibusTe, omnibusP }; `links` flat, five
// numbers each: source, target, lag, te, p.
Napi::Value NetworkGreedy(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  auto call = std::make_shared<GreedyCall>();
  call->values = values_arg(info);
  if (!info[3].IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  const auto o = info[3].As<Napi::Object>();
  xc_te_greedy_options& out = call->options;
  std::memset(&out, 0, sizeof out);
  out.size = sizeof out;
  out.estimator = te_integer(o, "estimator");
  out.k = te_integer(o, "k");
  out.max_lag = te_integer(o, "maxLag");
  out.min_lag = te_integer(o, "minLag");
  out.max_history = te_integer(o, "maxHistory");
  out.theiler = te_integer(o, "theiler");
  out.surrogates = te_integer(o, "surrogates");
  out.from = te_integer(o, "from");
  out.to = te_integer(o, "to");
  out.max_sources = te_integer(o, "maxSources");
  out.alpha = o.Get("alpha").ToNumber().DoubleValue();
  out.seed = static_cast<uint64_t>(o.Get("seed").ToNumber().Int64Value());
  out.device = xaddon::device_arg(o.Get("device"));
  call->te.resize(call->values.variables);
  call->p.resize(call->values.variables);
  return xaddon::Job::start(
      info, 4, {info[0]},
      [call, &core](const xc_control* control, xc_error* e) {
        return core.network_greedy(
            call->values.data, call->values.variables, call->values.samples, &call->options,
            [](void* user, const xc_te_greedy_link* link) { static_cast<std::vector<xc_te_greedy_link>*>(user)->push_back(*link); },
            &call->links, call->te.data(), call->p.data(), control, e);
      },
      [call](Napi::Env env) -> Napi::Value {
        auto links = Napi::Float64Array::New(env, call->links.size() * 5);
        for (size_t m = 0; m < call->links.size(); ++m) {
          const auto& link = call->links[m];
          links[5 * m] = link.source, links[5 * m + 1] = link.target, links[5 * m + 2] = link.lag;
          links[5 * m + 3] = link.te, links[5 * m + 4] = link.p_value;
        }
        auto out = Napi::Object::New(env);
        out.Set("links", links);
        out.Set("omnibusTe", xaddon::copy_to_js(env, call->te.data(), call->te.size()));
        out.Set("omnibusP", xaddon::copy_to_js(env, call->p.data(), call->p.size()));
        return out;
      });
}

}  // namespace

void init_network(Napi::Object exports) {
  XADDON_METHOD(exports, "network", Network);
  XADDON_METHOD(exports, "networkGreedy", NetworkGreedy);
}
