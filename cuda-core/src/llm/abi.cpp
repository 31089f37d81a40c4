// The function table of the domain "llm". Everything that throws is wrapped; objects of the domain live behind the two
// opaque structs.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "llm/session.hpp"
#include "xcore/llm.h"

struct xc_llm_model {
  std::shared_ptr<xcore::llm::Engine> engine;
};
struct xc_llm_session {
  xcore::llm::Session session;
};

namespace {

using namespace xcore;
using namespace xcore::llm;

template <class T>
T* required(T* pointer, const char* field) {
  if (!pointer) throw invalid_argument(field, "%s must not be NULL", field);
  return pointer;
}

template <size_t N>
void copy_text(char (&out)[N], const std::string& text) {
  std::snprintf(out, N, "%s", text.c_str());
}

xc_status model_open(const char* path, size_t path_length, xc_device device, int32_t context,
                     const xc_control* control, xc_llm_model** out, xc_error* error) {
  return guard(error, [&] {
    required(out, "out");
    const std::string name(required(path, "path"), path_length);
    if (name.find('\0') != std::string::npos)
      throw invalid_argument("path", "the path holds a NUL character, which no file name can");
    *out = new xc_llm_model{Engine::open(name, device, context, Control(control))};
  });
}

void model_release(xc_llm_model* model) { delete model; }

xc_status model_info(xc_llm_model* model, xc_llm_info* out, xc_error* error) {
  return guard(error, [&] {
    Engine& engine = *required(model, "model")->engine;
    const Model& m = engine.model();
    *required(out, "out") = {};
    copy_text(out->architecture, m.architecture);
    copy_text(out->name, m.name);
    out->vocabulary = m.vocabulary;
    out->width = m.width;
    out->layers = m.layers_count;
    out->heads = m.heads;
    out->kv_heads = m.kv_heads;
    out->context_length = m.context_length;
    out->default_context = engine.default_context();
    out->parameters = m.parameters();
    out->weight_bytes = m.weight_bytes();
    out->file_bytes = m.file ? m.file->size_bytes() : 0;
    out->device = engine.executor()->device();
  });
}

// ---- metadata as JSON ----

constexpr double kSafeInteger = 9007199254740992.0;  // 2^53: JSON numbers become doubles

void append(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}
void append(std::string& out, const std::string& text) { append(out, std::string_view(text)); }
void append(std::string& out, bool value) { out += value ? "true" : "false"; }
template <class Integer>
void append_integer(std::string& out, Integer value) {
  const bool safe = std::fabs(static_cast<double>(value)) <= kSafeInteger;
  if (!safe) out += '"';
  out += std::to_string(value);
  if (!safe) out += '"';
}
void append(std::string& out, uint64_t value) { append_integer(out, value); }
void append(std::string& out, int64_t value) { append_integer(out, value); }
void append(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  // Most numbers were floats in the file and were widened when read: 1e-5 should not become 9.99999974737875e-06. The
  // fewest digits that give back the float, or the double where it never was a float.
  const auto narrow = static_cast<float>(value);
  const bool was_float = static_cast<double>(narrow) == value;
  char text[32];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    if (was_float ? std::strtof(text, nullptr) == narrow : std::strtod(text, nullptr) == value) break;
  }
  out += text;
}
template <class T>
void append(std::string& out, const std::vector<T>& values) {
  out += '[';
  bool first = true;
  for (const auto& value : values) {
    if (!first) out += ',';
    first = false;
    append(out, static_cast<T>(value));
  }
  out += ']';
}

xc_status model_metadata(xc_llm_model* model, const char* key, size_t key_length, xc_llm_write write, void* user,
                         xc_error* error) {
  return guard(error, [&] {
    const Model& m = required(model, "model")->engine->model();
    if (!write) throw invalid_argument("write", "write must not be NULL");
    std::string json;
    if (key) {
      const gguf::Entry* entry = m.file ? m.file->find({key, key_length}) : nullptr;
      if (!entry) {
        const std::string name(key, key_length);
        throw xcore::error(XC_NOT_FOUND, name, -1, "the file has no metadata key '%s'", name.c_str());
      }
      std::visit([&](const auto& value) { append(json, value); }, entry->value);
    } else {
      std::vector<std::string> keys;
      if (m.file) {
        for (const gguf::Entry& entry : m.file->metadata()) keys.push_back(entry.key);
      }
      append(json, keys);
    }
    write(user, json.data(), json.size());
  });
}

xc_status model_logits(xc_llm_model* model, const int32_t* ids, int32_t count, float* out, const xc_control* control,
                       xc_error* error) {
  return guard(error, [&] {
    required(model, "model")->engine->logits(required(ids, "ids"), count, required(out, "out"), Control(control));
  });
}

// ---- sessions ----

xc_status session_create(xc_llm_model* model, int32_t capacity, xc_llm_session** out, xc_error* error) {
  return guard(error, [&] {
    *required(out, "out") = new xc_llm_session{Session(required(model, "model")->engine, capacity)};
  });
}

void session_release(xc_llm_session* session) { delete session; }

xc_status session_info(xc_llm_session* session, xc_llm_session_info* out, xc_error* error) {
  return guard(error, [&] {
    const Session& s = required(session, "session")->session;
    *required(out, "out") = {s.capacity(), s.length(), s.device()};
  });
}

xc_status session_truncate(xc_llm_session* session, int32_t length, xc_error* error) {
  return guard(error, [&] { required(session, "session")->session.truncate(length); });
}

xc_status generate(xc_llm_session* session, const int32_t* prompt, int32_t count,
                   const xc_llm_generate_options* options, xc_llm_tokens tokens, void* user, const xc_control* control,
                   xc_llm_generate_result* result, xc_error* error) {
  return guard(error, [&] {
    required(result, "result");
    if (!tokens) throw invalid_argument("tokens", "tokens must not be NULL");
    xc_llm_generate_options known{};
    known.max_tokens = 256;
    known.top_p = 1;
    const size_t size = required(options, "options")->size;
    if (size < sizeof known.size) throw invalid_argument("options", "options.size must be sizeof(xc_llm_generate_options)");
    std::memcpy(&known, options, std::min(size, sizeof known));
    if (known.end_count < 0 || (known.end_count > 0 && !known.end_ids))
      throw invalid_argument("end_ids", "end_ids must point to end_count ids");
    GenerateOptions o;
    o.max_tokens = known.max_tokens;
    o.sampling = {known.temperature, known.top_k, known.top_p};
    o.seed = known.seed;
    o.end_ids.assign(known.end_ids, known.end_ids + known.end_count);
    required(session, "session")
        ->session.generate(required(prompt, "prompt"), count, o,
                           [&](const xc_llm_token& token) { return tokens(user, &token, 1) != 0; }, Control(control), result);
  });
}

const xc_llm_table table = {{"llm", XC_LLM_ABI, sizeof(xc_llm_table)},
                            model_open,
                            model_release,
                            model_info,
                            model_metadata,
                            model_logits,
                            session_create,
                            session_release,
                            session_info,
                            session_truncate,
                            generate};

}  // namespace

extern "C" const void* xc_llm_table_v1(void);
extern "C" const void* xc_llm_table_v1(void) { return &table; }
