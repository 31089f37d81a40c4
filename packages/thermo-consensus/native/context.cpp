// What is learnt of requests: a passage to the context functions of the table. Calls are short, so that none is a job.
#include <algorithm>

#include "xcore/addon.hpp"
#include "xcore/thermo.h"

namespace {

using xaddon::array_arg;
using xaddon::check;
using xaddon::fail;
using xaddon::number_arg;
using xaddon::Span;
using Info = Napi::CallbackInfo;

const xc_thermo_table& core(const Info& info) { return xaddon::core<xc_thermo_table>(info.Env()); }

Span<double> doubles(const Info& info, size_t i, const char* name, int64_t wanted) {
  const auto a = array_arg<double>(info[i], name);
  if (static_cast<int64_t>(a.size) != wanted)
    fail(XC_INVALID_ARGUMENT, name, std::string(name) + " has " + std::to_string(a.size) + " elements where " +
                                        std::to_string(wanted) + " are needed");
  return a;
}

// Arguments from `at` on: frequencies, phases, regressors.
void regressors_of(const Info& info, size_t at, const double* features, int32_t n) {
  const auto phases = array_arg<double>(info[at + 1], "phases");
  const auto cosines = static_cast<int32_t>(std::min<size_t>(phases.size, 1 << 20));
  const auto frequencies = doubles(info, at, "frequencies", static_cast<int64_t>(n) * cosines);
  const auto out = doubles(info, at + 2, "regressors", static_cast<int64_t>(1) + n + cosines);
  check([&](xc_error* e) {
    return core(info).context_regressors(features, n, frequencies.data, phases.data, cosines, out.data, e);
  });
}

// (text, length, last): see xc_thermo_table.text_features
void features_of(const Info& info, double* features) {
  char16_t units[XC_THERMO_TEXT_UNITS + 1];
  size_t read = 0;
  if (napi_get_value_string_utf16(info.Env(), info[0], units, XC_THERMO_TEXT_UNITS + 1, &read) != napi_ok)
    fail(XC_INVALID_ARGUMENT, "text", "text must be a string");
  const double length = number_arg(info, 1, "length"), last = number_arg(info, 2, "last");
  if (!(length >= 0 && length <= 0x1p53 && last >= -1 && last <= 65535) ||
      static_cast<size_t>(std::min<double>(length, XC_THERMO_TEXT_UNITS)) != read)
    fail(XC_INVALID_ARGUMENT, "length", "length and last must be those of the text");
  check([&](xc_error* e) {
    return core(info).text_features(reinterpret_cast<const uint16_t*>(units), static_cast<int64_t>(length),
                                    static_cast<int32_t>(last), features, e);
  });
}

// textFeatures(text, length, last, features)
Napi::Value text_features(const Info& info) {
  features_of(info, doubles(info, 3, "features", XC_THERMO_TEXT_FEATURES).data);
  return info.Env().Undefined();
}

// textRegressors(text, length, last, frequencies, phases, regressors): both steps in one call
Napi::Value text_regressors(const Info& info) {
  double features[XC_THERMO_TEXT_FEATURES];
  features_of(info, features);
  regressors_of(info, 3, features, XC_THERMO_TEXT_FEATURES);
  return info.Env().Undefined();
}

// contextRegressors(features, frequencies, phases, regressors)
Napi::Value context_regressors(const Info& info) {
  const auto features = array_arg<double>(info[0], "features");
  if (features.size > 1 << 20) fail(XC_INVALID_ARGUMENT, "features", "there are too many features");
  regressors_of(info, 1, features.data, static_cast<int32_t>(features.size));
  return info.Env().Undefined();
}

// (own, size, seen, block): the context that the other functions begin with
xc_thermo_context context_arg(const Info& info) {
  const double own = number_arg(info, 0, "own"), size = number_arg(info, 1, "size");
  const auto seen = array_arg<uint8_t>(info[2], "seen");
  if (!(size >= 1 && size <= XC_THERMO_CONTEXT_SIZE_MAX)) fail(XC_INVALID_ARGUMENT, "size", "size is out of range");
  if (seen.size < 1 || seen.size > XC_THERMO_CONTEXT_MODELS_MAX)
    fail(XC_INVALID_ARGUMENT, "models", "the number of models is out of range");
  const auto n = static_cast<int32_t>(size), models = static_cast<int32_t>(seen.size);
  const auto block = doubles(info, 3, "block", XC_THERMO_CONTEXT_BLOCK(models, n));
  return {models, n, own, block.data, seen.data};
}

// contextPredict(own, size, seen, block, regressors, shifts, variances)
Napi::Value predict(const Info& info) {
  const auto context = context_arg(info);
  const auto x = doubles(info, 4, "regressors", context.size);
  const auto shifts = doubles(info, 5, "shifts", context.models), variances = doubles(info, 6, "variances", context.models);
  check([&](xc_error* e) { return core(info).context_predict(&context, x.data, shifts.data, variances.data, e); });
  return info.Env().Undefined();
}

// contextObserve(own, size, seen, block, model, regressors, difference): the surprise
Napi::Value observe(const Info& info) {
  const auto context = context_arg(info);
  const double model = number_arg(info, 4, "model"), difference = number_arg(info, 6, "difference");
  const auto x = doubles(info, 5, "regressors", context.size);
  if (!(model >= 0 && model < context.models)) fail(XC_INVALID_ARGUMENT, "model", "there is no such model");
  double surprise = 0;
  check([&](xc_error* e) {
    return core(info).context_observe(&context, static_cast<int32_t>(model), x.data, difference, &surprise, e);
  });
  return Napi::Number::New(info.Env(), surprise);
}

// contextDraw(own, size, seen, block, deviation, normals, weights); normals may be empty with a deviation of 0
Napi::Value draw(const Info& info) {
  const auto context = context_arg(info);
  const double deviation = number_arg(info, 4, "deviation");
  const int64_t weights = static_cast<int64_t>(context.models) * context.size;
  const auto normals = doubles(info, 5, "normals", deviation > 0 ? weights + context.size : 0);
  const auto out = doubles(info, 6, "weights", weights);
  check([&](xc_error* e) { return core(info).context_draw(&context, deviation, normals.data, out.data, e); });
  return info.Env().Undefined();
}

// contextVariance(own, size, seen, block, directions)
Napi::Value variance(const Info& info) {
  const auto context = context_arg(info);
  const auto directions = doubles(info, 4, "directions", static_cast<int64_t>(context.models) * context.size);
  double out = 0;
  check([&](xc_error* e) { return core(info).context_variance(&context, directions.data, &out, e); });
  return Napi::Number::New(info.Env(), out);
}

// contextSettle(own, size, seen, block)
Napi::Value settle(const Info& info) {
  const auto context = context_arg(info);
  check([&](xc_error* e) { return core(info).context_settle(&context, e); });
  return info.Env().Undefined();
}

// contextAlignment(memory): index of its first element at a multiple of 64 bytes
Napi::Value alignment(const Info& info) {
  const auto memory = array_arg<double>(info[0], "memory");
  const auto address = reinterpret_cast<uintptr_t>(memory.data);
  return Napi::Number::New(info.Env(), static_cast<double>((64 - address % 64) % 64 / sizeof(double)));
}

}  // namespace

void init_context(Napi::Object exports) {
  XADDON_METHOD(exports, "textFeatures", text_features);
  XADDON_METHOD(exports, "textRegressors", text_regressors);
  XADDON_METHOD(exports, "contextRegressors", context_regressors);
  XADDON_METHOD(exports, "contextPredict", predict);
  XADDON_METHOD(exports, "contextObserve", observe);
  XADDON_METHOD(exports, "contextDraw", draw);
  XADDON_METHOD(exports, "contextVariance", variance);
  XADDON_METHOD(exports, "contextSettle", settle);
  XADDON_METHOD(exports, "contextAlignment", alignment);
}
