// xcore.node: hands out the function tables and reports devices and events. No algorithm is called from here.
#include <map>
#include <mutex>

#include "xcore/addon.hpp"

namespace {

const xc_core_table& core_table() { return *static_cast<const xc_core_table*>(xc_table("core", XC_CORE_ABI)); }

Napi::Value table(const Napi::CallbackInfo& info) {
  const std::string domain = xaddon::string_arg(info, 0, "domain");
  const auto abi = static_cast<uint32_t>(xaddon::number_arg(info, 1, "abi"));
  const void* found = xc_table(domain.c_str(), abi);
  if (!found) {
    xaddon::fail(XC_UNSUPPORTED, "domain",
                 "this @x/cuda-core (" + std::string(core_table().version()) + ") has no '" + domain + "' table of ABI " +
                     std::to_string(abi) + ". Install versions of the packages that belong together.");
  }
  auto external = Napi::External<void>::New(info.Env(), const_cast<void*>(found));
  const napi_type_tag tag = xaddon::table_tag(domain.c_str());
  napi_type_tag_object(info.Env(), external, &tag);
  return external;
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  xc_device_info found[64];
  const int32_t count = std::min<int32_t>(core_table().devices(found, 64), 64);
  auto out = Napi::Array::New(env, count);
  for (int32_t i = 0; i < count; ++i) {
    const xc_device_info& d = found[i];
    auto o = Napi::Object::New(env);
    o.Set("kind", d.device.kind);
    o.Set("index", d.device.index);
    o.Set("name", d.name);
    o.Set("uuid", d.uuid);
    o.Set("memoryTotalBytes", static_cast<double>(d.memory_total_bytes));
    o.Set("memoryFreeBytes", static_cast<double>(d.memory_free_bytes));
    o.Set("computeMajor", d.compute_major);
    o.Set("computeMinor", d.compute_minor);
    o.Set("processors", d.processors);
    o.Set("features", d.features);
    out.Set(static_cast<uint32_t>(i), o);
  }
  return out;
}

Napi::Value cuda_unavailable_reason(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), core_table().cuda_unavailable_reason());
}

Napi::Value resolve_device(const Napi::CallbackInfo& info) {
  if (info.Length() < 2) xaddon::fail(XC_INVALID_ARGUMENT, "device", "resolveDevice expects a device and a flag");
  const xc_device requested = xaddon::device_arg(info[0]);
  const bool pays = info[1].ToBoolean();
  xc_device chosen{};
  xaddon::check([&](xc_error* e) { return core_table().resolve_device(requested, pays, &chosen, e); });
  auto o = Napi::Object::New(info.Env());
  o.Set("kind", chosen.kind);
  o.Set("index", chosen.index);
  return o;
}

Napi::Value thread_count(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), core_table().thread_count());
}

Napi::Value set_thread_count(const Napi::CallbackInfo& info) {
  const double n = xaddon::number_arg(info, 0, "threads");
  if (!(n >= 1 && n <= 256)) xaddon::fail(XC_INVALID_ARGUMENT, "threads", "threads must be an integer from 1 to 256");
  xaddon::check([&](xc_error* e) { return core_table().set_thread_count(static_cast<int32_t>(n), e); });
  return info.Env().Undefined();
}

// ---- events: the core knows one listener a kind; every JavaScript environment (workers too) may have its own. ------

struct Event {
  xc_device device;
  std::string op, reason;
  double duration_ms;
  uint64_t bytes;
};

class Subscribers {
 public:
  explicit Subscribers(int32_t kind) : kind_(kind) {}

