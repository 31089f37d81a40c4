// A text through published tokenizers: encoding is as defined; counting, counting up to a limit, encoding into too little room,
// with offsets, in batches and in two parts agree with it; offsets lie in the text in order and where the token's bytes are;
// and what is lossless decodes to the text, in parts too. XCORE_FUZZ_TOKENIZERS names the files, with colons between. The
// first byte chooses one.
#include <cstdint>
#include <cstdio>

#include "runtime/control.hpp"
#include "tokenizer/encode/encode_batch.hpp"
#include "tokenizer/load/load.hpp"
#include "use_tokenizer.hpp"

namespace {

using namespace xcore::tokenizer;

struct Case {
  std::unique_ptr<Tokenizer> tokenizer;
  Definition definition;
};

const std::vector<Case>& tokenizers() {
  static const auto* const list = [] {
    auto* out = new std::vector<Case>;
    const char* const names = std::getenv("XCORE_FUZZ_TOKENIZERS");
    std::string all = names ? names : "";
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find(':', at), all.size());
      auto tokenizer = load_file(all.substr(at, end - at));
      Definition definition(*tokenizer);
      out->push_back({std::move(tokenizer), std::move(definition)});
      at = end + 1;
    }
    if (out->empty()) {
      std::fprintf(stderr, "XCORE_FUZZ_TOKENIZERS names no tokenizer\n");
      std::exit(1);
    }
    return out;
  }();
  return *list;
}

void same(bool holds) {
  if (!holds) std::abort();
}

bool lossless(const Model& m) {
  return m.kind == Kind::byte_level && m.pipeline.normalizers.empty() && m.decoder.kind == DecoderShape::bytes && m.steps.size() == 1 &&
         !m.steps[0].prefix_space;
}

constexpr size_t kDefined = 1024;  // bytes of text that the definition, which takes quadratic time, is asked about

std::vector<uint32_t> encode(const Tokenizer& t, std::string_view text, uint32_t flags) {
  std::vector<uint32_t> ids(text.size() * 4 + 64);
  Sink sink{ids.data(), ids.size()};
  t.encode(text, flags, sink);
  same(sink.count <= ids.size());
  ids.resize(sink.count);
  return ids;
}

void check_batch(const Tokenizer& t, std::string_view text, uint32_t flags, const std::vector<uint32_t>& ids) {
  const xc_text texts[] = {{text.data(), text.size()}, {text.data(), 0}, {text.data(), text.size()}};
  size_t offsets[4];
  EncodedBatch batch;
  batch.offsets = offsets;
  encode_batch(t, texts, 3, flags, xcore::Control(nullptr), batch);
  same(offsets[3] == 2 * ids.size() && offsets[1] == ids.size() && offsets[2] == ids.size());
  for (size_t i = 0; i < offsets[3]; ++i) same(batch.ids[i] == ids[i % ids.size()]);
  release_ids(batch.ids);
}

// Ids beyond the room are counted and not written; counting may stop behind a limit.
void check_room(const Tokenizer& t, std::string_view text, uint32_t flags, const std::vector<uint32_t>& ids, size_t room) {
  std::vector<uint32_t> few(room + 1, kNoId);
  Sink sink{few.data(), room};
  t.encode(text, flags, sink);
  same(sink.count == ids.size() && few[room] == kNoId);
  same(std::equal(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(std::min(room, ids.size())), few.begin()));
  Sink counter{nullptr, 0};
  counter.stop_after = room;
  t.encode(text, flags, counter);
  same((counter.count > room) == (ids.size() > room) && counter.count <= ids.size());
}

// Without a normaliser a token's range holds its bytes.
void check_ranges(const Tokenizer& t, std::string_view text, const std::vector<Token>& tokens) {
  const Model& m = t.model();
  if (!lossless(m) || m.pipeline.trim_offsets) return;
  for (const Token& token : tokens) {
    if (m.flags[token.id] & XC_TOKEN_ADDED) continue;
    same(text.substr(token.range.begin, token.range.end - token.range.begin).find(m.bytes[token.id]) != std::string_view::npos);
  }
}

}  // namespace

// Loading takes seconds under sanitizers: not a part of the first input, which has a time limit.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tokenizers();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 65536) return 0;
  const Case& chosen = tokenizers()[data[0] % tokenizers().size()];
  const Tokenizer& t = *chosen.tokenizer;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const uint32_t flags = data[0] & 128 ? 0 : XC_ENCODE_PARSE_SPECIAL;
  const auto ids = encode(t, text, flags);
  same(encode(t, text, flags) == ids);  // from the memo
  t.cache().clear();
  same(encode(t, text, flags) == ids);
  if (chosen.definition.covers() && text.size() <= kDefined) same(chosen.definition.encode(text, flags) == ids);
  Sink counter{nullptr, 0};
  t.encode(text, flags, counter);
  same(counter.count == ids.size());
  check_room(t, text, flags, ids, ids.size() * (data[0] & 63) / 48);
  check_batch(t, text, flags, ids);
  if (size <= 4096) {
    std::vector<Token> tokens;
    t.encode_tokens(text, flags, OffsetUnit::byte, tokens);
    same(tokens.size() == ids.size());
    size_t begin = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      same(tokens[i].id == ids[i] && tokens[i].range.begin <= tokens[i].range.end && tokens[i].range.end <= text.size());
      if (tokens[i].range.end > 0) same(tokens[i].range.begin >= begin);
      begin = std::max<size_t>(begin, tokens[i].range.begin);
    }
    check_ranges(t, text, tokens);
  }
  std::string decoded;
  t.decode(ids.data(), ids.size(), false, decoded);
  if (t.model().decoder.kind == DecoderShape::bytes) {
    std::string parts;
    t.decode(ids.data(), ids.size() / 2, false, parts);
    t.decode(ids.data() + ids.size() / 2, ids.size() - ids.size() / 2, false, parts);
    same(parts == decoded);
  }
  if (lossless(t.model()) && t.model().added.empty()) same(decoded == text);
  if (lossless(t.model()) && flags == 0) {
    // Added tokens may swallow blanks; without any in the text nothing is lost.
    bool plain = true;
    for (const AddedToken& a : t.model().added) plain = plain && (!(a.lstrip || a.rstrip) || text.find(a.content) == std::string_view::npos);
    if (plain) same(decoded == text);
  }
  if (t.cuts_between_lines()) {
    for (size_t at = 1 + data[0] % 32; at + 1 < text.size(); ++at) {
      const char before = text[at - 1], after = text[at + 1];
      if (text[at] != '\n' || before < '!' || before > '~' || !((after | 32) >= 'a' && (after | 32) <= 'z') || (after & 0x80)) continue;
      auto parts = encode(t, text.substr(0, at + 1), flags);
      const auto rest = encode(t, text.substr(at + 1), flags | XC_ENCODE_CONTINUE);
      parts.insert(parts.end(), rest.begin(), rest.end());
      same(parts == ids);
      break;
    }
  }
  return 0;
}
