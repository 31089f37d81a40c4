// Hugging Face tokenizer.json, byte-level BPE.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "runtime/error.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/json/json.hpp"
#include "tokenizer/load/load.hpp"

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
    bool from_vocab;
  };
  std::vector<Item> items;
  items.reserve(own + extra);
  uint32_t largest = 0;
  for (uint32_t i = 0; i < own; ++i) {
    const json::Member& m = vocab.member(i);
    const double id = m.value.number;
    if (m.value.kind != json::Kind::number || !(id >= 0 && id <= kMaxId) || id != std::floor(id)) {
      Cursor(m.value, vocab.path() + "['" + std::string(m.key.substr(0, 60)) + "']").integer(kMaxId);  // says what is wrong
    }
    items.push_back({m.key, static_cast<uint32_t>(id), true});
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
    items.push_back({token.at("content").string(), t.id, false});
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
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const auto where = [&] {
      return item.from_vocab ? vocab : added[static_cast<uint32_t>(i - own)];
    };
    const std::string shown = "'" + std::string(item.content.substr(0, 60)) + "'";
    if (model.flags[item.id] != 0) {
      const bool same = model.tokens[item.id] == item.content;
      if (!item.from_vocab && same && !(model.flags[item.id] & XC_TOKEN_ADDED)) {
        model.flags[item.id] |= XC_TOKEN_ADDED;
        continue;
      }
      where().fail(shown + (same ? " occurs twice" : " has id " + std::to_string(item.id) + ", which '" +
                                                         std::string(model.tokens[item.id].substr(0, 60)) + "' has already"));
    }
    model.tokens.set(item.id, item.content);
    std::string bytes;
    const bool mapped = bytes_from_characters(item.content, bytes);
    model.bytes.set(item.id, mapped ? std::string_view(bytes) : item.content);
    model.model_token[item.id] = item.from_vocab && mapped && !bytes.empty();
    model.flags[item.id] = static_cast<uint8_t>(XC_TOKEN_PRESENT | (item.from_vocab ? 0 : XC_TOKEN_ADDED));
    const uint32_t other = model.by_content.insert(model.tokens, item.id);
    if (other != kNoId) {
      where().fail(shown + " has the ids " + std::to_string(other) + " and " + std::to_string(item.id));
    }
  }
  for (const AddedToken& t : model.added) {
    if (t.special) model.flags[t.id] |= XC_TOKEN_SPECIAL;
  }
}

void read_merges(const Cursor& merges, Model& model) {
  const uint32_t count = merges.array_size();
  model.pairs.reserve(count);
  std::string message;
  // From the last to the first: of a pair named twice the later one counts, as in Hugging Face's reader.
  for (uint32_t rank = count; rank-- > 0;) {
    const json::Value& entry = merges.value().items[rank];
    std::string_view left, right;
    if (entry.kind == json::Kind::string) {
      const std::string_view both = entry.string();
      const size_t blank = both.find(' ');
      if (blank == std::string_view::npos || both.find(' ', blank + 1) != std::string_view::npos) {
        merges[rank].fail("a merge is two tokens with one space between them");
      }
      left = both.substr(0, blank);
      right = both.substr(blank + 1);
    } else {
      if (entry.kind != json::Kind::array || entry.size != 2 || entry.items[0].kind != json::Kind::string ||
          entry.items[1].kind != json::Kind::string) {
        merges[rank].fail("a merge is a string or an array of two strings");
      }
      left = entry.items[0].string();
      right = entry.items[1].string();
    }
    if (left.empty() || right.empty()) merges[rank].fail("a merge needs two tokens that are not empty");
    if (!add_merge(model, left, right, rank, message)) merges[rank].fail(message);
  }
}

void read_model(const Cursor& root, Model& model) {
  const Cursor m = root.at("model");
  const Cursor type = m.get("type");  // absent in older files
  if (!type.is_null() && type.string() != "BPE") type.unsupported("model type '" + std::string(type.string()) + "'; only BPE");
  const Cursor dropout = m.get("dropout");
  if (!dropout.is_null() && !(dropout.value().kind == json::Kind::number && dropout.value().number == 0)) {
    dropout.unsupported("BPE dropout");
  }
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Cursor a = m.get(affix);
    if (!a.is_null() && !a.string().empty()) a.unsupported("'" + std::string(a.string()) + "'; only none");
  }
  if (m.flag("byte_fallback", false)) m.get("byte_fallback").unsupported("byte fallback; only byte-level models are read from JSON");
  model.ignore_merges = m.flag("ignore_merges", false);
  model.fuse_unknown = m.flag("fuse_unk", false);
  read_vocabulary(root, model);
  const Cursor unknown = m.get("unk_token");
  if (!unknown.is_null()) {
    model.unknown = model.by_content.find(model.tokens, unknown.string());
    if (model.unknown == kNoId) unknown.fail("'" + std::string(unknown.string()) + "' is not in the vocabulary");
  }
  read_merges(m.at("merges"), model);
  find_byte_tokens(model);
}

void read_normalizer(const Cursor& n, Model& model) {
  if (n.is_null()) return;
  const std::string_view type = n.at("type").string();
  if (type == "NFC") {
    model.nfc = true;
  } else if (type == "Sequence") {
    const Cursor list = n.at("normalizers");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_normalizer(list[i], model);
  } else {
    n.unsupported("normalizer '" + std::string(type) + "'; only NFC");
  }
}

