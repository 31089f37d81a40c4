// The domain's function table. Exceptions stop here.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "runtime/control.hpp"
#include "runtime/error.hpp"
#include "tokenizer/encode/encode_batch.hpp"
#include "tokenizer/encode_cuda/encode_on.hpp"
#include "tokenizer/image/image.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/tokenizer.hpp"

using xcore::guard;
using xcore::tokenizer::Sink;
using xcore::tokenizer::Tokenizer;

struct xc_tokenizer {
  std::unique_ptr<Tokenizer> tokenizer;
  std::vector<uint32_t> added, end_of_generation;
  bool cuts_between_lines = false;
  mutable xcore::tokenizer::CudaEncoders cuda;  // after the tokenizer, which they use
};

namespace {

xc_tokenizer* make(std::unique_ptr<Tokenizer> tokenizer) {
  auto object = std::make_unique<xc_tokenizer>();
  const auto& flags = tokenizer->model().flags;
  for (uint32_t id = 0; id < flags.size(); ++id) {
    if (flags[id] & XC_TOKEN_ADDED) object->added.push_back(id);
    if (flags[id] & XC_TOKEN_END_OF_GENERATION) object->end_of_generation.push_back(id);
  }
  object->cuts_between_lines = tokenizer->cuts_between_lines();
  object->tokenizer = std::move(tokenizer);
  return object.release();
}

xc_status open_bytes(const uint8_t* data, size_t size, xc_tokenizer** out, xc_error* error) {
  return guard(error, [&] { *out = make(xcore::tokenizer::load_bytes({reinterpret_cast<const char*>(data), size})); });
}

xc_status open_file(const char* path, size_t path_size, xc_tokenizer** out, xc_error* error) {
  return guard(error, [&] {
    const std::string name(path, path_size);
    if (name.find('\0') != std::string::npos) throw xcore::invalid_argument("path", "the path contains a zero byte");
    *out = xcore::naming_file(name, [&] { return make(xcore::tokenizer::load_file(name)); });
  });
}

void release(xc_tokenizer* tokenizer) { delete tokenizer; }

void info(const xc_tokenizer* t, xc_tokenizer_info* out) {
  const auto& m = t->tokenizer->model();
  out->size = static_cast<uint32_t>(m.flags.size());
  out->bos = m.bos;
  out->eos = m.eos;
  out->added_count = static_cast<uint32_t>(t->added.size());
  out->end_count = static_cast<uint32_t>(t->end_of_generation.size());
  out->adds_special = !m.prefix.empty() || !m.suffix.empty();
  out->sentencepiece = m.kind == xcore::tokenizer::Kind::sentencepiece;
  out->drops_first_space = m.decoder.strip > 0;
  out->cuts_between_lines = t->cuts_between_lines;
  out->decodes_together = m.decoder.kind == xcore::tokenizer::DecoderShape::general;
}

xc_status token(const xc_tokenizer* t, uint32_t id, xc_token* out, xc_error* error) {
  return guard(error, [&] {
    const auto& m = t->tokenizer->model();
    if (!t->tokenizer->has(id)) {
      throw xcore::invalid_argument("id", "%u is no token; ids are below %zu", id, m.flags.size());
    }
    const auto content = m.tokens[id];
    const auto bytes = m.bytes[id];
    *out = {content.data(), content.size(), bytes.data(), bytes.size(), m.flags[id]};
  });
}

uint32_t id_of(const xc_tokenizer* t, const char* content, size_t size) {
  return t->tokenizer->id_of({content, size});
}

const uint32_t* added_tokens(const xc_tokenizer* t) { return t->added.data(); }
const uint32_t* end_of_generation(const xc_tokenizer* t) { return t->end_of_generation.data(); }

xc_status encode(const xc_tokenizer* t, const char* text, size_t size, uint32_t flags, uint32_t* ids, size_t capacity,
                 size_t* count, xc_error* error) {
  return guard(error, [&] {
    Sink sink{ids, capacity};
    t->tokenizer->encode({text, size}, flags, sink);
    *count = sink.count;
  });
}

xc_status encode_batch(const xc_tokenizer* t, const xc_text* texts, size_t count, uint32_t flags, const xc_control* control,
                       uint32_t** ids, size_t* offsets, xc_error* error) {
  return guard(error, [&] {
    xcore::tokenizer::EncodedBatch batch;
    batch.offsets = offsets;
    xcore::tokenizer::encode_batch(*t->tokenizer, texts, count, flags, xcore::Control(control), batch);
    *ids = batch.ids;
  });
}

void release_ids(uint32_t* ids) { xcore::tokenizer::release_ids(ids); }

xc_status decode(const xc_tokenizer* t, const uint32_t* ids, size_t count, uint32_t flags, char* out, size_t capacity,
                 size_t* size, xc_error* error) {
  return guard(error, [&] {
    xcore::tokenizer::ByteSink sink{out, capacity};
    t->tokenizer->decode(ids, count, (flags & XC_DECODE_SKIP_SPECIAL) != 0, sink);
    *size = sink.count;
  });
}

xc_status encode_offsets(const xc_tokenizer* t, const char* text, size_t size, uint32_t flags, int32_t unit, uint32_t** ids,
                         size_t* count, xc_error* error) {
  return guard(error, [&] {
    if (unit < XC_OFFSETS_UTF16 || unit > XC_OFFSETS_BYTE) throw xcore::invalid_argument("unit", "unit is %d; 0, 1 or 2", unit);
    std::vector<xcore::tokenizer::Token> tokens;
    t->tokenizer->encode_tokens({text, size}, flags, static_cast<xcore::tokenizer::OffsetUnit>(unit), tokens);
    auto* out = static_cast<uint32_t*>(std::malloc(std::max<size_t>(tokens.size() * 3, 1) * sizeof(uint32_t)));
    if (!out) throw std::bad_alloc();
    uint32_t* offsets = out + tokens.size();
    for (size_t i = 0; i < tokens.size(); ++i) {
      out[i] = tokens[i].id;
      *offsets++ = tokens[i].range.begin;
      *offsets++ = tokens[i].range.end;
    }
    *ids = out;
    *count = tokens.size();
  });
}

size_t template_of(const xc_tokenizer* t, int32_t texts, uint32_t* out, size_t capacity) {
  using xcore::tokenizer::TemplatePart;
  const auto& m = t->tokenizer->model();
  size_t count = 0;
  const auto put = [&](uint32_t what, uint32_t type) {
    for (const uint32_t v : {what, type}) {
      if (count < capacity) out[count] = v;
      ++count;
    }
  };
  const auto& parts = texts == 2 ? m.pipeline.pair : m.pipeline.single;
  for (const TemplatePart& part : parts) {
    for (const uint32_t id : part.ids) put(id, part.type_id);
    if (part.kind != TemplatePart::special) put(part.kind == TemplatePart::first ? XC_TEMPLATE_FIRST : XC_TEMPLATE_SECOND, part.type_id);
  }
  if (parts.empty() && texts == 1) {
    for (const uint32_t id : m.prefix) put(id, 0);
    put(XC_TEMPLATE_FIRST, 0);
    for (const uint32_t id : m.suffix) put(id, 0);
  }
  return count;
}

xc_status open_ranks(const char* ranks, size_t ranks_size, const char* pattern, size_t pattern_size,
                     const xc_special_token* special, size_t special_count, xc_tokenizer** out, xc_error* error) {
  return guard(error, [&] {
    std::vector<xcore::tokenizer::SpecialToken> tokens;
    for (size_t i = 0; i < special_count; ++i)
      tokens.push_back({{special[i].content, special[i].content_size}, special[i].id});
    *out = make(std::make_unique<Tokenizer>(
        xcore::tokenizer::read_ranks({ranks, ranks_size}, {pattern, pattern_size}, tokens)));
  });
}

void cache_stats(const xc_tokenizer* t, xc_tokenizer_cache* out) {
  const auto s = t->tokenizer->cache().stats();
  *out = {s.lookups, s.misses, s.entries, s.bytes, t->tokenizer->cache().limit()};
}

void clear_cache(const xc_tokenizer* t) { t->tokenizer->cache().clear(); }

void set_cache_limit(const xc_tokenizer* t, uint64_t bytes) { t->tokenizer->cache().limit(bytes); }

xc_status count_ids(const xc_tokenizer* t, const char* text, size_t size, uint32_t flags, size_t limit, size_t* count,
                    xc_error* error) {
  return guard(error, [&] {
    Sink sink{nullptr, 0};
    sink.stop_after = limit;
    t->tokenizer->encode({text, size}, flags, sink);
    *count = sink.count;
  });
}

xc_status encode_batch_on(const xc_tokenizer* t, const xc_text* texts, size_t count, uint32_t flags, xc_device device,
                          const xc_control* control, uint32_t** ids, size_t* offsets, xc_device* used, xc_error* error) {
  return guard(error, [&] {
    const xcore::Control call(control);
    xcore::tokenizer::EncodedBatch batch;
    batch.offsets = offsets;
    const xc_device where = xcore::tokenizer::encode_batch_on(
        *t->tokenizer, t->cuda, device, texts, count, flags, call, batch,
        [&] { xcore::tokenizer::encode_batch(*t->tokenizer, texts, count, flags, call, batch); });
    *ids = batch.ids;
    if (used) *used = where;
  });
}

xc_status save(const xc_tokenizer* t, const char* path, size_t path_size, const xc_property* properties, size_t count, xc_error* error) {
  return guard(error, [&] {
    const std::string name(path, path_size);
    if (name.empty() || name.find('\0') != std::string::npos)
      throw xcore::invalid_argument("path", "a path must be non-empty and free of NUL bytes");
    xcore::tokenizer::Properties own;
    for (size_t i = 0; i < count; ++i)
      own.emplace_back(std::string(properties[i].name, properties[i].name_size), std::string(properties[i].value, properties[i].value_size));
    xcore::tokenizer::save_image(*t->tokenizer, own, name);
  });
}

size_t properties(const xc_tokenizer* t, xc_property* out, size_t capacity) {
  const auto& all = t->tokenizer->model().properties;
  for (size_t i = 0; i < std::min(capacity, all.size()); ++i)
    out[i] = {all[i].first.data(), all[i].first.size(), all[i].second.data(), all[i].second.size()};
  return all.size();
}

const xc_tokenizer_table table = {{"tokenizer", XC_TOKENIZER_ABI, sizeof(xc_tokenizer_table)},
                                  open_bytes,
                                  open_file,
                                  release,
                                  info,
                                  token,
                                  id_of,
                                  added_tokens,
                                  end_of_generation,
                                  encode,
                                  encode_batch,
                                  release_ids,
                                  decode,
                                  encode_offsets,
                                  template_of,
                                  open_ranks,
                                  cache_stats,
                                  clear_cache,
                                  set_cache_limit,
                                  count_ids,
                                  encode_batch_on,
                                  save,
                                  properties};

}  // namespace

extern "C" const void* xc_tokenizer_table_v1(void) { return &table; }
