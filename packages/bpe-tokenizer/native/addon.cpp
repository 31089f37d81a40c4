// A thin passage from JavaScript to xc_tokenizer_table.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "text.hpp"
#include "xcore/addon.hpp"
#include "xcore/tokenizer.h"

// One file a subject.
void init_ranks(Napi::Object exports);

namespace {

XADDON_DOMAIN(xc_tokenizer_table, "tokenizer", XC_TOKENIZER_ABI)

using xaddon::check;
using Tokenizer = xaddon::Handle<xc_tokenizer>;
constexpr const char* kType = "Tokenizer";

const xc_tokenizer_table& table(const Napi::CallbackInfo& info) { return xaddon::core<xc_tokenizer_table>(info.Env()); }

Napi::Value wrap(Napi::Env env, const xc_tokenizer_table& core, xc_tokenizer* object) {
  return Tokenizer::wrap(env, object, [&core](xc_tokenizer* t) { core.release(t); }, kType);
}

uint32_t flags_arg(const Napi::CallbackInfo& info, size_t i) { return static_cast<uint32_t>(xaddon::number_arg(info, i, "flags")); }

// openBytes(bytes)
Napi::Value OpenBytes(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto bytes = xaddon::array_arg<uint8_t>(info[0], "bytes");
  xc_tokenizer* object = nullptr;
  check([&](xc_error* e) { return core.open_bytes(bytes.data, bytes.size, &object, e); });
  return wrap(info.Env(), core, object);
}

// openFileSync(path)
Napi::Value OpenFileSync(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const std::string path = xaddon::string_arg(info, 0, "path");
  xc_tokenizer* object = nullptr;
  check([&](xc_error* e) { return core.open_file(path.data(), path.size(), &object, e); });
  return wrap(info.Env(), core, object);
}

// openFile(path, control): a promise of the same
Napi::Value OpenFile(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const std::string path = xaddon::string_arg(info, 0, "path");
  auto object = std::make_shared<xc_tokenizer*>(nullptr);
  return xaddon::Job::start(
      info, 1, {}, [&core, path, object](const xc_control*, xc_error* e) { return core.open_file(path.data(), path.size(), object.get(), e); },
      [&core, object](Napi::Env env) { return wrap(env, core, *object); });
}

// save(tokenizer, path, names: string[], values: string[], control): a promise of undefined
Napi::Value Save(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const std::string path = xaddon::string_arg(info, 1, "path");
  struct Texts {
    std::vector<std::string> names, values;
  };
  auto texts = std::make_shared<Texts>();
  const auto read = [&](size_t i, std::vector<std::string>& out) {
    const auto list = info[i].As<Napi::Array>();
    for (uint32_t k = 0; k < list.Length(); ++k) out.push_back(list.Get(k).ToString().Utf8Value());
  };
  if (!info[2].IsArray() || !info[3].IsArray()) xaddon::fail(XC_INVALID_ARGUMENT, "properties", "properties must be arrays");
  read(2, texts->names);
  read(3, texts->values);
  if (texts->names.size() != texts->values.size()) xaddon::fail(XC_INVALID_ARGUMENT, "properties", "every property needs a value");
  return xaddon::Job::start(
      info, 4, {info[0]},
      [&core, t, path, texts](const xc_control*, xc_error* e) {
        std::vector<xc_property> properties;
        for (size_t i = 0; i < texts->names.size(); ++i)
          properties.push_back({texts->names[i].data(), texts->names[i].size(), texts->values[i].data(), texts->values[i].size()});
        return core.save(t.get(), path.data(), path.size(), properties.data(), properties.size(), e);
      },
      [](Napi::Env env) -> Napi::Value { return env.Undefined(); });
}

// properties(tokenizer): an object of texts by name
Napi::Value Properties(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  std::vector<xc_property> properties(core.properties(t.get(), nullptr, 0));
  core.properties(t.get(), properties.data(), properties.size());
  auto out = Napi::Object::New(info.Env());
  for (const xc_property& p : properties)
    out.Set(Napi::String::New(info.Env(), p.name, p.name_size), Napi::String::New(info.Env(), p.value, p.value_size));
  return out;
}

Napi::Value Dispose(const Napi::CallbackInfo& info) {
  Tokenizer::dispose(info[0], kType);
  return info.Env().Undefined();
}

// info(tokenizer): { size, bos, eos, dropsFirstSpace, added: Uint32Array, endOfGeneration: Uint32Array }
Napi::Value Info(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  xc_tokenizer_info i;
  core.info(t.get(), &i);
  auto out = Napi::Object::New(info.Env());
  out.Set("size", Napi::Number::New(info.Env(), i.size));
  out.Set("bos", Napi::Number::New(info.Env(), i.bos));
  out.Set("eos", Napi::Number::New(info.Env(), i.eos));
  out.Set("dropsFirstSpace", Napi::Boolean::New(info.Env(), i.drops_first_space != 0));
  out.Set("cutsBetweenLines", Napi::Boolean::New(info.Env(), i.cuts_between_lines != 0));
  out.Set("decodesTogether", Napi::Boolean::New(info.Env(), i.decodes_together != 0));
  out.Set("added", xaddon::copy_to_js(info.Env(), core.added_tokens(t.get()), i.added_count));
  out.Set("endOfGeneration", xaddon::copy_to_js(info.Env(), core.end_of_generation(t.get()), i.end_count));
  return out;
}

uint32_t id_arg(const Napi::CallbackInfo& info, size_t i) {
  const double id = xaddon::number_arg(info, i, "id");
  if (!(id >= 0 && id < 4294967295.0) || id != static_cast<double>(static_cast<uint32_t>(id)))
    xaddon::fail(XC_INVALID_ARGUMENT, "id", "id must be an integer of 0 to 2^32 - 2");
  return static_cast<uint32_t>(id);
}

// token(tokenizer, id): { content, bytes, flags }
Napi::Value Token(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const uint32_t id = id_arg(info, 1);
  xc_token token;
  check([&](xc_error* e) { return core.token(t.get(), id, &token, e); });
  auto out = Napi::Object::New(info.Env());
  out.Set("content", Napi::String::New(info.Env(), token.content, token.content_size));
  out.Set("bytes", xaddon::copy_to_js(info.Env(), reinterpret_cast<const uint8_t*>(token.bytes), token.bytes_size));
  out.Set("flags", Napi::Number::New(info.Env(), token.flags));
  return out;
}

// idOf(tokenizer, content): number, 2^32 - 1 for none
Napi::Value IdOf(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const std::string content = xaddon::string_arg(info, 1, "token");
  return Napi::Number::New(info.Env(), core.id_of(t.get(), content.data(), content.size()));
}

Text text_arg(const Napi::CallbackInfo& info, size_t i) {
  static const std::string field = "text";
  return text_of(info.Env(), info[i], field);
}

// encode(tokenizer, text, flags): Uint32Array
Napi::Value Encode(const Napi::CallbackInfo& info) {
  static thread_local std::vector<uint32_t> ids(1 << 10);
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const Text text = text_arg(info, 1);
  const uint32_t flags = flags_arg(info, 2);
  size_t count = 0;
  const auto run = [&] {
    check([&](xc_error* e) { return core.encode(t.get(), text.data, text.size, flags, ids.data(), ids.size(), &count, e); });
  };
  if (ids.size() < text.size / 2) ids.resize(text.size / 2);
  run();
  if (count > ids.size()) {
    ids.resize(count);
    run();
  }
  const auto out = xaddon::copy_to_js(info.Env(), ids.data(), count);
  if (ids.size() > (1 << 20)) {
    ids.resize(1 << 10);
    ids.shrink_to_fit();
  }
  return out;
}

// encodeInto(tokenizer, text, flags, ids: Uint32Array, at): number of ids, of which as many as fit are in `ids` from `at` on.
// Making an array here takes several times as long as encoding a short text.
Napi::Value EncodeInto(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const Text text = text_arg(info, 1);
  const uint32_t flags = flags_arg(info, 2);
  napi_typedarray_type type;
  size_t room = 0, count = 0;
  void* ids = nullptr;
  if (napi_get_typedarray_info(info.Env(), info[3], &type, &room, &ids, nullptr, nullptr) != napi_ok || type != napi_uint32_array)
    xaddon::fail(XC_INVALID_ARGUMENT, "ids", "ids must be a Uint32Array");
  const double at = xaddon::number_arg(info, 4, "at");
  if (!(at >= 0 && at <= static_cast<double>(room))) xaddon::fail(XC_INVALID_ARGUMENT, "at", "at must lie in ids");
  const auto first = static_cast<size_t>(at);
  check([&](xc_error* e) {
    return core.encode(t.get(), text.data, text.size, flags, static_cast<uint32_t*>(ids) + first, room - first, &count, e);
  });
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// count(tokenizer, text, flags, limit?): number; may stop early, with more than the limit, once there are more.
Napi::Value Count(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const Text text = text_arg(info, 1);
  const uint32_t flags = flags_arg(info, 2);
  const double limit = info.Length() > 3 ? xaddon::number_arg(info, 3, "limit") : -1;
  size_t count = 0;
  check([&](xc_error* e) {
    return core.count(t.get(), text.data, text.size, flags, limit >= 0 ? static_cast<size_t>(limit) : SIZE_MAX, &count, e);
  });
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

// cacheStats(tokenizer): { lookups, misses, entries, bytes, limit }
Napi::Value CacheStats(const Napi::CallbackInfo& info) {
  xc_tokenizer_cache cache;
  table(info).cache_stats(Tokenizer::unwrap(info[0], kType).get(), &cache);
  auto out = Napi::Object::New(info.Env());
  out.Set("lookups", static_cast<double>(cache.lookups));
  out.Set("misses", static_cast<double>(cache.misses));
  out.Set("entries", static_cast<double>(cache.entries));
  out.Set("bytes", static_cast<double>(cache.bytes));
  out.Set("limit", static_cast<double>(cache.limit));
  return out;
}

Napi::Value ClearCache(const Napi::CallbackInfo& info) {
  table(info).clear_cache(Tokenizer::unwrap(info[0], kType).get());
  return info.Env().Undefined();
}

// setCacheLimit(tokenizer, bytes)
Napi::Value SetCacheLimit(const Napi::CallbackInfo& info) {
  table(info).set_cache_limit(Tokenizer::unwrap(info[0], kType).get(), static_cast<uint64_t>(xaddon::number_arg(info, 1, "bytes")));
  return info.Env().Undefined();
}

struct Batch {
  const xc_tokenizer_table* core = nullptr;
  std::vector<std::string> texts;
  std::vector<xc_text> views;
  std::vector<size_t> offsets;
  uint32_t* ids = nullptr;
  ~Batch() {
    if (ids) core->release_ids(ids);
  }
};

// encodeBatch(tokenizer, texts, flags, device, control): a promise of { ids: Uint32Array, offsets: Float64Array }
Napi::Value EncodeBatch(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  if (!info[1].IsArray()) xaddon::fail(XC_INVALID_ARGUMENT, "texts", "texts must be an array of strings");
  const auto list = info[1].As<Napi::Array>();
  auto batch = std::make_shared<Batch>();
  batch->core = &core;
  batch->texts.reserve(list.Length());
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    const Napi::Value text = list.Get(i);
    const Text utf8 = text_of(info.Env(), text, text.IsString() ? std::string() : "texts[" + std::to_string(i) + "]");
    batch->texts.emplace_back(utf8.data, utf8.size);
  }
  for (const auto& s : batch->texts) batch->views.push_back({s.data(), s.size()});
  batch->offsets.resize(batch->views.size() + 1);
  const uint32_t flags = flags_arg(info, 2);
  const xc_device device = xaddon::device_arg(info[3]);
  return xaddon::Job::start(
      info, 4, {info[0]},
      [&core, t, batch, flags, device](const xc_control* control, xc_error* e) {
        return core.encode_batch_on(t.get(), batch->views.data(), batch->views.size(), flags, device, control, &batch->ids,
                                    batch->offsets.data(), nullptr, e);
      },
      [batch](Napi::Env env) -> Napi::Value {
        auto out = Napi::Object::New(env);
        auto offsets = Napi::Float64Array::New(env, batch->offsets.size());
        for (size_t i = 0; i < batch->offsets.size(); ++i) offsets[i] = static_cast<double>(batch->offsets[i]);
        out.Set("ids", xaddon::copy_to_js(env, batch->ids, batch->offsets.back()));
        out.Set("offsets", offsets);
        return out;
      });
}

// The bytes of ids, in the thread's room for bytes.
Text decoded(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const auto ids = xaddon::array_arg<uint32_t>(info[1], "ids");
  const uint32_t flags = flags_arg(info, 2);
  // Most tokens are shorter than 6 bytes; with 16 to spare for each of the last 256, all are written to their places directly.
  size_t room = ids.size * 6 + std::min<size_t>(ids.size, 256) * 16 + 64, size = 0;
  char* bytes = byte_room(room);
  const auto run = [&] {
    check([&](xc_error* e) { return core.decode(t.get(), ids.data, ids.size, flags, bytes, room, &size, e); });
  };
  run();
  if (size > room) {
    bytes = byte_room(room = size);
    run();
  }
  return {bytes, size};
}

// decode(tokenizer, ids, flags): Uint8Array of UTF-8, whole characters or not
Napi::Value Decode(const Napi::CallbackInfo& info) {
  const Text bytes = decoded(info);
  return xaddon::copy_to_js(info.Env(), reinterpret_cast<const uint8_t*>(bytes.data), bytes.size);
}

// decodeText(tokenizer, ids, flags): the string, or the bytes of `decode` where they are not UTF-8
Napi::Value DecodeText(const Napi::CallbackInfo& info) {
  const Text bytes = decoded(info);
  if (const napi_value text = string_of(info.Env(), bytes.data, bytes.size)) return {info.Env(), text};
  return xaddon::copy_to_js(info.Env(), reinterpret_cast<const uint8_t*>(bytes.data), bytes.size);
}

// encodeOffsets(tokenizer, text, flags, unit): { ids: Uint32Array, offsets: Uint32Array of start, end pairs }
Napi::Value EncodeOffsets(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const Text text = text_arg(info, 1);
  const uint32_t flags = flags_arg(info, 2);
  const auto unit = static_cast<int32_t>(xaddon::number_arg(info, 3, "unit"));
  uint32_t* ids = nullptr;
  size_t count = 0;
  check([&](xc_error* e) { return core.encode_offsets(t.get(), text.data, text.size, flags, unit, &ids, &count, e); });
  const std::unique_ptr<uint32_t, void (*)(uint32_t*)> owner(ids, core.release_ids);
  auto out = Napi::Object::New(info.Env());
  out.Set("ids", xaddon::copy_to_js(info.Env(), ids, count));
  out.Set("offsets", xaddon::copy_to_js(info.Env(), ids + count, count * 2));
  return out;
}

// templateOf(tokenizer, texts): Uint32Array of (what, type id) pairs
Napi::Value TemplateOf(const Napi::CallbackInfo& info) {
  const auto& core = table(info);
  const auto t = Tokenizer::unwrap(info[0], kType);
  const auto texts = static_cast<int32_t>(xaddon::number_arg(info, 1, "texts"));
  std::vector<uint32_t> parts(core.template_of(t.get(), texts, nullptr, 0));
  core.template_of(t.get(), texts, parts.data(), parts.size());
  return xaddon::copy_to_js(info.Env(), parts.data(), parts.size());
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "openBytes", OpenBytes);
  XADDON_METHOD(exports, "openFileSync", OpenFileSync);
  XADDON_METHOD(exports, "openFile", OpenFile);
  XADDON_METHOD(exports, "save", Save);
  XADDON_METHOD(exports, "properties", Properties);
  XADDON_METHOD(exports, "dispose", Dispose);
  XADDON_METHOD(exports, "info", Info);
  XADDON_METHOD(exports, "token", Token);
  XADDON_METHOD(exports, "idOf", IdOf);
  XADDON_METHOD(exports, "encode", Encode);
  XADDON_METHOD(exports, "encodeInto", EncodeInto);
  XADDON_METHOD(exports, "count", Count);
  XADDON_METHOD(exports, "cacheStats", CacheStats);
  XADDON_METHOD(exports, "clearCache", ClearCache);
  XADDON_METHOD(exports, "setCacheLimit", SetCacheLimit);
  XADDON_METHOD(exports, "encodeBatch", EncodeBatch);
  XADDON_METHOD(exports, "decode", Decode);
  XADDON_METHOD(exports, "decodeText", DecodeText);
  XADDON_METHOD(exports, "encodeOffsets", EncodeOffsets);
  XADDON_METHOD(exports, "templateOf", TemplateOf);
  init_ranks(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
