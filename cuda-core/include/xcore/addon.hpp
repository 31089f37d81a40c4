// What every addon shares: how it receives its function table, how errors, handles and long calls cross into
// JavaScript. Header-only; an addon links nothing of the core.
//
//   XADDON_DOMAIN(xc_tokenizer_table, "tokenizer", XC_TOKENIZER_ABI)
//   Napi::Value Encode(const Napi::CallbackInfo& info) {
//     auto& core = xaddon::core<xc_tokenizer_table>(info.Env());
//     ...
//   }
//   Napi::Object Init(Napi::Env env, Napi::Object exports) {
//     XADDON_METHOD(exports, "bind", xaddon_bind);   // exports.bind(external, makeError), called by loadAddon
//     XADDON_METHOD(exports, "encode", Encode);
//     return exports;
//   }
//   NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
//
// Arguments were validated by the TypeScript above; addons still check types and ranges they index with and throw
// through the same error class, so a wrong call can never read out of bounds.
#pragma once

// A worker thread may be terminated while a job runs: its promise can then neither be kept nor broken, and the default
// answer of node-addon-api to that is to abort the process.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "xcore/core.h"

namespace xaddon {

// Marks an External as a function table of this project. The upper half names the project, the lower the domain.
inline napi_type_tag table_tag(const char* domain) {
  uint64_t h = 1469598103934665603ull;  // FNV-1a
  for (const char* p = domain; *p; ++p) h = (h ^ static_cast<unsigned char>(*p)) * 1099511628211ull;
  return {0x78636f72652d7462ull, h};
}

struct State {
  const xc_table_header* table = nullptr;
  Napi::FunctionReference make_error;  // (code: number, message, field, offset) => XError
};

inline State& state(Napi::Env env) {
  State* s = env.GetInstanceData<State>();
  if (!s) {
    s = new State();
    env.SetInstanceData(s);
  }
  return *s;
}

inline xc_error no_error() {
  xc_error e;
  std::memset(&e, 0, sizeof e);
  e.offset = -1;
  return e;
}

// Builds the JavaScript error of an xc_error: an XError subclass once the addon is bound.
inline Napi::Value to_js(Napi::Env env, const xc_error& e) {
  State& s = state(env);
  if (!s.make_error.IsEmpty()) {
    return s.make_error.Call({Napi::Number::New(env, e.status), Napi::String::New(env, e.message),
                              Napi::String::New(env, e.field), Napi::Number::New(env, static_cast<double>(e.offset))});
  }
  return Napi::Error::New(env, e.message).Value();
}

// Thrown by helpers and table calls inside an addon function; `method` turns it into a JavaScript exception.
struct Failure {
  xc_error error;
};
[[noreturn]] inline void fail(xc_status status, const std::string& field, const std::string& message) {
  Failure f{no_error()};
  f.error.status = status;
  std::strncpy(f.error.field, field.c_str(), sizeof f.error.field - 1);
  std::strncpy(f.error.message, message.c_str(), sizeof f.error.message - 1);
  throw f;
}
// check([&](xc_error* e) { return core.encode(..., e); });
template <class F>
void check(F&& call) {
  Failure f{no_error()};
  if (call(&f.error) != XC_OK) throw f;
}

template <class Table>
const Table& core(Napi::Env env) {
  const auto* table = state(env).table;
  if (!table) fail(XC_INTERNAL, "", "the addon was used before bind(); load it through the package's own entry point");
  return *reinterpret_cast<const Table*>(table);
}

using Function = Napi::Value (*)(const Napi::CallbackInfo&);

// Wraps a function so that no C++ exception escapes into Node (addons are built with C++ exceptions off in N-API).
template <Function F>
Napi::Value guarded(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  try {
    return F(info);
  } catch (const Failure& f) {
    napi_throw(env, to_js(env, f.error));
  } catch (const Napi::Error& e) {
    e.ThrowAsJavaScriptException();
  } catch (const std::exception& e) {
    xc_error x = no_error();
    x.status = dynamic_cast<const std::bad_alloc*>(&e) ? XC_OUT_OF_MEMORY : XC_INTERNAL;
    std::strncpy(x.message, e.what(), sizeof x.message - 1);
    napi_throw(env, to_js(env, x));
  }
  return env.Undefined();
}
#define XADDON_METHOD(exports, name, function) \
  (exports).Set(name, Napi::Function::New((exports).Env(), ::xaddon::guarded<function>, name))

template <class Table>
Napi::Value bind(const Napi::CallbackInfo& info, const char* domain, uint32_t abi) {
  const Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsExternal() || !info[1].IsFunction())
    fail(XC_INVALID_ARGUMENT, "bind", "bind expects the core's table and an error factory");
  const napi_type_tag tag = table_tag(domain);
  bool matches = false;
  if (napi_check_object_type_tag(env, info[0], &tag, &matches) != napi_ok || !matches)
    fail(XC_INVALID_ARGUMENT, "bind", std::string("the value passed to bind is not the core's '") + domain + "' table");
  const auto* header = static_cast<const xc_table_header*>(info[0].As<Napi::External<void>>().Data());
  if (header->abi != abi || header->size < sizeof(Table))
    fail(XC_UNSUPPORTED, "bind",
         std::string("this addon needs '") + domain + "' ABI " + std::to_string(abi) + " with " +
             std::to_string(sizeof(Table)) + " bytes; @x/cuda-core offers ABI " + std::to_string(header->abi) +
             " with " + std::to_string(header->size) + " bytes. Update @x/cuda-core.");
  State& s = state(env);
  s.table = header;
  s.make_error = Napi::Persistent(info[1].As<Napi::Function>());
  s.make_error.SuppressDestruct();
  return env.Undefined();
}
// In namespace scope of the addon: XADDON_DOMAIN(xc_tokenizer_table, "tokenizer", XC_TOKENIZER_ABI)
#define XADDON_DOMAIN(Table, domain_name, abi_version)            \
  static constexpr const char* xaddon_domain = domain_name;       \
  static Napi::Value xaddon_bind(const Napi::CallbackInfo& info) { \
    return ::xaddon::bind<Table>(info, xaddon_domain, abi_version); \
  }

