// The vocabulary inside a GGUF file: tokenizer.ggml.model "gpt2" (byte-level BPE) and "llama" (SentencePiece BPE).
// Follows llama.cpp: the text is not normalised, token types say which tokens are special, and the pre-tokenizer is
// named by tokenizer.ggml.pre. A byte-level file without that name is taken as GPT-2.
#include <cmath>

#include "gguf/gguf.hpp"
#include "runtime/error.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/load/merges.hpp"
#include "tokenizer/load/pieces.hpp"

namespace xcore::tokenizer {
namespace {

struct Named {
  const char* pre;
  std::vector<Pattern> steps;
  bool ignore_merges;
  bool add_bos;
  // Instead of scanners: each cuts the pieces of the one before.
  std::vector<const char*> expressions = {};
};
// Ideographs, Hangul and what lies between, as DeepSeek's expressions name them.
constexpr const char* kDeepseekCjk = "[\\x{4e00}-\\x{9fa5}\\x{800}-\\x{4e00}\\x{ac00}-\\x{d7ff}]+";
const std::vector<Named>& pre_tokenizers() {
  static const std::vector<Named> list = {
      {"default", {Pattern::gpt2}, false, false},
      {"gpt-2", {Pattern::gpt2}, false, false},
      {"gpt2", {Pattern::gpt2}, false, false},
      {"mpt", {Pattern::gpt2}, false, false},
      {"olmo", {Pattern::gpt2}, false, false},
      {"phi-2", {Pattern::gpt2}, false, false},
      {"starcoder", {Pattern::digit, Pattern::gpt2}, false, false},
      {"refact", {Pattern::digit, Pattern::gpt2}, false, false},
      {"command-r", {Pattern::digit, Pattern::gpt2}, false, false},
      {"smollm", {Pattern::digit, Pattern::gpt2}, false, false},
      {"llama-bpe", {Pattern::cl100k}, true, true},
      {"llama3", {Pattern::cl100k}, true, true},
      {"llama-v3", {Pattern::cl100k}, true, true},
      {"dbrx", {Pattern::cl100k}, false, false},
      {"smaug-bpe", {Pattern::cl100k}, false, false},
      {"qwen2", {Pattern::qwen2}, false, false},
      {"stablelm2", {Pattern::qwen2}, false, false},
      {"gpt-4o", {Pattern::o200k}, false, false},
      {"llama4", {Pattern::o200k}, false, false},
      {"tekken", {Pattern::tekken}, true, true},
      {"codeshell", {Pattern::digit, Pattern::gpt2}, false, false},
      {"exaone", {Pattern::digit, Pattern::gpt2}, false, false},
      {"falcon", {}, false, false,
       {R"([\p{P}\$\+<=>\^~\|`]+)", R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "[0-9][0-9][0-9]"}},
      {"deepseek-llm", {}, false, false,
       {R"([\r\n])", R"(\s?[\p{LC}&&[^\x{10d0}-\x{10ff}]]+)", R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)", R"(\s+$)",
        kDeepseekCjk, R"(\p{N}+)"}},
      {"deepseek-coder", {}, false, false, {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", kDeepseekCjk, R"(\p{N})"}},
      {"deepseek-v3", {Pattern::deepseek}, false, false},
      {"qwen35", {Pattern::qwen35}, false, false},
  };
  return list;
}

[[noreturn]] void fail(const char* key, const std::string& message, xc_status status = XC_INVALID_FORMAT) {
  throw Error(status, std::string(key) + ": " + message, key);
}

// An array of integers or numbers as doubles; empty when the key is absent.
std::vector<double> numbers(const gguf::File& file, const char* key, size_t expected) {
  const gguf::Entry* entry = file.find(key);
  if (!entry) return {};
  std::vector<double> out;
  if (const auto* u = std::get_if<std::vector<uint64_t>>(&entry->value)) out.assign(u->begin(), u->end());
  else if (const auto* i = std::get_if<std::vector<int64_t>>(&entry->value)) out.assign(i->begin(), i->end());
  else if (const auto* d = std::get_if<std::vector<double>>(&entry->value)) out = *d;
  else fail(key, "expected an array of numbers");
  if (out.size() != expected) {
    fail(key, "has " + std::to_string(out.size()) + " entries for " + std::to_string(expected) + " tokens");
  }
  return out;
}

uint32_t token_id(const gguf::File& file, const char* key, size_t size) {
  if (!file.find(key)) return kNoId;
  const uint64_t id = file.integer(key);
  if (id >= size) fail(key, std::to_string(id) + " is no token; there are " + std::to_string(size));
  return static_cast<uint32_t>(id);
}

void read_merges(const gguf::File& file, Model& model) {
  constexpr const char* key = "tokenizer.ggml.merges";
  const gguf::StringArray* merges = file.strings(key);
  if (!merges) fail(key, "is missing, but a byte-level tokenizer needs it");
  const auto split = [&](uint32_t rank, std::string_view& left, std::string_view& right) -> const char* {
    const std::string_view both = (*merges)[rank];
    const size_t blank = both.find(' ', 1);
    if (blank == std::string_view::npos || blank + 1 == both.size()) return "a merge is two tokens with a space between";
    left = both.substr(0, blank);
    right = both.substr(blank + 1);
    return nullptr;
  };
  read_merges(model, static_cast<uint32_t>(merges->size()), split,
              [&](uint32_t rank, const std::string& message) { fail(key, "entry " + std::to_string(rank) + ": " + message); });
}

void set_steps(const Named& named, Model& model) {
  for (const Pattern p : named.steps) {
    model.steps.push_back({p, false});
    PreTokenizer step;
    if (p == Pattern::digit) {
      step.kind = PreTokenizer::digits;
      step.individual = true;
    } else {
      step.kind = PreTokenizer::split;
      step.pattern = p;
    }
    model.pipeline.steps.push_back(std::move(step));
  }
  for (const char* expression : named.expressions) {
    PreTokenizer step;
    step.kind = PreTokenizer::split;
    step.pattern = recognise(expression);
    // $ is the end of the piece.
    if (step.pattern == Pattern::none) step.needle.regex = std::make_shared<const regex::Regex>(expression, regex::Dialect::fancy);
    model.pipeline.steps.push_back(std::move(step));
    model.pipeline.simple = false;
  }
}

// Chat templates, and the tokens that templates name.
void read_properties(const gguf::File& file, Model& model) {
  constexpr std::string_view chat = "tokenizer.chat_template";
  for (const gguf::Entry& e : file.metadata()) {
    const auto* const text = std::get_if<std::string_view>(&e.value);
    const std::string_view key = e.key;
    if (!text || key.substr(0, chat.size()) != chat) continue;
    if (key.size() > chat.size() && key[chat.size()] != '.') continue;  // chat_templates: a list of names
    model.properties.emplace_back(key.substr(std::string_view("tokenizer.").size()), *text);
  }
  for (const auto& [key, name] : {std::pair<const char*, const char*>{"tokenizer.ggml.bos_token_id", "bos_token"},
                                  {"tokenizer.ggml.eos_token_id", "eos_token"},
                                  {"tokenizer.ggml.unknown_token_id", "unk_token"},
                                  {"tokenizer.ggml.padding_token_id", "pad_token"}}) {
    const uint32_t id = token_id(file, key, model.tokens.size());
    if (id != kNoId) model.properties.emplace_back(name, model.tokens[id]);
  }
}

}  // namespace

Model read_gguf(const gguf::File& file) {
  constexpr const char* tokens_key = "tokenizer.ggml.tokens";
  Model model;
  const std::string_view kind = file.string("tokenizer.ggml.model");
  if (kind != "gpt2" && kind != "llama") {
    fail("tokenizer.ggml.model", "'" + std::string(kind) + "'; only gpt2 and llama", XC_UNSUPPORTED);
  }
  model.kind = kind == "gpt2" ? Kind::byte_level : Kind::sentencepiece;
  const gguf::StringArray* tokens = file.strings(tokens_key);
  if (!tokens || tokens->empty()) fail(tokens_key, "is missing or empty");
  const size_t size = tokens->size();
  if (size > (1u << 28)) fail(tokens_key, "more than 2^28 tokens", XC_LIMIT_EXCEEDED);
  const std::vector<double> types = numbers(file, "tokenizer.ggml.token_type", size);

  begin_pieces(model, size);
  for (uint32_t id = 0; id < size; ++id) {
    const int type = types.empty() ? kNormalPiece : types[id] >= 0 && types[id] <= kBytePiece ? static_cast<int>(types[id]) : -1;
    if (type < 0) fail("tokenizer.ggml.token_type", "entry " + std::to_string(id) + " is no token type");
    add_piece(model, id, (*tokens)[id], type, tokens_key);
  }

  bool add_bos = model.kind == Kind::sentencepiece;
  if (model.kind == Kind::byte_level) {
    const std::string_view pre = file.string("tokenizer.ggml.pre", "default");
    const Named* named = nullptr;
    for (const Named& n : pre_tokenizers()) {
      if (pre == n.pre) named = &n;
    }
    if (!named) fail("tokenizer.ggml.pre", "no pre-tokenizer is known by the name '" + std::string(pre) + "'", XC_UNSUPPORTED);
    set_steps(*named, model);
    model.ignore_merges = named->ignore_merges;
    add_bos = named->add_bos;
    read_merges(file, model);
    find_byte_tokens(model);
  } else {
    const std::vector<double> scores = numbers(file, "tokenizer.ggml.scores", size);
    if (scores.empty()) fail("tokenizer.ggml.scores", "is missing, but a SentencePiece tokenizer merges by score");
    for (const double s : scores) {
      if (!std::isfinite(s)) fail("tokenizer.ggml.scores", "holds a value that is not a number");
      model.scores.push_back(static_cast<float>(s));
    }
    model.space_prefix = file.boolean("tokenizer.ggml.add_space_prefix", true);
    // The space that was put before the text on the way in.
    model.decoder.strip = model.space_prefix;
  }
  model.unknown = token_id(file, "tokenizer.ggml.unknown_token_id", size);
  model.bos = token_id(file, "tokenizer.ggml.bos_token_id", size);
  model.eos = token_id(file, "tokenizer.ggml.eos_token_id", size);
  if (file.boolean("tokenizer.ggml.add_bos_token", add_bos) && model.bos != kNoId) model.prefix.push_back(model.bos);
  if (file.boolean("tokenizer.ggml.add_eos_token", false) && model.eos != kNoId) model.suffix.push_back(model.eos);
  mark_end_of_generation(model);
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    const uint32_t id = token_id(file, key, size);
    if (id != kNoId) model.flags[id] |= XC_TOKEN_END_OF_GENERATION;
  }
  read_properties(file, model);
  return model;
}

}  // namespace xcore::tokenizer
