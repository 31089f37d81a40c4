// streamOpen(sources, targets, window, scaleEvery, options), streamPush(stream, source, target, samples),
// streamValue(stream), streamRelease(stream).
#include "options.hpp"

namespace {

constexpr const char* kStream = "TransferEntropyStream";
using Handle = xaddon::Handle<xc_te_stream>;

Napi::Value Open(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  TeOptions options;
  te_options_arg(info[4], options);
  const auto whole = [&](size_t i, const char* name) {
    const double v = xaddon::number_arg(info, i, name);
    if (!(v >= 0 && v <= 2147483647)) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " is out of range");
    return static_cast<int64_t>(v);
  };
  xc_te_stream* stream = nullptr;
  xaddon::check([&](xc_error* e) {
    return core.stream_open(static_cast<int32_t>(whole(0, "sources")), static_cast<int32_t>(whole(1, "targets")), whole(2, "window"),
                            whole(3, "scaleEvery"), &options.options, &stream, e);
  });
  return Handle::wrap(info.Env(), stream, core.stream_release, kStream);
}

Napi::Value Push(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  const auto stream = Handle::unwrap(info[0], kStream);
  const auto source = xaddon::array_arg<double>(info[1], "source"), target = xaddon::array_arg<double>(info[2], "target");
  const double samples = xaddon::number_arg(info, 3, "samples"), sources = xaddon::number_arg(info, 4, "sources"),
               targets = xaddon::number_arg(info, 5, "targets");
  if (!(samples >= 0) || samples * sources != static_cast<double>(source.size) || samples * targets != static_cast<double>(target.size))
    xaddon::fail(XC_INVALID_ARGUMENT, "source", "source and target must hold the same number of samples of each variable");
  xaddon::check([&](xc_error* e) { return core.stream_push(stream.get(), source.data, target.data, static_cast<int64_t>(samples), e); });
  return info.Env().Undefined();
}

Napi::Value Value(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_te_table>(info.Env());
  const auto stream = Handle::unwrap(info[0], kStream);
  xc_te_result result;
  std::memset(&result, 0, sizeof result);
  result.size = sizeof result;
  xaddon::check([&](xc_error* e) { return core.stream_value(stream.get(), &result, e); });
  return te_result(info.Env(), result);
}

Napi::Value Release(const Napi::CallbackInfo& info) {
  Handle::dispose(info[0], kStream);
  return info.Env().Undefined();
}

}  // namespace

void init_stream(Napi::Object exports) {
  XADDON_METHOD(exports, "streamOpen", Open);
  XADDON_METHOD(exports, "streamPush", Push);
  XADDON_METHOD(exports, "streamValue", Value);
  XADDON_METHOD(exports, "streamRelease", Release);
}