  void set(Napi::Env env, const Napi::Value& callback) {
    std::lock_guard<std::mutex> lock(mutex_);
    erase(env);
    if (callback.IsFunction()) {
      // A bounded queue: a consumer that cannot keep up loses timings instead of memory.
      auto f = Napi::ThreadSafeFunction::New(env, callback.As<Napi::Function>(), "xcore events", 10000, 1);
      f.Unref(env);
      functions_.emplace(static_cast<napi_env>(env), f);
    }
    connect();
  }
  void forget(Napi::Env env) {
    std::lock_guard<std::mutex> lock(mutex_);
    functions_.erase(static_cast<napi_env>(env));  // the environment is going down and releases the function itself
    connect();
  }

 private:
  void erase(Napi::Env env) {
    const auto found = functions_.find(static_cast<napi_env>(env));
    if (found == functions_.end()) return;
    found->second.Release();
    functions_.erase(found);
  }
  void connect() { core_table().set_event_listener(kind_, functions_.empty() ? nullptr : on_event, this); }

  static void on_event(void* user, const xc_event* e) {
    auto* self = static_cast<Subscribers*>(user);
    // try_lock: `set` calls into the core while it holds the mutex; an event of that moment is not worth a deadlock.
    std::unique_lock<std::mutex> lock(self->mutex_, std::try_to_lock);
    if (!lock) return;
    for (auto& [env, function] : self->functions_) {
      auto* event = new Event{e->device, e->op, e->reason, e->duration_ms, e->bytes};
      if (function.NonBlockingCall(event, deliver) != napi_ok) delete event;
    }
  }
  static void deliver(Napi::Env env, Napi::Function callback, Event* event) {
    if (env != nullptr) {
      auto o = Napi::Object::New(env);
      o.Set("kind", event->device.kind);
      o.Set("index", event->device.index);
      o.Set("op", event->op);
      o.Set("reason", event->reason);
      o.Set("durationMs", event->duration_ms);
      o.Set("bytes", static_cast<double>(event->bytes));
      callback.Call({o});
    }
    delete event;
  }

  const int32_t kind_;
  std::mutex mutex_;
  std::map<napi_env, Napi::ThreadSafeFunction> functions_;
};

Subscribers& subscribers(int32_t kind) {
  static auto* fallback = new Subscribers(XC_EVENT_FALLBACK);
  static auto* timing = new Subscribers(XC_EVENT_TIMING);
  return kind == XC_EVENT_TIMING ? *timing : *fallback;
}

Napi::Value set_listener(const Napi::CallbackInfo& info) {
  const auto kind = static_cast<int32_t>(xaddon::number_arg(info, 0, "kind"));
  if (kind != XC_EVENT_FALLBACK && kind != XC_EVENT_TIMING)
    xaddon::fail(XC_INVALID_ARGUMENT, "kind", "unknown kind of event");
  subscribers(kind).set(info.Env(), info.Length() > 1 ? info[1] : info.Env().Undefined());
  return info.Env().Undefined();
}

Napi::Value set_error_factory(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsFunction())
    xaddon::fail(XC_INVALID_ARGUMENT, "makeError", "setErrorFactory expects a function");
  auto& s = xaddon::state(info.Env());
  s.make_error = Napi::Persistent(info[0].As<Napi::Function>());
  s.make_error.SuppressDestruct();
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "setErrorFactory", set_error_factory);
  XADDON_METHOD(exports, "table", table);
  XADDON_METHOD(exports, "devices", devices);
  XADDON_METHOD(exports, "cudaUnavailableReason", cuda_unavailable_reason);
  XADDON_METHOD(exports, "resolveDevice", resolve_device);
  XADDON_METHOD(exports, "threadCount", thread_count);
  XADDON_METHOD(exports, "setThreadCount", set_thread_count);
  XADDON_METHOD(exports, "setListener", set_listener);
  exports.Set("version", core_table().version());
  env.AddCleanupHook([raw = static_cast<napi_env>(env)] {
    subscribers(XC_EVENT_FALLBACK).forget(raw);
    subscribers(XC_EVENT_TIMING).forget(raw);
  });
  return exports;
}

}  // namespace

NODE_API_MODULE(xcore, init)
