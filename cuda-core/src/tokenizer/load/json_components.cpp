#include "tokenizer/load/json_components.hpp"

#include <algorithm>

#include "runtime/error.hpp"

namespace xcore::tokenizer {
namespace {

using json::Cursor;

constexpr size_t kMaxComponents = 64;

void room(const Cursor& c, size_t count) {
  if (count >= kMaxComponents) c.fail("more than 64 components in a row");
}

std::shared_ptr<const regex::Regex> compile(const Cursor& pattern) {
  try {
    return std::make_shared<const regex::Regex>(pattern.string(), regex::Dialect::oniguruma);
  } catch (const Error& e) {
    throw Error(e.status, pattern.path() + ": " + e.what(), pattern.path(), static_cast<int64_t>(pattern.value().offset));
  }
}

// { "String": "..." } or { "Regex": "..." }
Needle read_needle(const Cursor& pattern) {
  Needle out;
  const Cursor text = pattern.get("String");
  if (!text.is_null()) {
    out.text = text.string();
    if (out.text.empty()) text.fail("a pattern must not be empty");
  } else {
    out.regex = compile(pattern.at("Regex"));
  }
  return out;
}

std::string string_or(const Cursor& object, std::string_view key, std::string_view fallback) {
  const Cursor c = object.get(key);
  return std::string(c.is_null() ? fallback : c.string());
}

Behavior read_behavior(const Cursor& c) {
  const std::string_view name = c.string();
  if (name == "Removed") return Behavior::removed;
  if (name == "Isolated") return Behavior::isolated;
  if (name == "MergedWithPrevious") return Behavior::merged_with_previous;
  if (name == "MergedWithNext") return Behavior::merged_with_next;
  if (name == "Contiguous") return Behavior::contiguous;
  c.fail("'" + std::string(name.substr(0, 60)) + "' is no behaviour of a split");
}

PreTokenizer::Prepend read_scheme(const Cursor& metaspace) {
  const Cursor scheme = metaspace.get("prepend_scheme");
  if (scheme.is_null()) return metaspace.flag("add_prefix_space", true) ? PreTokenizer::always : PreTokenizer::never;
  const std::string_view name = scheme.string();
  if (name == "always") return PreTokenizer::always;
  if (name == "first") return PreTokenizer::first;
  if (name == "never") return PreTokenizer::never;
  scheme.fail("'" + std::string(name.substr(0, 60)) + "'; always, first or never");
}

PreTokenizer read_split(const Cursor& p) {
  PreTokenizer out;
  out.kind = PreTokenizer::split;
  const Cursor pattern = p.at("pattern");
  const Cursor regex = pattern.get("Regex");
  out.behavior = read_behavior(p.at("behavior"));
  out.invert = p.flag("invert", false);
  if (!regex.is_null()) {
    const Pattern known = recognise(regex.string());
    // digit and digits leave text between their matches; and to Oniguruma \p{N}{1,3}+ is a repeated repetition.
    if (known != Pattern::digit && known != Pattern::digits && known != Pattern::cl100k_end) out.pattern = known;
  }
  if (out.pattern == Pattern::none) out.needle = read_needle(pattern);
  return out;
}

constexpr uint32_t kMaxId = 0x7fffffff;

uint32_t known_id(const Cursor& c, const Model& model) {
  const uint32_t id = c.integer(kMaxId);
  if (id >= model.flags.size() || model.flags[id] == 0) c.fail("there is no token " + std::to_string(id));
  return id;
}

std::vector<TemplatePart> read_template(const Cursor& list, const Cursor& special_tokens, const Model& model) {
  std::vector<TemplatePart> out;
  for (uint32_t i = 0; i < list.array_size(); ++i) {
    const Cursor item = list[i];
    room(item, out.size());
    const Cursor sequence = item.get("Sequence");
    const Cursor piece = sequence.is_null() ? item.at("SpecialToken") : sequence;
    TemplatePart part{};
    const Cursor type = piece.get("type_id");
    part.type_id = type.is_null() ? 0 : type.integer(kMaxId);
    const std::string_view id = piece.at("id").string();
    if (!sequence.is_null()) {
      if (id != "A" && id != "B") piece.at("id").fail("a sequence is A or B");
      part.kind = id == "A" ? TemplatePart::first : TemplatePart::second;
    } else {
      part.kind = TemplatePart::special;
      const Cursor ids = special_tokens.at(id).at("ids");
      if (ids.array_size() > 64) ids.fail("more than 64 tokens for one name");
      for (uint32_t k = 0; k < ids.array_size(); ++k) part.ids.push_back(known_id(ids[k], model));
    }
    out.push_back(std::move(part));
  }
  return out;
}

void set_templates(const Cursor& p, Model& model, std::vector<TemplatePart> single, std::vector<TemplatePart> pair) {
  if (!model.pipeline.single.empty()) p.unsupported("a second template");
  const auto texts = [](const std::vector<TemplatePart>& t, TemplatePart::Kind kind) {
    return std::count_if(t.begin(), t.end(), [&](const TemplatePart& part) { return part.kind == kind; });
  };
  if (texts(single, TemplatePart::second) > 0) p.fail("a template for one text names a second");
  if (texts(single, TemplatePart::first) != 1) p.unsupported("a template with the text other than once");
  if (!pair.empty() && (texts(pair, TemplatePart::first) != 1 || texts(pair, TemplatePart::second) != 1)) {
    p.unsupported("a template for two texts with one of them other than once");
  }
  bool seen = false;
  for (const TemplatePart& part : single) {
    seen = seen || part.kind == TemplatePart::first;
    auto& side = seen ? model.suffix : model.prefix;
    side.insert(side.end(), part.ids.begin(), part.ids.end());
  }
  model.pipeline.single = std::move(single);
  model.pipeline.pair = std::move(pair);
}

void read_bert(const Cursor& p, Model& model, bool roberta) {
  const Cursor cls = p.at("cls");
  const Cursor sep = p.at("sep");
  if (cls.array_size() != 2 || sep.array_size() != 2) p.fail("cls and sep are pairs of a token and its id");
  const auto special = [](uint32_t id, uint32_t type) { return TemplatePart{TemplatePart::special, {id}, type}; };
  const uint32_t first = known_id(cls[1], model), last = known_id(sep[1], model);
  const uint32_t second_type = roberta ? 0 : 1;
  const TemplatePart a{TemplatePart::first, {}, 0}, b{TemplatePart::second, {}, second_type};
  std::vector<TemplatePart> pair = {special(first, 0), a, special(last, 0)};
  if (roberta) pair.push_back(special(last, 0));
  pair.push_back(b);
  pair.push_back(special(last, second_type));
  set_templates(p, model, {special(first, 0), a, special(last, 0)}, std::move(pair));
  if (roberta && p.flag("trim_offsets", true)) {
    model.pipeline.trim_offsets = true;
    model.pipeline.trim_prefix_space = p.flag("add_prefix_space", true);
  }
}

}  // namespace

void read_normalizer(const Cursor& n, Pipeline& pipeline) {
  if (n.is_null()) return;
  const std::string_view type = n.at("type").string();
  if (type == "Sequence") {
    const Cursor list = n.at("normalizers");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_normalizer(list[i], pipeline);
    return;
  }
  room(n, pipeline.normalizers.size());
  Normalizer out;
  if (type == "NFC") {
    out.normal_form = NormalForm::nfc;
  } else if (type == "NFD") {
    out.normal_form = NormalForm::nfd;
  } else if (type == "NFKC") {
    out.normal_form = NormalForm::nfkc;
  } else if (type == "NFKD") {
    out.normal_form = NormalForm::nfkd;
  } else if (type == "Lowercase") {
    out.kind = Normalizer::lowercase;
  } else if (type == "StripAccents") {
    out.kind = Normalizer::strip_accents;
  } else if (type == "Strip") {
    out.kind = Normalizer::strip;
    out.left = n.flag("strip_left", true);
    out.right = n.flag("strip_right", true);
  } else if (type == "Replace") {
    out.kind = Normalizer::replace;
    out.needle = read_needle(n.at("pattern"));
    out.content = n.at("content").string();
  } else if (type == "Prepend") {
    out.kind = Normalizer::prepend;
    out.content = n.at("prepend").string();
    if (out.content.empty()) return;
  } else if (type == "ByteLevel") {
    out.kind = Normalizer::byte_level;
  } else if (type == "Nmt") {
    out.kind = Normalizer::nmt;
  } else if (type == "BertNormalizer") {
    out.kind = Normalizer::bert;
    out.clean = n.flag("clean_text", true);
    out.chinese = n.flag("handle_chinese_chars", true);
    out.lower = n.flag("lowercase", true);
    out.accents = n.flag("strip_accents", out.lower);
  } else {
    n.unsupported("normalizer '" + std::string(type.substr(0, 60)) + "'");
  }
  pipeline.normalizers.push_back(std::move(out));
}

void read_pre_tokenizer(const Cursor& p, Pipeline& pipeline) {
  if (p.is_null()) return;
  const std::string_view type = p.at("type").string();
  if (type == "Sequence") {
    const Cursor list = p.at("pretokenizers");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_pre_tokenizer(list[i], pipeline);
    return;
  }
  room(p, pipeline.steps.size());
  if (!pipeline.steps.empty() && pipeline.steps.back().kind == PreTokenizer::byte_level) pipeline.map_bytes = true;
  PreTokenizer out;
  if (type == "ByteLevel") {
    if (is_byte_level(pipeline)) p.unsupported("ByteLevel twice");
    out.prefix_space = p.flag("add_prefix_space", true);
    out.use_regex = p.flag("use_regex", true);
  } else if (type == "Split") {
    out = read_split(p);
  } else if (type == "Metaspace") {
    out.kind = PreTokenizer::metaspace;
    out.replacement = string_or(p, "replacement", "\xe2\x96\x81");
    if (out.replacement.empty()) p.get("replacement").fail("the replacement must not be empty");
    out.prepend = read_scheme(p);
    out.cuts = p.flag("split", true);
  } else if (type == "Digits") {
    out.kind = PreTokenizer::digits;
    out.individual = p.flag("individual_digits", false);
  } else if (type == "Punctuation") {
    out.kind = PreTokenizer::punctuation;
    const Cursor behavior = p.get("behavior");
    out.behavior = behavior.is_null() ? Behavior::isolated : read_behavior(behavior);
  } else if (type == "Whitespace") {
    out.kind = PreTokenizer::whitespace;
  } else if (type == "WhitespaceSplit") {
    out.kind = PreTokenizer::whitespace_split;
  } else if (type == "BertPreTokenizer") {
    out.kind = PreTokenizer::bert;
  } else if (type == "CharDelimiterSplit") {
    out.kind = PreTokenizer::delimiter;
    out.needle.text = p.at("delimiter").string();
    if (out.needle.text.empty()) p.fail("the delimiter must not be empty");
  } else {
    p.unsupported("pre-tokenizer '" + std::string(type.substr(0, 60)) + "'");
  }
  pipeline.steps.push_back(std::move(out));
}

void read_decoder(const Cursor& d, Pipeline& pipeline) {
  if (d.is_null()) return;
  const std::string_view type = d.at("type").string();
  if (type == "Sequence") {
    const Cursor list = d.at("decoders");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_decoder(list[i], pipeline);
    return;
  }
  room(d, pipeline.decoder.size());
  DecoderStep out;
  if (type == "ByteLevel") {
  } else if (type == "Replace") {
    out.kind = DecoderStep::replace;
    out.needle = read_needle(d.at("pattern"));
    out.content = d.at("content").string();
  } else if (type == "ByteFallback") {
    out.kind = DecoderStep::byte_fallback;
  } else if (type == "Fuse") {
    out.kind = DecoderStep::fuse;
  } else if (type == "Strip") {
    out.kind = DecoderStep::strip;
    out.content = d.at("content").string();
    out.start = d.at("start").integer(kMaxId);
    out.stop = d.at("stop").integer(kMaxId);
  } else if (type == "Metaspace") {
    out.kind = DecoderStep::metaspace;
    out.content = string_or(d, "replacement", "\xe2\x96\x81");
    if (out.content.empty()) d.get("replacement").fail("the replacement must not be empty");
    out.drop_first = read_scheme(d) != PreTokenizer::never;
  } else if (type == "BPEDecoder") {
    out.kind = DecoderStep::word_suffix;
    out.content = string_or(d, "suffix", "</w>");
  } else if (type == "WordPiece") {
    out.kind = DecoderStep::word_piece;
    out.content = string_or(d, "prefix", "##");
    out.cleanup = d.flag("cleanup", true);
  } else {
    d.unsupported("decoder '" + std::string(type.substr(0, 60)) + "'");
  }
  pipeline.decoder.push_back(std::move(out));
}

void read_post_processor(const Cursor& p, Model& model) {
  if (p.is_null()) return;
  const std::string_view type = p.at("type").string();
  if (type == "Sequence") {
    const Cursor list = p.at("processors");
    for (uint32_t i = 0; i < list.array_size(); ++i) read_post_processor(list[i], model);
  } else if (type == "TemplateProcessing") {
    const Cursor tokens = p.at("special_tokens");
    const Cursor pair = p.get("pair");
    set_templates(p, model, read_template(p.at("single"), tokens, model),
                  pair.is_null() ? std::vector<TemplatePart>() : read_template(pair, tokens, model));
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    read_bert(p, model, type == "RobertaProcessing");
  } else if (type == "ByteLevel") {
    if (p.flag("trim_offsets", true)) {
      model.pipeline.trim_offsets = true;
      model.pipeline.trim_prefix_space = p.flag("add_prefix_space", true);
    }
  } else {
    p.unsupported("post-processor '" + std::string(type.substr(0, 60)) + "'");
  }
}

namespace {

std::string side_of(const Cursor& object) {
  const Cursor c = object.get("direction");
  if (c.is_null() || c.string() == "Right") return R"("side":"right")";
  if (c.string() == "Left") return R"("side":"left")";
  c.fail("'" + std::string(c.string().substr(0, 60)) + "'; Left or Right");
}

std::string number_of(const Cursor& object, const char* key, const char* name, bool optional) {
  const Cursor c = object.get(key);
  if (c.is_null() && optional) return {};
  return ",\"" + std::string(name) + "\":" + std::to_string(c.is_null() ? 0 : c.integer(kMaxId));
}

}  // namespace

void read_lengths(const Cursor& root, Model& model) {
  const Cursor truncation = root.get("truncation");
  if (!truncation.is_null()) {
    const std::string_view name = truncation.at("strategy").string();
    const char* const strategy = name == "LongestFirst" ? "longest_first" : name == "OnlyFirst" ? "only_first" : name == "OnlySecond" ? "only_second" : nullptr;
    if (!strategy) truncation.at("strategy").fail("'" + std::string(name.substr(0, 60)) + "' is no way to truncate");
    truncation.at("max_length");
    model.properties.emplace_back("truncation", "{" + side_of(truncation) + number_of(truncation, "max_length", "maxLength", false) +
                                                    number_of(truncation, "stride", "stride", false) + ",\"strategy\":\"" + strategy + "\"}");
  }
  const Cursor padding = root.get("padding");
  if (padding.is_null()) return;
  std::string out = "{" + side_of(padding) + number_of(padding, "pad_id", "padId", false) +
                    number_of(padding, "pad_type_id", "padTypeId", false) + number_of(padding, "pad_to_multiple_of", "multipleOf", true);
  const Cursor strategy = padding.at("strategy");
  if (strategy.value().kind == json::Kind::object) {
    strategy.at("Fixed");
    out += number_of(strategy, "Fixed", "length", false);
  } else if (strategy.string() != "BatchLongest") {
    strategy.fail("'" + std::string(strategy.string().substr(0, 60)) + "'; BatchLongest or Fixed");
  }
  model.properties.emplace_back("padding", out + "}");
}

bool is_byte_level(const Pipeline& pipeline) {
  return std::any_of(pipeline.steps.begin(), pipeline.steps.end(), [](const PreTokenizer& s) { return s.kind == PreTokenizer::byte_level; }) ||
         std::any_of(pipeline.normalizers.begin(), pipeline.normalizers.end(),
                     [](const Normalizer& n) { return n.kind == Normalizer::byte_level; });
}

namespace {

// Every piece of text is a match of these, so what becomes of the rest does not matter.
bool is_plain_split(const PreTokenizer& s) {
  return s.kind == PreTokenizer::split && s.pattern != Pattern::none &&
         ((s.behavior == Behavior::isolated && !s.invert) || (s.behavior == Behavior::removed && s.invert));
}

// Three splits that are one pattern together.
Pattern three_splits(const std::vector<PreTokenizer>& steps, size_t first) {
  std::string_view expressions[3];
  for (size_t i = 0; i < 3; ++i) {
    if (first + i >= steps.size()) return Pattern::none;
    const PreTokenizer& s = steps[first + i];
    if (s.kind != PreTokenizer::split || s.behavior != Behavior::isolated || s.invert || !s.needle.regex) return Pattern::none;
    expressions[i] = s.needle.regex->pattern();
  }
  return recognise(expressions[0], expressions[1], expressions[2]);
}

bool byte_level_shortcut(Model& model) {
  const Pipeline& p = model.pipeline;
  for (const Normalizer& n : p.normalizers) {
    if (n.kind != Normalizer::form || n.normal_form != NormalForm::nfc) return false;
    model.nfc = true;
  }
  if (p.steps.empty() || p.steps.back().kind != PreTokenizer::byte_level) return false;
  for (size_t i = 0; i < p.steps.size(); ++i) {
    const PreTokenizer& s = p.steps[i];
    if (const Pattern together = three_splits(p.steps, i); together != Pattern::none) {
      model.steps.push_back({together, false});
      i += 2;
    } else if (s.kind == PreTokenizer::digits) {
      model.steps.push_back({s.individual ? Pattern::digit : Pattern::digits, false});
    } else if (is_plain_split(s)) {
      model.steps.push_back({s.pattern, false});
    } else if (s.kind == PreTokenizer::byte_level) {
      if (s.prefix_space || s.use_regex) model.steps.push_back({s.use_regex ? Pattern::gpt2 : Pattern::none, s.prefix_space});
    } else {
      return false;
    }
  }
  return true;
}

constexpr std::string_view kBlank = "\xe2\x96\x81";

bool replaces_blanks(const Normalizer& n) {
  return n.kind == Normalizer::replace && !n.needle.regex && n.needle.text == " " && n.content == kBlank;
}

bool characters_shortcut(Model& model) {
  const Pipeline& p = model.pipeline;
  // Tokens of normalised text are looked for in the text itself.
  if (std::any_of(model.added.begin(), model.added.end(), [](const AddedToken& t) { return t.normalized; })) return false;
  if (p.normalizers.size() == 2 && p.normalizers[0].kind == Normalizer::prepend && p.normalizers[0].content == kBlank &&
      replaces_blanks(p.normalizers[1]) && p.steps.empty()) {
    model.space_prefix = true;
    return true;
  }
  if (p.normalizers.size() == 1 && replaces_blanks(p.normalizers[0])) {
    // No blank is left that a split by blanks could find.
    return p.steps.empty() || (p.steps.size() == 1 && p.steps[0].kind == PreTokenizer::split && !p.steps[0].needle.regex &&
                               p.steps[0].needle.text == " " && !p.steps[0].invert);
  }
  if (!p.normalizers.empty() || p.steps.size() != 1) return false;
  const PreTokenizer& s = p.steps[0];
  if (s.kind != PreTokenizer::metaspace || s.replacement != kBlank || s.cuts) return false;
  model.space_prefix = s.prepend != PreTokenizer::never;
  model.prefix_first_only = s.prepend == PreTokenizer::first;
  model.prefix_unless_blank = true;
  return true;
}

}  // namespace

void find_shortcuts(Model& model) {
  Model& m = model;
  m.pipeline.simple = !m.affixes.any() && (m.kind == Kind::byte_level ? byte_level_shortcut(m) : characters_shortcut(m));
  if (m.pipeline.simple) return;
  m.steps.clear();
  m.nfc = false;
  m.space_prefix = false;
}

}  // namespace xcore::tokenizer
