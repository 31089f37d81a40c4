#include <algorithm>
#include <cstring>

#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/image/reader.hpp"
#include "tokenizer/image/writer.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kMaxText = size_t{1} << 31;
constexpr std::string_view kBlank = "\xe2\x96\x81";  // U+2581, SentencePiece's space

// Writes the text from `size` on, blanks as U+2581. Returns the size afterwards; `out` is larger.
size_t escape_blanks(std::string_view text, bool prefix, std::string& out, size_t size) {
  // Three bytes a blank, one a byte else; four are written each time and what is too much is written over.
  const size_t blanks = static_cast<size_t>(std::count(text.begin(), text.end(), ' ')) + prefix;
  const size_t room = size + text.size() + 2 * blanks + 8;
  if (out.size() < room) out.resize(std::max(room, out.size() + out.size() / 2));
  char* p = out.data() + size;
  uint32_t blank = 0;
  std::memcpy(&blank, kBlank.data(), kBlank.size());
  if (prefix) {
    std::memcpy(p, &blank, sizeof blank);
    p += kBlank.size();
  }
  for (const char c : text) {
    const bool is_blank = c == ' ';
    const uint32_t written = is_blank ? blank : static_cast<uint8_t>(c);
    std::memcpy(p, &written, sizeof written);
    p += 1 + 2 * static_cast<size_t>(is_blank);
  }
  return static_cast<size_t>(p - out.data());
}

}  // namespace

Tokenizer::~Tokenizer() = default;

Tokenizer::Tokenizer(Model model) : model_(std::move(model)) {
  find_added_tokens();
  pieces_ = std::make_unique<PieceEncoder>(model_);
  find_scanner();
  cuts_between_lines_ = find_line_cuts();
}

Tokenizer::Tokenizer(Model model, ImageReader& image, bool packed) : model_(std::move(model)) {
  find_added_tokens();
  pieces_ = std::make_unique<PieceEncoder>(model_, image);
  image.require(pieces_->packed() == packed || !packed, "there are no merges");
  image.flag(cuts_between_lines_);
  image.finish();
  find_scanner();
}

void Tokenizer::save(ImageWriter& image) const {
  pieces_->save(image);
  image.flag(cuts_between_lines_);
}

uint32_t Tokenizer::id_of(std::string_view content) const {
  if (!model_.by_content.empty()) return model_.by_content.find(model_.tokens, content);
  std::call_once(index_once_, [&] {
    index_.reserve(model_.flags.size());
    // Where some tokens go is asked for before the first of them is put there.
    constexpr size_t kTogether = 32;
    uint32_t ids[kTogether];
    uint64_t hashes[kTogether];
    size_t held = 0;
    const auto put = [&] {
      for (size_t k = 0; k < held; ++k) index_.insert(model_.tokens, ids[k], hashes[k]);
      held = 0;
    };
    for (uint32_t id = 0; id < model_.flags.size(); ++id) {
      if (!model_.flags[id]) continue;
      ids[held] = id;
      hashes[held] = hash_bytes(model_.tokens[id]);
      index_.prefetch(hashes[held]);
      if (++held == kTogether) put();
    }
    put();
  });
  return index_.find(model_.tokens, content);
}

bool Tokenizer::packed() const { return pieces_->packed(); }

PairTable Tokenizer::pairs() const { return pieces_->pairs(); }

void Tokenizer::find_added_tokens() {
  std::vector<AddedToken> raw, normalized;
  for (const AddedToken& t : model_.added) {
    if (!t.normalized) {
      raw.push_back(t);
      continue;
    }
    normalized.push_back(t);
    AlignedText content;
    content.assign(t.content, 0, false);
    regex::Budget budget(t.content.size());
    for (const Normalizer& n : model_.pipeline.normalizers) n.apply(content, budget);
    if (content.text().empty()) {
      normalized.pop_back();
    } else {
      normalized.back().content.assign(content.text());
    }
  }
  added_.build(std::move(raw));
  added_normalized_.build(std::move(normalized));
}

void Tokenizer::find_scanner() {
  if (model_.kind == Kind::byte_level && model_.steps.size() == 1 && !model_.steps[0].prefix_space) {
    scan_ = scanner(model_.steps[0].pattern);
  }
}

void Tokenizer::encode(std::string_view text, uint32_t flags, Sink& sink) const {
  const trace::OpTimer timer("tokenizer.encode", kCpu, text.size());
  const ScratchPool::Lease scratch(scratches_);
  encode(text, flags, *scratch, sink);
}

void Tokenizer::encode(std::string_view text, uint32_t flags, Scratch& scratch, Sink& sink) const {
  if (text.size() >= kMaxText) {
    throw error(XC_LIMIT_EXCEEDED, "text", -1, "the text has %zu bytes; one call takes less than 2 GiB", text.size());
  }
  scratch.memo.expect(text.size());
  const bool special = (flags & XC_ENCODE_PARSE_SPECIAL) != 0;
  if (flags & XC_ENCODE_ADD_SPECIAL) {
    for (const uint32_t id : model_.prefix) sink.push(id);
  }
  if (!model_.pipeline.simple) {
    std::vector<Token> tokens;
    run_pipeline(text, flags, false, scratch, tokens);
    for (const Token& t : tokens) sink.push(t.id);
  } else if (model_.kind == Kind::byte_level) {
    for (size_t at = 0; at < text.size() && !sink.stopped();) {
      const auto match = added_.find(text, at, special);
      encode_plain(text.substr(at, match.begin - at), special, scratch, sink);
      if (match.token) sink.push(match.token->id);
      at = match.end;
    }
  } else {
    encode_sentencepiece(text, special, (flags & XC_ENCODE_CONTINUE) == 0, scratch, sink);
  }
  if (flags & XC_ENCODE_ADD_SPECIAL) {
    for (const uint32_t id : model_.suffix) sink.push(id);
  }
}

