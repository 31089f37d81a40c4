// What an image holds of a model; see image.hpp.
#pragma once

#include "tokenizer/image/reader.hpp"
#include "tokenizer/image/writer.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

template <class Archive>
void fields(Archive& a, std::conditional_t<Archive::kReads, Needle, const Needle>& n) {
  a.text(n.text);
  bool compiled = n.regex != nullptr;
  std::string pattern = compiled ? n.regex->pattern() : std::string();
  regex::Dialect dialect = compiled ? n.regex->dialect() : regex::Dialect::oniguruma;
  a.flag(compiled);
  a.text(pattern);
  a.choice(dialect, 2);
  if constexpr (Archive::kReads) {
    if (compiled) n.regex = std::make_shared<const regex::Regex>(pattern, dialect);
    a.require(compiled || !n.text.empty() || pattern.empty(), "an expression that is not there has a pattern");
  }
}

template <class Self, class Archive>
void pipeline_fields(Self& p, Archive& a) {
  a.list(p.normalizers, [&](auto& n) {
    a.choice(n.kind, Normalizer::bert + 1);
    a.choice(n.normal_form, 4);
    for (auto* flag : {&n.left, &n.right, &n.clean, &n.chinese, &n.accents, &n.lower}) a.flag(*flag);
    fields(a, n.needle);
    a.text(n.content);
  });
  a.list(p.steps, [&](auto& s) {
    a.choice(s.kind, PreTokenizer::delimiter + 1);
    fields(a, s.needle);
    a.choice(s.pattern, kPatterns);
    a.choice(s.behavior, static_cast<size_t>(Behavior::contiguous) + 1);
    for (auto* flag : {&s.invert, &s.prefix_space, &s.use_regex, &s.individual, &s.cuts}) a.flag(*flag);
    a.choice(s.prepend, PreTokenizer::always + 1);
    a.text(s.replacement);
    const bool needs_needle = s.kind == PreTokenizer::delimiter || (s.kind == PreTokenizer::split && s.pattern == Pattern::none);
    if constexpr (Archive::kReads) {
      a.require(!needs_needle || s.needle.regex || !s.needle.text.empty(), "a split looks for nothing");
      a.require(s.kind != PreTokenizer::metaspace || !s.replacement.empty(), "a replacement is empty");
    }
  });
  a.list(p.decoder, [&](auto& d) {
    a.choice(d.kind, DecoderStep::word_piece + 1);
    fields(a, d.needle);
    a.text(d.content);
    a.number(d.start);
    a.number(d.stop);
    a.flag(d.drop_first);
    a.flag(d.cleanup);
    if constexpr (Archive::kReads) {
      a.require(d.kind != DecoderStep::replace || d.needle.regex || !d.needle.text.empty(), "a decoder looks for nothing");
      a.require(d.kind != DecoderStep::metaspace || !d.content.empty(), "a decoder replaces nothing");
    }
  });
  for (auto* list : {&p.single, &p.pair}) {
    a.list(*list, [&](auto& part) {
      a.choice(part.kind, TemplatePart::second + 1);
      a.list(part.ids, [&](auto& id) { a.number(id); });
      a.number(part.type_id);
    });
  }
  for (auto* flag : {&p.trim_offsets, &p.trim_prefix_space, &p.map_bytes, &p.described, &p.simple}) a.flag(*flag);
}

// Texts by name.
template <class Self, class Archive>
void property_fields(Self& properties, Archive& a) {
  a.list(properties, [&](auto& p) {
    a.text(p.first);
    a.text(p.second);
  });
}

// `packed`: merging does not need the model's own table of pairs, which is left out.
template <class Self, class Archive>
void model_fields(Self& m, Archive& a, bool& packed) {
  a.choice(m.kind, 2);
  StringTable::fields(m.tokens, a, "tokens");
  StringTable::fields(m.bytes, a, "bytes");
  a.block("flags", m.flags);
  a.block("mergeable", m.model_token);
  const size_t ids = m.tokens.size();
  a.flag(packed);
  if (!packed) PairTable::fields(m.pairs, a, ids);
  a.list(m.added, [&](auto& t) {
    a.number(t.id);
    a.text(t.content);
    for (auto* flag : {&t.special, &t.lstrip, &t.rstrip, &t.single_word, &t.normalized}) a.flag(*flag);
    if constexpr (Archive::kReads)
      a.require(t.id < ids && !t.content.empty() && t.content.size() <= kMaxTokenBytes, "an added token is empty, too long, or has no id");
  });
  a.list(m.steps, [&](auto& s) {
    a.choice(s.pattern, kPatterns);
    a.flag(s.prefix_space);
  });
  for (auto* list : {&m.prefix, &m.suffix}) a.list(*list, [&](auto& id) { a.number(id); });
  for (auto* flag : {&m.nfc, &m.ignore_merges, &m.fuse_unknown, &m.space_prefix, &m.prefix_first_only, &m.prefix_unless_blank}) a.flag(*flag);
  a.choice(m.decoder.kind, DecoderShape::general + 1);
  a.number(m.decoder.strip);
  for (auto* id : {&m.unknown, &m.bos, &m.eos}) a.number(*id);
  a.text(m.affixes.prefix);
  a.text(m.affixes.suffix);
  a.flag(m.affixes.byte_fallback);
  for (auto& id : m.byte_token) a.number(id);
  pipeline_fields(m.pipeline, a);
  if constexpr (Archive::kReads) {
    a.require(m.bytes.size() == ids && m.flags.size() == ids && m.model_token.size() == ids && ids < (size_t{1} << 31),
              "the tables of tokens have different lengths");
    const auto known = [&](uint32_t id) { return id < ids && m.flags[id] != 0; };
    bool there = true;
    for (const auto* list : {&m.prefix, &m.suffix})
      for (const uint32_t id : *list) there = there && known(id);
    for (const auto* list : {&m.pipeline.single, &m.pipeline.pair})
      for (const TemplatePart& part : *list)
        for (const uint32_t id : part.ids) there = there && known(id);
    for (const uint32_t id : {m.unknown, m.bos, m.eos}) there = there && (id == kNoId || id < ids);
    for (const uint32_t id : m.byte_token) there = there && (id == kNoId || id < ids);
    a.require(there, "a token that is named is not there");
    a.require(!m.affixes.any() || !m.pipeline.simple, "affixes need the whole pipeline");
  }
}

}  // namespace xcore::tokenizer