// ---- arguments --------------------------------------------------------------------------------------------------

inline std::string string_arg(const Napi::CallbackInfo& info, size_t i, const char* name) {
  if (i >= info.Length() || !info[i].IsString()) fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a string");
  return info[i].As<Napi::String>().Utf8Value();
}
inline double number_arg(const Napi::CallbackInfo& info, size_t i, const char* name) {
  if (i >= info.Length() || !info[i].IsNumber()) fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
  return info[i].As<Napi::Number>().DoubleValue();
}
template <class T>
struct Span {
  T* data = nullptr;
  size_t size = 0;
};
// A typed array of exactly this element type; the caller keeps it alive for asynchronous work (see Job::keep).
template <class T>
Span<T> array_arg(const Napi::Value& value, const char* name) {
  constexpr napi_typedarray_type expected = std::is_same_v<T, double>    ? napi_float64_array
                                            : std::is_same_v<T, float>    ? napi_float32_array
                                            : std::is_same_v<T, int32_t>  ? napi_int32_array
                                            : std::is_same_v<T, uint32_t> ? napi_uint32_array
                                            : std::is_same_v<T, int8_t>   ? napi_int8_array
                                                                          : napi_uint8_array;
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != expected)
    fail(XC_INVALID_ARGUMENT, name, std::string(name) + " has the wrong type of array");
  const auto a = value.As<Napi::TypedArrayOf<T>>();
  return {const_cast<Napi::TypedArrayOf<T>&>(a).Data(), a.ElementLength()};
}
template <class T>
Napi::TypedArrayOf<T> copy_to_js(Napi::Env env, const T* data, size_t count) {
  auto out = Napi::TypedArrayOf<T>::New(env, count);
  if (count) std::memcpy(out.Data(), data, count * sizeof(T));
  return out;
}
// { kind: 0 | 1 | 2, index: number }, as resolved by TypeScript's parseDevice.
inline xc_device device_arg(const Napi::Value& value) {
  if (!value.IsObject()) return {XC_DEVICE_AUTO, 0};
  const auto o = value.As<Napi::Object>();
  return {o.Get("kind").ToNumber().Int32Value(), o.Get("index").ToNumber().Int32Value()};
}

// ---- handles ----------------------------------------------------------------------------------------------------

// A native object behind a tagged External. Async jobs hold the shared_ptr, so a dispose() while a call runs releases
// the object only after the call.
template <class T>
class Handle {
 public:
  using Ptr = std::shared_ptr<T>;
  static Napi::Value wrap(Napi::Env env, T* object, std::function<void(T*)> release, const char* type) {
    auto* box = new Ptr(object, std::move(release));
    auto external = Napi::External<Ptr>::New(env, box, [](Napi::Env, Ptr* p) { delete p; });
    const napi_type_tag tag = table_tag(type);
    napi_type_tag_object(env, external, &tag);
    return external;
  }
  static Ptr unwrap(const Napi::Value& value, const char* type) {
    Ptr* box = box_of(value, type);
    if (!*box) fail(XC_INVALID_ARGUMENT, type, std::string("this ") + type + " was disposed of");
    return *box;
  }
  static void dispose(const Napi::Value& value, const char* type) { box_of(value, type)->reset(); }

