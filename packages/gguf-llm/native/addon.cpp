// Passage from JavaScript to xc_llm_table. Ids are Int32Array here; TypeScript converts and explains.
#include <mutex>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/llm.h"

namespace {

XADDON_DOMAIN(xc_llm_table, "llm", XC_LLM_ABI)

using Table = xc_llm_table;
using Model = xaddon::Handle<xc_llm_model>;
using Session = xaddon::Handle<xc_llm_session>;
constexpr const char* kModel = "model";
constexpr const char* kSession = "session";

int32_t integer_arg(const Napi::CallbackInfo& info, size_t i, const char* name) {
  const double value = xaddon::number_arg(info, i, name);
  if (!(value >= INT32_MIN && value <= INT32_MAX) || value != static_cast<int32_t>(value))
    xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be an integer of 32 bits");
  return static_cast<int32_t>(value);
}

// Ids are copied: JavaScript may write into its array while a job runs.
std::vector<int32_t> ids_arg(const Napi::Value& value, const char* name) {
  const auto ids = xaddon::array_arg<int32_t>(value, name);
  if (ids.size > INT32_MAX) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " is too long");
  return std::vector<int32_t>(ids.data, ids.data + ids.size);
}

// open(path, device, contextSize, control): Promise<model>
Napi::Value Open(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const std::string path = xaddon::string_arg(info, 0, "path");
  const xc_device device = xaddon::device_arg(info[1]);
  const int32_t context = integer_arg(info, 2, "contextSize");
  // Owns the model until JavaScript has taken it over.
  auto opened = std::make_shared<std::unique_ptr<xc_llm_model, void (*)(xc_llm_model*)>>(nullptr, core.model_release);
  return xaddon::Job::start(
      info, 3, {},
      [=, &core](const xc_control* control, xc_error* e) {
        xc_llm_model* model = nullptr;
        const xc_status status = core.model_open(path.data(), path.size(), device, context, control, &model, e);
        opened->reset(model);
        return status;
      },
      [=, &core](Napi::Env env) { return Model::wrap(env, opened->release(), core.model_release, kModel); });
}

// info(model)
Napi::Value Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Table& core = xaddon::core<Table>(env);
  const auto model = Model::unwrap(info[0], kModel);
  xc_llm_info i;
  xaddon::check([&](xc_error* e) { return core.model_info(model.get(), &i, e); });
  auto out = Napi::Object::New(env);
  const auto number = [&](const char* key, double value) { out.Set(key, value); };
  out.Set("architecture", i.architecture);
  out.Set("name", i.name);
  number("vocabulary", i.vocabulary);
  number("width", i.width);
  number("layers", i.layers);
  number("heads", i.heads);
  number("kvHeads", i.kv_heads);
  number("contextLength", i.context_length);
  number("defaultContext", i.default_context);
  number("parameters", static_cast<double>(i.parameters));
  number("weightBytes", static_cast<double>(i.weight_bytes));
  number("fileBytes", static_cast<double>(i.file_bytes));
  number("deviceKind", i.device.kind);
  number("deviceIndex", i.device.index);
  return out;
}

// metadata(model, key | undefined): JSON text
Napi::Value Metadata(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const auto model = Model::unwrap(info[0], kModel);
  const bool one = info.Length() > 1 && !info[1].IsUndefined();
  const std::string key = one ? xaddon::string_arg(info, 1, "key") : "";
  std::string json;
  const auto write = [](void* user, const char* text, size_t length) { static_cast<std::string*>(user)->append(text, length); };
  xaddon::check([&](xc_error* e) { return core.model_metadata(model.get(), one ? key.data() : nullptr, key.size(), write, &json, e); });
  return Napi::String::New(info.Env(), json);
}

