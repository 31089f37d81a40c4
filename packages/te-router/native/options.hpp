// Options and results of the domain "te" between JavaScript and C.
#pragma once

#include <string>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/te.h"

// Owns the arrays that `options` points to.
struct TeOptions {
  xc_te_options options;
  std::vector<int32_t> condition_history, condition_tau, condition_delay;
  std::vector<int64_t> segments;
  std::vector<uint8_t> valid;
  std::vector<int32_t> permutations;
};

inline int32_t te_integer(const Napi::Object& o, const char* name) {
  const Napi::Value v = o.Get(name);
  if (!v.IsNumber()) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
  return v.As<Napi::Number>().Int32Value();
}

inline double te_number(const Napi::Object& o, const char* name) {
  const Napi::Value v = o.Get(name);
  if (!v.IsNumber()) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
  return v.As<Napi::Number>().DoubleValue();
}

inline std::vector<int32_t> te_integers(const Napi::Object& o, const char* name) {
  const Napi::Value v = o.Get(name);
  if (!v.IsTypedArray()) return {};
  const auto a = xaddon::array_arg<int32_t>(v, name);
  return {a.data, a.data + a.size};
}

// Fills `out`, whose address must not change afterwards.
inline void te_options_arg(const Napi::Value& value, TeOptions& out) {
  if (!value.IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  const auto o = value.As<Napi::Object>();
  xc_te_options& c = out.options;
  std::memset(&c, 0, sizeof c);
  c.size = sizeof c;
  c.estimator = te_integer(o, "estimator");
  c.k = te_integer(o, "k");
  c.target_history = te_integer(o, "targetHistory");
  c.target_tau = te_integer(o, "targetTau");
  c.source_history = te_integer(o, "sourceHistory");
  c.source_tau = te_integer(o, "sourceTau");
  c.delay = te_integer(o, "delay");
  c.theiler = te_integer(o, "theiler");
  c.normalise = o.Get("normalise").ToBoolean() ? 1 : 0;
  c.noise = te_number(o, "noise");
  c.surrogates = te_integer(o, "surrogates");
  c.seed = static_cast<uint64_t>(o.Get("seed").ToNumber().Int64Value());
  c.device = xaddon::device_arg(o.Get("device"));
  c.measure = te_integer(o, "measure");
  c.single_precision = o.Get("singlePrecision").ToBoolean() ? 1 : 0;
  c.kernel_width = te_number(o, "kernelWidth");
  c.bins = te_integer(o, "bins");
  c.binning = te_integer(o, "binning");
  c.bias_correction = o.Get("biasCorrection").ToBoolean() ? 1 : 0;
  c.surrogate_method = te_integer(o, "surrogateMethod");
  c.block = te_integer(o, "block");
  c.stop_after = te_integer(o, "stopAfter");
  c.embedding = te_integer(o, "embedding");
  c.max_history = te_integer(o, "maxHistory");
  c.max_tau = te_integer(o, "maxTau");
  c.max_delay = te_integer(o, "maxDelay");
  c.auto_k = o.Get("autoK").ToBoolean() ? 1 : 0;
  c.interval = te_number(o, "interval");
  out.condition_history = te_integers(o, "conditionHistory");
  out.condition_tau = te_integers(o, "conditionTau");
  out.condition_delay = te_integers(o, "conditionDelay");
  const size_t conditions = out.condition_history.size();
  if (out.condition_tau.size() != conditions || out.condition_delay.size() != conditions)
    xaddon::fail(XC_INVALID_ARGUMENT, "conditions", "condition embeddings must have one length");
  c.condition_count = static_cast<int32_t>(conditions);
  c.condition_history = out.condition_history.data();
  c.condition_tau = out.condition_tau.data();
  c.condition_delay = out.condition_delay.data();
  const std::vector<int32_t> lengths = te_integers(o, "segments");
  out.segments.assign(lengths.begin(), lengths.end());
  if (!out.segments.empty()) c.segments = out.segments.data(), c.segment_count = static_cast<int64_t>(out.segments.size());
  const Napi::Value valid = o.Get("valid");
  if (valid.IsTypedArray()) {
    const auto a = xaddon::array_arg<uint8_t>(valid, "valid");
    out.valid.assign(a.data, a.data + a.size);
    c.valid = out.valid.data();
  }
  if (o.Get("permutations").IsTypedArray()) {
    out.permutations = te_integers(o, "permutations");
    c.permutations = out.permutations.data();
    c.permutation_values = static_cast<int64_t>(out.permutations.size());
  }
}

inline xc_te_series te_series_arg(const Napi::Value& value, const char* name, int64_t samples) {
  const auto values = xaddon::array_arg<double>(value, name);
  if (samples <= 0 || values.size % static_cast<size_t>(samples) != 0)
    xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must hold a whole number of series of the given length");
  const size_t variables = values.size / static_cast<size_t>(samples);
  if (variables > 1000000) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " holds too many series");
  return {values.data, static_cast<int32_t>(variables), 0};
}

inline Napi::Object te_result(Napi::Env env, const xc_te_result& r) {
  auto out = Napi::Object::New(env);
  out.Set("te", r.te);
  out.Set("tuples", static_cast<double>(r.tuples));
  out.Set("first", static_cast<double>(r.first));
  out.Set("surrogateMean", r.surrogate_mean);
  out.Set("surrogateStd", r.surrogate_std);
  out.Set("pValue", r.p_value);
  out.Set("analyticP", r.analytic_p);
  out.Set("intervalLow", r.interval_low);
  out.Set("intervalHigh", r.interval_high);
  out.Set("standardError", r.standard_error);
  out.Set("bias", r.bias);
  out.Set("deviceKind", r.device.kind);
  out.Set("deviceIndex", r.device.index);
  out.Set("k", r.k);
  out.Set("targetHistory", r.target_history);
  out.Set("targetTau", r.target_tau);
  out.Set("sourceHistory", r.source_history);
  out.Set("sourceTau", r.source_tau);
  out.Set("delay", r.delay);
  out.Set("targetLags", xaddon::copy_to_js(env, r.target_lags, static_cast<size_t>(r.target_lag_count)));
  out.Set("sourceLags", xaddon::copy_to_js(env, r.source_lags, static_cast<size_t>(r.source_lag_count)));
  return out;
}