// True once the bytes have been mapped: nothing can be cut after that.
void read_pre_tokenizer(const Cursor& p, Model& model, bool& mapped) {
  const std::string_view type = p.at("type").string();
  if (type == "Sequence") {
    const Cursor list = p.at("pretokenizers");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_pre_tokenizer(list[i], model, mapped);
    return;
  }
  if (mapped) p.unsupported("pre-tokenizer '" + std::string(type) + "' after ByteLevel");
  if (model.steps.size() >= 16) p.unsupported("more than 16 pre-tokenizers in a sequence");
  if (type == "ByteLevel") {
    mapped = true;
    PreTokenizerStep step;
    step.prefix_space = p.flag("add_prefix_space", true);
    if (p.flag("use_regex", true)) step.pattern = Pattern::gpt2;
    if (step.prefix_space || step.pattern != Pattern::none) model.steps.push_back(step);
  } else if (type == "Digits") {
    model.steps.push_back({p.flag("individual_digits", false) ? Pattern::digit : Pattern::digits, false});
  } else if (type == "Split") {
    const Cursor regex = p.at("pattern").get("Regex");
    if (regex.is_null()) p.unsupported("Split by a fixed string; only by a regular expression");
    const Pattern pattern = recognise(regex.string());
    if (pattern == Pattern::none) {
      regex.unsupported("no scanner for the regular expression " + std::string(regex.string().substr(0, 600)));
    }
    const std::string_view behavior = p.at("behavior").string();
    const bool invert = p.flag("invert", false);
    const bool covers = pattern != Pattern::digit && pattern != Pattern::digits;
    if (!(behavior == "Isolated" && !invert) && !(behavior == "Removed" && invert && covers)) {
      p.unsupported("Split behaviour '" + std::string(behavior) + (invert ? "', inverted" : "'"));
    }
    model.steps.push_back({pattern, false});
  } else {
    p.unsupported("pre-tokenizer '" + std::string(type) + "'; only ByteLevel, Digits, Split and Sequence");
  }
}

uint32_t known_id(const Cursor& c, const Model& model) {
  const uint32_t id = c.integer(kMaxId);
  if (id >= model.flags.size() || model.flags[id] == 0) c.fail("there is no token " + std::to_string(id));
  return id;
}

void read_post_processor(const Cursor& p, Model& model) {
  if (p.is_null()) return;
  const std::string_view type = p.at("type").string();
  if (type == "Sequence") {
    const Cursor list = p.at("processors");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_post_processor(list[i], model);
  } else if (type == "TemplateProcessing") {
    const Cursor single = p.at("single");
    std::vector<uint32_t> before, after;
    bool seen = false;
    for (uint32_t i = 0; i < single.array_size(); ++i) {
      const Cursor piece = single[i];
      if (!piece.get("Sequence").is_null()) {
        if (seen) piece.unsupported("a template with the text twice");
        seen = true;
        continue;
      }
      const Cursor name = piece.at("SpecialToken").at("id");
      const Cursor ids = p.at("special_tokens").at(name.string()).at("ids");
      for (uint32_t k = 0; k < ids.array_size(); ++k) (seen ? after : before).push_back(known_id(ids[k], model));
    }
    if (!seen) single.fail("the template does not contain the text");
    model.prefix.insert(model.prefix.begin(), before.begin(), before.end());
    model.suffix.insert(model.suffix.end(), after.begin(), after.end());
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    const Cursor cls = p.at("cls");
    const Cursor sep = p.at("sep");
    if (cls.array_size() != 2 || sep.array_size() != 2) p.fail("cls and sep are pairs of a token and its id");
    model.prefix.insert(model.prefix.begin(), known_id(cls[1], model));
    model.suffix.push_back(known_id(sep[1], model));
  } else if (type != "ByteLevel") {  // ByteLevel concerns offsets only
    p.unsupported("post-processor '" + std::string(type) + "'");
  }
}

uint32_t first_special(const Model& model, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const uint32_t id = model.by_content.find(model.tokens, name);
    if (id != kNoId && (model.flags[id] & XC_TOKEN_SPECIAL)) return id;
  }
  return kNoId;
}

}  // namespace

Model read_json(std::string_view text) {
  const json::Document document(text);
  const Cursor root(document.root(), "");
  root.object_size();
  Model model;
  read_model(root, model);
  read_normalizer(root.get("normalizer"), model);
  const Cursor pre = root.get("pre_tokenizer");
  bool mapped = false;
  if (!pre.is_null()) read_pre_tokenizer(pre, model, mapped);
  if (!mapped) pre.unsupported("only byte-level tokenizers: the pre-tokenizer must end with ByteLevel");
  read_post_processor(root.get("post_processor"), model);
  const Cursor decoder = root.get("decoder");
  if (!decoder.is_null() && decoder.at("type").string() != "ByteLevel") {
    decoder.unsupported("decoder '" + std::string(decoder.at("type").string()) + "'; only ByteLevel");
  }
  // The format names no BOS or EOS; the template and the usual names say it.
  model.bos = model.prefix.empty() ? first_special(model, {"<|begin_of_text|>", "<s>", "<bos>", "<|startoftext|>"}) : model.prefix[0];
  model.eos = first_special(model, {"<|end_of_text|>", "</s>", "<eos>", "<|im_end|>", "<|endoftext|>"});
  mark_end_of_generation(model);
  return model;
}

}  // namespace xcore::tokenizer
