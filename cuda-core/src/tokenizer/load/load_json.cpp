// Hugging Face tokenizer.json: the model and its vocabulary.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "runtime/error.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/json/json.hpp"
#include "tokenizer/load/json_components.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/load/merges.hpp"
#include "tokenizer/together.hpp"

namespace xcore::tokenizer {
namespace {

using json::Cursor;

constexpr uint32_t kMaxId = 0x7fffffff;

void read_vocabulary(const Cursor& root, Model& model) {
  const Cursor vocab = root.at("model").at("vocab");
  const Cursor added = root.get("added_tokens");
  const uint32_t own = vocab.object_size();
  const uint32_t extra = added.is_null() ? 0 : added.array_size();
  if (own == 0) vocab.fail("the vocabulary is empty");

  struct Item {
    std::string_view content;
    uint32_t id;
  };
  Large<Item> items;
  items.reserve(own + extra);
  uint32_t largest = 0;
  for (uint32_t i = 0; i < own; ++i) {
    const json::Member& m = vocab.member(i);
    const double id = m.value.number;
    if (m.value.kind != json::Kind::number || !(id >= 0 && id <= kMaxId) || id != std::floor(id)) {
      Cursor(m.value, vocab.path() + "['" + std::string(m.key.substr(0, 60)) + "']").integer(kMaxId);  // says what is wrong
    }
    items.push_back({m.key, static_cast<uint32_t>(id)});
    largest = std::max(largest, items.back().id);
  }
  for (uint32_t i = 0; i < extra; ++i) {
    const Cursor token = added[i];
    AddedToken t;
    t.id = token.at("id").integer(kMaxId);
    t.content = token.at("content").string();
    if (t.content.empty()) token.fail("an added token must not be empty");
    if (t.content.size() > kMaxTokenBytes) token.fail("an added token may have up to 1024 bytes");
    t.special = token.flag("special", false);
    t.lstrip = token.flag("lstrip", false);
    t.rstrip = token.flag("rstrip", false);
    t.single_word = token.flag("single_word", false);
    t.normalized = token.flag("normalized", !t.special);
    largest = std::max(largest, t.id);
    items.push_back({token.at("content").string(), t.id});
    model.added.push_back(std::move(t));
  }
  // Tables are as long as the largest id: a small file must not ask for gigabytes.
  const uint64_t allowed = 16ull * items.size() + 65536;
  if (largest >= allowed) {
    vocab.fail("the largest id is " + std::to_string(largest) + ", but there are only " + std::to_string(items.size()) +
               " tokens");
  }
  model.tokens.resize(largest + 1);
  model.bytes.resize(largest + 1);
  model.flags.assign(largest + 1, 0);
  model.model_token.assign(largest + 1, 0);
  model.by_content.reserve(items.size());
  size_t text = 0;
  for (const Item& item : items) text += item.content.size();
  model.tokens.reserve_text(text);
  model.bytes.reserve_text(text);
  // The tokens of the vocabulary, then the added ones that are not among them.
  const auto shown = [](std::string_view content) { return "'" + std::string(content.substr(0, 60)) + "'"; };
  const auto where = [&](size_t i) { return i < own ? vocab : added[static_cast<uint32_t>(i - own)]; };
  const auto insert = [&](size_t i, uint64_t hash) {
    const Item& item = items[i];
    if (model.flags[item.id] != 0) {
      const bool same = model.tokens[item.id] == item.content;
      if (i >= own && same && !(model.flags[item.id] & XC_TOKEN_ADDED)) {
        model.flags[item.id] |= XC_TOKEN_ADDED;
        return false;
      }
      where(i).fail(shown(item.content) + (same ? " occurs twice" : " has id " + std::to_string(item.id) + ", which " +
                                                                          shown(model.tokens[item.id]) + " has already"));
    }
    if (model.kind != Kind::byte_level && item.content.size() > kMaxTokenBytes) where(i).fail("a token may have up to 1024 bytes");
    model.tokens.set(item.id, item.content);
    model.flags[item.id] = static_cast<uint8_t>(XC_TOKEN_PRESENT | (i < own ? 0 : XC_TOKEN_ADDED));
    const uint32_t other = model.by_content.insert(model.tokens, item.id, hash);
    if (other != kNoId) where(i).fail(shown(item.content) + " has the ids " + std::to_string(other) + " and " + std::to_string(item.id));
    return true;
  };
  const auto set_bytes = [&](size_t i, std::string& bytes) {
    const Item& item = items[i];
    const bool mapped = model.kind != Kind::byte_level || bytes_from_characters(item.content, bytes);
    const std::string_view own_bytes = model.kind == Kind::byte_level && mapped ? std::string_view(bytes) : item.content;
    model.bytes.set(item.id, own_bytes);
    model.model_token[item.id] = i < own && (mapped || model.affixes.any()) && !own_bytes.empty();
  };
  together(
      [&] {
        // Where a token goes is asked for some tokens beforehand.
        constexpr size_t kTogether = 32;
        uint64_t hashes[kTogether];
        for (size_t begin = 0; begin < own; begin += kTogether) {
          const size_t count = std::min<size_t>(kTogether, own - begin);
          for (size_t k = 0; k < count; ++k) model.by_content.prefetch(hashes[k] = hash_bytes(items[begin + k].content));
          for (size_t k = 0; k < count; ++k) insert(begin + k, hashes[k]);
        }
      },
      [&] {
        std::string bytes;
        for (size_t i = 0; i < own; ++i) set_bytes(i, bytes);
      });
  std::string bytes;
  for (size_t i = own; i < items.size(); ++i) {
    if (insert(i, hash_bytes(items[i].content))) set_bytes(i, bytes);
  }
  for (const AddedToken& t : model.added) {
    if (t.special) model.flags[t.id] |= XC_TOKEN_SPECIAL;
  }
}

void read_merges(const Cursor& merges, Model& model) {
  const auto split = [&](uint32_t rank, std::string_view& left, std::string_view& right) -> const char* {
    const json::Value& entry = merges.value().items[rank];
    if (entry.kind == json::Kind::string) {
      const std::string_view both = entry.string();
      const size_t blank = both.find(' ');
      if (blank == std::string_view::npos || both.find(' ', blank + 1) != std::string_view::npos)
        return "a merge is two tokens with one space between them";
      left = both.substr(0, blank);
      right = both.substr(blank + 1);
    } else {
      if (entry.kind != json::Kind::array || entry.size != 2 || entry.items[0].kind != json::Kind::string ||
          entry.items[1].kind != json::Kind::string)
        return "a merge is a string or an array of two strings";
      left = entry.items[0].string();
      right = entry.items[1].string();
    }
    return left.empty() || right.empty() ? "a merge needs two tokens that are not empty" : nullptr;
  };
  read_merges(model, merges.array_size(), split, [&](uint32_t rank, const std::string& message) { merges[rank].fail(message); });
  model.last_merge_counts = true;  // as in Hugging Face's reader
}

// "<0x0A>" and the like, which stand for bytes of characters that no token covers.
void find_fallback_tokens(Model& model, bool fallback) {
  std::fill(std::begin(model.byte_token), std::end(model.byte_token), kNoId);
  if (!fallback) return;
  char name[8];
  for (uint32_t byte = 0; byte < 256; ++byte) {
    std::snprintf(name, sizeof name, "<0x%02X>", byte);
    const uint32_t id = model.by_content.find(model.tokens, name);
    if (id == kNoId || !model.model_token[id]) continue;
    model.byte_token[byte] = id;
    model.flags[id] |= XC_TOKEN_BYTE;
  }
}

// Before anything else: a file of another kind should be named as such, not by a detail.
void check_type(const Cursor& root) {
  const Cursor type = root.at("model").get("type");  // absent in older files
  if (!type.is_null() && type.string() != "BPE") type.unsupported("model type '" + std::string(type.string()) + "'; only BPE");
}

void read_model(const Cursor& root, Model& model) {
  const Cursor m = root.at("model");
  const Cursor dropout = m.get("dropout");
  if (!dropout.is_null() && !(dropout.value().kind == json::Kind::number && dropout.value().number == 0)) {
    dropout.unsupported("BPE dropout");
  }
  const auto affix = [&](const char* name) {
    const Cursor a = m.get(name);
    if (!a.is_null() && a.string().size() > kMaxTokenBytes) a.fail("an affix may have up to 1024 bytes");
    return a.is_null() ? std::string() : std::string(a.string());
  };
  model.affixes = {affix("continuing_subword_prefix"), affix("end_of_word_suffix"), m.flag("byte_fallback", false)};
  model.ignore_merges = m.flag("ignore_merges", false);
  model.fuse_unknown = m.flag("fuse_unk", false);
  read_vocabulary(root, model);
  const Cursor unknown = m.get("unk_token");
  if (!unknown.is_null()) {
    model.unknown = model.by_content.find(model.tokens, unknown.string());
    if (model.unknown == kNoId) unknown.fail("'" + std::string(unknown.string()) + "' is not in the vocabulary");
  }
  read_merges(m.at("merges"), model);
  if (model.kind == Kind::byte_level) {
    find_byte_tokens(model);
  } else {
    find_fallback_tokens(model, m.flag("byte_fallback", false));
  }
}

uint32_t first_special(const Model& model, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const uint32_t id = model.by_content.find(model.tokens, name);
    if (id != kNoId && (model.flags[id] & XC_TOKEN_SPECIAL)) return id;
  }
  return kNoId;
}

// What each token decodes to, where the decoders treat every token by itself.
void set_decoder(Model& model) {
  const std::vector<DecoderStep>& steps = model.pipeline.decoder;
  model.decoder = shape_of(steps);
  if (model.kind == Kind::byte_level) {
    // A byte-level file without a decoder decodes as one with it.
    if (steps.empty()) model.decoder.kind = DecoderShape::bytes;
    if (model.decoder.kind != DecoderShape::fallback) return;
    model.decoder.kind = DecoderShape::general;
  } else if (model.decoder.kind == DecoderShape::bytes) {
    model.decoder.kind = DecoderShape::general;
  }
  if (model.decoder.kind != DecoderShape::fallback) return;
  model.bytes = StringTable();
  model.bytes.resize(model.tokens.size());
  std::string text;
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (!model.flags[id]) continue;
    text.clear();
    run_decoders({steps[0]}, {std::string(model.tokens[id])}, text);
    const int byte = byte_of_fallback(text);
    if (byte >= 0) {
      text.assign(1, static_cast<char>(byte));
      model.flags[id] |= XC_TOKEN_BYTE;
    }
    model.bytes.set(id, text);
  }
}

}  // namespace

Model read_json(std::string_view text) {
  const json::Document document(text);
  const Cursor root(document.root(), "");
  root.object_size();
  check_type(root);
  Model model;
  model.pipeline.described = true;
  read_normalizer(root.get("normalizer"), model.pipeline);
  read_pre_tokenizer(root.get("pre_tokenizer"), model.pipeline);
  read_decoder(root.get("decoder"), model.pipeline);
  model.kind = is_byte_level(model.pipeline) ? Kind::byte_level : Kind::sentencepiece;
  read_model(root, model);
  read_post_processor(root.get("post_processor"), model);
  read_lengths(root, model);
  find_shortcuts(model);
  set_decoder(model);
  // The format names no BOS or EOS; the template and the usual names say it.
  model.bos = model.prefix.empty() ? first_special(model, {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>"}) : model.prefix[0];
  model.eos = first_special(model, {"<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "<|endoftext|>"});
  mark_end_of_generation(model);
  return model;
}

}  // namespace xcore::tokenizer