 private:
  static Ptr* box_of(const Napi::Value& value, const char* type) {
    const napi_type_tag tag = table_tag(type);
    bool matches = false;
    if (!value.IsExternal() || napi_check_object_type_tag(value.Env(), value, &tag, &matches) != napi_ok || !matches)
      fail(XC_INVALID_ARGUMENT, type, std::string("expected a native ") + type);
    return value.As<Napi::External<Ptr>>().Data();
  }
};

// ---- long calls -------------------------------------------------------------------------------------------------

// A call that runs off the event loop. TypeScript's `runJob` passes a control object { cancel: Int32Array(1),
// onProgress?: (done, total) => void }; cancelling is Atomics.store(cancel, 0, 1).
//
//   return xaddon::Job::start(info, 3 /* index of the control argument */, {info[0]} /* kept alive */,
//       [=](const xc_control* control, xc_error* e) { return core.run(..., control, e); },   // worker thread
//       [=](Napi::Env env) -> Napi::Value { ... });                                          // back in JavaScript
class Job : public Napi::AsyncWorker {
 public:
  using Work = std::function<xc_status(const xc_control*, xc_error*)>;
  using Finish = std::function<Napi::Value(Napi::Env)>;

  static Napi::Promise start(const Napi::CallbackInfo& info, size_t control_index,
                             std::initializer_list<Napi::Value> keep, Work work, Finish finish) {
    auto* job = new Job(info.Env(), std::move(work), std::move(finish));
    uint32_t k = 0;
    job->kept_ = Napi::Reference<Napi::Array>::New(Napi::Array::New(info.Env()), 1);
    for (const Napi::Value& v : keep) job->kept_.Value().Set(k++, v);
    if (control_index < info.Length() && info[control_index].IsObject()) {
      const auto control = info[control_index].As<Napi::Object>();
      const Napi::Value cancel = control.Get("cancel");
      if (cancel.IsTypedArray()) {
        const auto flag = array_arg<int32_t>(cancel, "cancel");
        if (flag.size >= 1) job->control_.cancel = flag.data;
        job->kept_.Value().Set(k++, cancel);
      }
      const Napi::Value progress = control.Get("onProgress");
      if (progress.IsFunction()) {
        job->progress_ = Napi::ThreadSafeFunction::New(info.Env(), progress.As<Napi::Function>(), "xcore progress", 0, 1);
        job->has_progress_ = true;
        job->control_.user = job;
        job->control_.progress = [](void* user, double done, double total) {
          static_cast<Job*>(user)->progress_.NonBlockingCall(
              [done, total](Napi::Env env, Napi::Function f) {
                if (env != nullptr) f.Call({Napi::Number::New(env, done), Napi::Number::New(env, total)});
              });
        };
      }
    }
    const auto promise = job->deferred_.Promise();
    job->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    error_ = no_error();
    try {
      status_ = work_(&control_, &error_);
    } catch (const std::exception& e) {  // of the addon's own lambda; table functions do not throw
      status_ = error_.status = dynamic_cast<const std::bad_alloc*>(&e) ? XC_OUT_OF_MEMORY : XC_INTERNAL;
      std::strncpy(error_.message, e.what(), sizeof error_.message - 1);
    }
  }
  void OnOK() override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    if (has_progress_) progress_.Release();
    if (status_ != XC_OK) {
      deferred_.Reject(to_js(env, error_));
      return;
    }
    try {
      deferred_.Resolve(finish_(env));
    } catch (const Failure& f) {
      deferred_.Reject(to_js(env, f.error));
    } catch (const Napi::Error& e) {
      deferred_.Reject(e.Value());
    }
  }

 private:
  Job(Napi::Env env, Work work, Finish finish)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), finish_(std::move(finish)) {
    std::memset(&control_, 0, sizeof control_);
  }
  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Array> kept_;
  Napi::ThreadSafeFunction progress_;
  bool has_progress_ = false;
  xc_control control_;
  Work work_;
  Finish finish_;
  xc_status status_ = XC_OK;
  xc_error error_;
};

}  // namespace xaddon