// logits(model, ids, out, control): Promise<undefined>; out: Float32Array of ids.length * vocabulary
Napi::Value Logits(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const auto model = Model::unwrap(info[0], kModel);
  const auto ids = ids_arg(info[1], "ids");
  const auto out = xaddon::array_arg<float>(info[2], "out");
  xc_llm_info shape;
  xaddon::check([&](xc_error* e) { return core.model_info(model.get(), &shape, e); });
  if (out.size != ids.size() * static_cast<size_t>(shape.vocabulary))
    xaddon::fail(XC_INVALID_ARGUMENT, "out", "out must hold ids.length * vocabulary numbers");
  float* data = out.data;
  return xaddon::Job::start(
      info, 3, {info[2]},
      [=, &core](const xc_control* control, xc_error* e) {
        return core.model_logits(model.get(), ids.data(), static_cast<int32_t>(ids.size()), data, control, e);
      },
      [](Napi::Env env) { return env.Undefined(); });
}

// createSession(model, capacity)
Napi::Value CreateSession(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const auto model = Model::unwrap(info[0], kModel);
  const int32_t capacity = integer_arg(info, 1, "contextSize");
  xc_llm_session* session = nullptr;
  xaddon::check([&](xc_error* e) { return core.session_create(model.get(), capacity, &session, e); });
  return Session::wrap(info.Env(), session, core.session_release, kSession);
}

// sessionInfo(session)
Napi::Value SessionInfo(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Table& core = xaddon::core<Table>(env);
  const auto session = Session::unwrap(info[0], kSession);
  xc_llm_session_info i;
  xaddon::check([&](xc_error* e) { return core.session_info(session.get(), &i, e); });
  auto out = Napi::Object::New(env);
  out.Set("capacity", i.capacity);
  out.Set("length", i.length);
  out.Set("deviceKind", i.device.kind);
  out.Set("deviceIndex", i.device.index);
  return out;
}

// truncate(session, length)
Napi::Value Truncate(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const auto session = Session::unwrap(info[0], kSession);
  const int32_t length = integer_arg(info, 1, "length");
  xaddon::check([&](xc_error* e) { return core.session_truncate(session.get(), length, e); });
  return info.Env().Undefined();
}

// Tokens on their way to JavaScript. The generating thread never waits: it appends, and wakes JavaScript only when the
// queue was empty, so a slow event loop receives its tokens in bulk. The queue is bounded by maxTokens.
class TokenQueue {
 public:
  static std::shared_ptr<TokenQueue> create(Napi::Env env, const Napi::Function& on_tokens) {
    auto queue = std::make_shared<TokenQueue>();
    queue->wake_ = Napi::ThreadSafeFunction::New(env, on_tokens, "xcore tokens", 0, 1);
    queue->self_ = queue;
    return queue;
  }

  // False once JavaScript is gone (its environment is being torn down): there is nobody to generate for.
  bool push(const xc_llm_token* tokens, int32_t count) {
    if (gone_.load(std::memory_order_relaxed)) return false;
    bool was_empty;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      was_empty = tokens_.empty();
      tokens_.insert(tokens_.end(), tokens, tokens + count);
    }
    if (!was_empty) return true;
    const auto self = self_.lock();
    const napi_status status =
        wake_.NonBlockingCall([self](Napi::Env env, Napi::Function on_tokens) {
          if (env != nullptr) self->deliver(env, on_tokens);
        });
    open_ = status != napi_closing;
    return status == napi_ok;
  }
  // After the last push, on the same thread.
  void close() {
    if (open_) wake_.Release();
  }
  // The callback of TypeScript never throws; a call fails only when its worker thread is being terminated, which waits
  // for the generation to end: so it must end.
  void deliver(Napi::Env env, const Napi::Function& on_tokens) {
    try {
      const Napi::Value batch = take(env);
      if (!batch.IsUndefined()) on_tokens.Call({batch});
    } catch (const Napi::Error&) {
      gone_.store(true, std::memory_order_relaxed);
    }
  }
  // { ids, logprobs } or undefined.
  Napi::Value take(Napi::Env env) {
    std::vector<xc_llm_token> tokens;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      tokens.swap(tokens_);
    }
    if (tokens.empty()) return env.Undefined();
    auto ids = Napi::Int32Array::New(env, tokens.size());
    auto logprobs = Napi::Float32Array::New(env, tokens.size());
    for (size_t i = 0; i < tokens.size(); ++i) {
      ids[i] = tokens[i].id;
      logprobs[i] = tokens[i].logprob;
    }
    auto batch = Napi::Object::New(env);
    batch.Set("ids", ids);
    batch.Set("logprobs", logprobs);
    return batch;
  }

 private:
  std::mutex mutex_;
  std::vector<xc_llm_token> tokens_;
  Napi::ThreadSafeFunction wake_;
  std::weak_ptr<TokenQueue> self_;
  std::atomic<bool> gone_{false};
  bool open_ = true;
};

