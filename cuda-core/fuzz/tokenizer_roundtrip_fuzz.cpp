// A text through published tokenizers: encoding, counting, encoding with offsets and encoding in two parts agree, offsets
// lie in the text in order, and what is lossless decodes to the text. XCORE_FUZZ_TOKENIZERS names the files, with colons
// between. The first byte chooses one.
#include <cstdint>
#include <cstdio>

#include "use_tokenizer.hpp"
#include "tokenizer/load/load.hpp"

namespace {

using namespace xcore::tokenizer;

const std::vector<std::unique_ptr<Tokenizer>>& tokenizers() {
  static const auto* const list = [] {
    auto* out = new std::vector<std::unique_ptr<Tokenizer>>;
    const char* const names = std::getenv("XCORE_FUZZ_TOKENIZERS");
    std::string all = names ? names : "";
    for (size_t at = 0; at < all.size();) {
      const size_t end = std::min(all.find(':', at), all.size());
      out->push_back(load_file(all.substr(at, end - at)));
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

std::vector<uint32_t> encode(const Tokenizer& t, std::string_view text, uint32_t flags) {
  std::vector<uint32_t> ids(text.size() * 4 + 64);
  Sink sink{ids.data(), ids.size()};
  t.encode(text, flags, sink);
  same(sink.count <= ids.size());
  ids.resize(sink.count);
  return ids;
}

}  // namespace

// Loading takes seconds under sanitizers: not a part of the first input, which has a time limit.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  tokenizers();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 65536) return 0;
  const Tokenizer& t = *tokenizers()[data[0] % tokenizers().size()];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const uint32_t flags = data[0] & 128 ? 0 : XC_ENCODE_PARSE_SPECIAL;
  const auto ids = encode(t, text, flags);
  same(encode(t, text, flags) == ids);  // from the memo
  t.cache().clear();
  same(encode(t, text, flags) == ids);
  Sink counter{nullptr, 0};
  t.encode(text, flags, counter);
  same(counter.count == ids.size());
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
  }
  std::string decoded;
  t.decode(ids.data(), ids.size(), false, decoded);
  if (lossless(t.model()) && t.model().added.empty()) same(decoded == text);
  if (lossless(t.model()) && flags == 0) {
    // Added tokens may swallow blanks; without any in the text nothing is lost.
    bool plain = true;
    for (const AddedToken& a : t.model().added) plain = plain && (!(a.lstrip || a.rstrip) || text.find(a.content) == std::string_view::npos);
    if (plain) same(decoded == text);
  }
  if (t.cuts_between_lines()) {
    for (size_t at = 1; at + 1 < text.size(); ++at) {
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
