#include "tokenizer/normalize/aligned_text.hpp"

#include <algorithm>

#include "tokenizer/byte_level.hpp"

namespace xcore::tokenizer {

void AlignedText::assign(std::string_view text, uint32_t offset, bool track) {
  text_.assign(text);
  tracked_ = track;
  origins_.clear();
  if (!track) return;
  origins_.reserve(text.size());
  const uint8_t* const begin = bytes_of(text);
  const uint8_t* const end = begin + text.size();
  for (const uint8_t* p = begin; p < end;) {
    const uint32_t length = decode_utf8(p, end).length;
    const uint32_t at = offset + static_cast<uint32_t>(p - begin);
    origins_.insert(origins_.end(), length, {at, at + length});
    p += length;
  }
}

AlignedText AlignedText::slice(size_t begin, size_t end) const {
  AlignedText out;
  out.text_ = text_.substr(begin, end - begin);
  out.tracked_ = tracked_;
  if (tracked_) out.origins_.assign(origins_.begin() + static_cast<ptrdiff_t>(begin), origins_.begin() + static_cast<ptrdiff_t>(end));
  return out;
}

void AlignedText::transform(const std::vector<Edit>& edits, size_t skipped) {
  const uint8_t* const begin = bytes_of(text_);
  const uint8_t* const end = begin + text_.size();
  const uint8_t* old = begin;
  const auto skip = [&](size_t characters) {
    for (; characters > 0 && old < end; --characters) old += decode_utf8(old, end).length;
  };
  skip(skipped);
  std::string text;
  text.reserve(text_.size());
  std::vector<Range> origins;
  if (tracked_) origins.reserve(text_.size());
  for (const Edit& e : edits) {
    Range from{0, 0};
    if (tracked_ && !origins_.empty()) {
      const auto at = static_cast<size_t>(old - begin);
      if (e.change <= 0) {
        from = origins_[std::min(at, origins_.size() - 1)];
      } else {
        from = at > 0 ? origins_[at - 1] : Range{origins_[0].begin, origins_[0].begin};
      }
    }
    if (e.change <= 0) skip(1 + static_cast<size_t>(-e.change));
    append_character(text, e.character);
    if (tracked_) origins.resize(text.size(), from);
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
}

void AlignedText::filter(const std::function<bool(uint32_t)>& keep) {
  std::vector<Edit> edits;
  int32_t removed = 0;
  size_t skipped = 0;
  const uint8_t* p = bytes_of(text_);
  const uint8_t* const end = p + text_.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    const uint32_t character = character_at(p, c);
    p += c.length;
    if (!keep(character)) {
      ++removed;
      continue;
    }
    if (edits.empty()) {
      skipped = static_cast<size_t>(removed);
    } else {
      edits.back().change = -removed;
    }
    edits.push_back({character, 0});
    removed = 0;
  }
  if (!edits.empty()) edits.back().change = -removed;
  transform(edits, skipped);
}

std::vector<Range> AlignedText::prepend_at(const std::vector<Range>& pieces, std::string_view content,
                                           const std::vector<bool>& wanted) {
  std::string text;
  text.reserve(text_.size() + pieces.size() * content.size());
  std::vector<Range> origins, moved;
  moved.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto [begin, end] = pieces[i];
    const auto start = static_cast<uint32_t>(text.size());
    if (wanted[i] && begin < end) {
      text += content;
      if (tracked_) origins.resize(text.size(), origins_[begin]);
    }
    text.append(text_, begin, end - begin);
    if (tracked_) origins.insert(origins.end(), origins_.begin() + begin, origins_.begin() + end);
    moved.push_back({start, static_cast<uint32_t>(text.size())});
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
  return moved;
}

void AlignedText::replace(const std::vector<Range>& matches, std::string_view content, std::vector<Range>* pieces) {
  if (matches.empty()) return;
  std::string text;
  text.reserve(text_.size());
  std::vector<Range> origins;
  size_t at = 0;
  // Piece borders lie between matches: a border at or before old position `until` moves with what precedes it.
  std::vector<Range> moved;
  if (pieces) moved = *pieces;
  size_t begins = 0, ends = 0;
  const auto keep = [&](size_t until) {
    if (pieces) {
      const auto shifted = [&](uint32_t border) { return static_cast<uint32_t>(text.size() + (border - at)); };
      for (; ends < moved.size() && (*pieces)[ends].end <= until; ++ends) moved[ends].end = shifted((*pieces)[ends].end);
      for (; begins < moved.size() && (*pieces)[begins].begin <= until; ++begins) moved[begins].begin = shifted((*pieces)[begins].begin);
    }
    text.append(text_, at, until - at);
    if (tracked_) origins.insert(origins.end(), origins_.begin() + static_cast<ptrdiff_t>(at), origins_.begin() + static_cast<ptrdiff_t>(until));
    at = until;
  };
  for (const Range& m : matches) {
    keep(m.begin);
    text += content;
    if (tracked_) origins.resize(text.size(), m.end > 0 ? origins_[m.end - 1] : Range{0, 0});
    at = m.end;
  }
  keep(text_.size());
  if (pieces) *pieces = std::move(moved);
  text_ = std::move(text);
  origins_ = std::move(origins);
}

void AlignedText::map_bytes(std::vector<Range>* pieces) {
  std::string text;
  text.reserve(text_.size() * 2);
  std::vector<Range> origins;
  std::vector<uint32_t> where(text_.size() + 1);
  for (size_t i = 0; i < text_.size(); ++i) {
    where[i] = static_cast<uint32_t>(text.size());
    append_utf8(text, character_of_byte(static_cast<uint8_t>(text_[i])));
    if (tracked_) origins.resize(text.size(), origins_[i]);
  }
  where[text_.size()] = static_cast<uint32_t>(text.size());
  if (pieces) {
    for (Range& p : *pieces) p = {where[p.begin], where[p.end]};
  }
  text_ = std::move(text);
  origins_ = std::move(origins);
}

void AlignedText::unmap_bytes(std::vector<Range>* pieces) {
  std::string text;
  std::vector<Range> origins;
  std::vector<uint32_t> where(text_.size() + 1);
  const uint8_t* const begin = bytes_of(text_);
  const uint8_t* const end = begin + text_.size();
  for (const uint8_t* p = begin; p < end;) {
    const CodePoint c = decode_utf8(p, end);
    const auto at = static_cast<size_t>(p - begin);
    for (uint32_t i = 0; i < c.length; ++i) where[at + i] = static_cast<uint32_t>(text.size());
    const int byte = byte_of_character(c.value);
    if (byte >= 0) {
      text += static_cast<char>(byte);
      if (tracked_) origins.push_back(origins_[at]);
    }
    p += c.length;
  }
  where[text_.size()] = static_cast<uint32_t>(text.size());
  for (Range& p : *pieces) p = {where[p.begin], where[p.end]};
  text_ = std::move(text);
  origins_ = std::move(origins);
}

std::vector<Range> find_all(std::string_view text, std::string_view needle) {
  std::vector<Range> out;
  if (needle.empty()) return out;
  for (size_t at = text.find(needle); at != std::string_view::npos; at = text.find(needle, at + needle.size())) {
    out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + needle.size())});
  }
  return out;
}

}  // namespace xcore::tokenizer