// generate(session, prompt, options, onTokens, control): Promise<{ finish, ..., rest }>
// options: { maxTokens, temperature, topK, topP, seedLow, seedHigh, endIds }. `rest` are tokens that onTokens has not
// seen. Cancelling resolves with finish 3: TypeScript knows why it cancelled.
Napi::Value Generate(const Napi::CallbackInfo& info) {
  const Table& core = xaddon::core<Table>(info.Env());
  const auto session = Session::unwrap(info[0], kSession);
  const auto prompt = ids_arg(info[1], "prompt");
  if (!info[2].IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "options", "options must be an object");
  if (!info[3].IsFunction()) xaddon::fail(XC_INVALID_ARGUMENT, "onTokens", "onTokens must be a function");
  const auto given = info[2].As<Napi::Object>();
  const auto number = [&](const char* name) {
    const Napi::Value value = given.Get(name);
    if (!value.IsNumber()) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a number");
    return value.As<Napi::Number>();
  };
  const auto end_ids = std::make_shared<std::vector<int32_t>>(ids_arg(given.Get("endIds"), "endIds"));
  xc_llm_generate_options options{};
  options.size = sizeof options;
  options.max_tokens = number("maxTokens").Int32Value();
  options.temperature = number("temperature").DoubleValue();
  options.top_k = number("topK").Int32Value();
  options.top_p = number("topP").DoubleValue();
  options.seed = static_cast<uint64_t>(number("seedHigh").Uint32Value()) << 32 | number("seedLow").Uint32Value();
  options.end_ids = end_ids->data();
  options.end_count = static_cast<int32_t>(end_ids->size());
  const auto result = std::make_shared<xc_llm_generate_result>();
  const auto queue = TokenQueue::create(info.Env(), info[3].As<Napi::Function>());
  return xaddon::Job::start(
      info, 4, {},
      [=, &core](const xc_control* control, xc_error* e) {
        const auto tokens = [](void* user, const xc_llm_token* t, int32_t count) -> int32_t {
          return static_cast<TokenQueue*>(user)->push(t, count) ? 0 : 1;
        };
        const xc_status status = core.generate(session.get(), prompt.data(), static_cast<int32_t>(prompt.size()), &options,
                                               tokens, queue.get(), control, result.get(), e);
        static_cast<void>(end_ids);  // captured: options points into it
        queue->close();
        return status == XC_CANCELLED ? XC_OK : status;
      },
      [=](Napi::Env env) -> Napi::Value {
        auto out = Napi::Object::New(env);
        out.Set("finish", result->finish);
        out.Set("promptTokens", result->prompt_tokens);
        out.Set("cachedTokens", result->cached_tokens);
        out.Set("generatedTokens", result->generated_tokens);
        out.Set("prefillMs", result->prefill_ms);
        out.Set("decodeMs", result->decode_ms);
        out.Set("rest", queue->take(env));
        return out;
      });
}

Napi::Value DisposeModel(const Napi::CallbackInfo& info) {
  Model::dispose(info[0], kModel);
  return info.Env().Undefined();
}
Napi::Value DisposeSession(const Napi::CallbackInfo& info) {
  Session::dispose(info[0], kSession);
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "open", Open);
  XADDON_METHOD(exports, "info", Info);
  XADDON_METHOD(exports, "metadata", Metadata);
  XADDON_METHOD(exports, "logits", Logits);
  XADDON_METHOD(exports, "createSession", CreateSession);
  XADDON_METHOD(exports, "sessionInfo", SessionInfo);
  XADDON_METHOD(exports, "truncate", Truncate);
  XADDON_METHOD(exports, "generate", Generate);
  XADDON_METHOD(exports, "disposeModel", DisposeModel);
  XADDON_METHOD(exports, "disposeSession", DisposeSession);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