// Between added tokens: normalise, look for the tokens of normalised text, cut the rest.
void Tokenizer::encode_plain(std::string_view text, bool special, Scratch& scratch, Sink& sink) const {
  std::string normalized;
  if (model_.nfc && normalize_nfc(text, normalized)) text = normalized;
  for (size_t at = 0; at < text.size();) {
    const auto match = added_normalized_.find(text, at, special);
    const std::string_view plain = text.substr(at, match.begin - at);
    if (scan_ && pieces_->pays_in_parallel(plain.size())) {
      pieces_->encode_parallel(plain, scan_, scratch, scratches_, sink);
    } else if (scan_) {
      pieces_->encode(plain, scan_, scratch, sink);
    } else if (!plain.empty()) {
      split(0, bytes_of(plain), bytes_of(plain) + plain.size(), scratch, sink);
    }
    if (match.token) sink.push(match.token->id);
    at = match.end;
  }
}

void Tokenizer::split(size_t step, const uint8_t* begin, const uint8_t* end, Scratch& scratch, Sink& sink) const {
  if (step == model_.steps.size()) {
    pieces_->encode_piece({reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin)}, scratch, sink);
    return;
  }
  const PreTokenizerStep& s = model_.steps[step];
  std::string spaced;
  if (s.prefix_space && *begin != ' ') {
    spaced.reserve(static_cast<size_t>(end - begin) + 1);
    spaced += ' ';
    spaced.append(begin, end);
    begin = bytes_of(spaced);
    end = begin + spaced.size();
  }
  const bool last = step + 1 == model_.steps.size();
  while (begin < end) {
    const uint8_t* const stop = next_piece(s.pattern, begin, end);
    if (last) {
      pieces_->encode_piece({reinterpret_cast<const char*>(begin), static_cast<size_t>(stop - begin)}, scratch, sink);
    } else {
      split(step + 1, begin, stop, scratch, sink);
    }
    begin = stop;
  }
}

void Tokenizer::encode_sentencepiece(std::string_view text, bool special, bool after_special, Scratch& scratch, Sink& sink) const {
  // Where added tokens may cut the text into many segments, lines are handed out.
  if (cuts_between_lines_ && !model_.space_prefix && !model_.added.empty() && pieces_->pays_in_parallel(text.size())) {
    const std::vector<size_t> ends = line_parts(text);
    if (ends.size() > 1) {
      constexpr size_t kMostIds = 3;  // of a blank without a token
      return encode_parts(text, ends, kMostIds, scratch, scratches_, sink, [&](std::string_view part, size_t i, Scratch& mine, Sink& s) {
        encode_lines(part, special, after_special && i == 0, mine, s);
      });
    }
  }
  encode_lines(text, special, after_special, scratch, sink);
}

// Segments are written one after another, with U+2581 for blanks, and encoded together.
void Tokenizer::encode_lines(std::string_view text, bool special, bool after_special, Scratch& scratch, Sink& sink) const {
  constexpr size_t kTogether = size_t{1} << 16;  // bytes, which stay in a core's cache until they are read
  // Taken out while they are read: the scratch is lent on.
  std::string escaped = std::move(scratch.normalized);
  std::vector<Segment> segments = std::move(scratch.segments);
  segments.clear();
  size_t size = 0;
  const auto encode = [&] {
    const std::string_view all(escaped.data(), size);
    if (segments.size() == 1 && pieces_->pays_in_parallel(size)) {
      pieces_->encode_parallel(all, nullptr, scratch, scratches_, sink);
      if (segments[0].token != kNoId) sink.push(segments[0].token);
    } else {
      pieces_->encode_segments(all, segments, scratch, sink);
    }
    segments.clear();
    size = 0;
  };
  for (size_t at = 0; at < text.size() && !sink.stopped();) {
    const auto match = added_.find(text, at, special);
    if (match.begin > at) {
      const std::string_view segment = text.substr(at, match.begin - at);
      size = escape_blanks(segment, wants_prefix(segment, after_special, at == 0), escaped, size);
      after_special = false;
    }
    segments.push_back({static_cast<uint32_t>(size), match.token ? match.token->id : kNoId});
    if (match.token) after_special = true;
    at = match.end;
    if (size >= kTogether || segments.size() >= kTogether) encode();
  }
  if (!segments.empty()) encode();
  scratch.normalized = std::move(escaped);
  scratch.segments = std::move(segments);
}

bool Tokenizer::wants_prefix(std::string_view segment, bool after_special, bool starts_text) const {
  if (!model_.space_prefix || !after_special || (model_.prefix_first_only && !starts_text)) return false;
  return !model_.prefix_unless_blank || (segment[0] != ' ' && segment.substr(0, kBlank.size()) != kBlank);
}

}  // namespace xcore::tokenizer
