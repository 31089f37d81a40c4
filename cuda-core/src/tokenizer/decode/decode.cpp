#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

// What stands from `begin` on came from byte tokens. If it is no UTF-8, every byte becomes U+FFFD.
void end_byte_run(std::string& out, size_t begin) {
  const uint8_t* p = bytes_of(out) + begin;
  const uint8_t* const end = bytes_of(out) + out.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    if (c.value == kInvalid) break;
    p += c.length;
  }
  if (p == end) return;
  const size_t count = out.size() - begin;
  out.resize(begin);
  for (size_t i = 0; i < count; ++i) append_utf8(out, 0xfffd);
}

}  // namespace

void Tokenizer::decode(const uint32_t* ids, size_t count, bool skip_special, std::string& out) const {
  const trace::OpTimer timer("tokenizer.decode", kCpu, count * sizeof *ids);
  const size_t start = out.size();
  const DecoderShape& shape = model_.decoder;
  const auto check = [&](size_t i) {
    if (has(ids[i])) return;
    throw invalid_argument("ids[" + std::to_string(i) + "]", "ids[%zu] is %u, which is no token; ids are below %zu", i, ids[i],
                           model_.flags.size());
  };
  const auto is = [&](size_t i, uint8_t flag) { return (model_.flags[ids[i]] & flag) != 0; };
  if (shape.kind == DecoderShape::general) {
    std::vector<std::string> tokens;
    for (size_t i = 0; i < count; ++i) {
      check(i);
      if (!(skip_special && is(i, XC_TOKEN_SPECIAL))) tokens.emplace_back(model_.tokens[ids[i]]);
    }
    return run_decoders(model_.pipeline.decoder, std::move(tokens), out);
  }
  std::call_once(decode_once_, [&] { decode_ = DecodeTable(model_); });
  decode_.append(ids, count, out, [&](size_t i) {
    check(i);
    if (skip_special && is(i, XC_TOKEN_SPECIAL)) return i + 1;
    if (shape.kind != DecoderShape::fallback || !is(i, XC_TOKEN_BYTE)) {
      out += model_.bytes[ids[i]];
      return i + 1;
    }
    // The whole run of byte tokens: together they are characters or not.
    const size_t run = out.size();
    for (; i < count; ++i) {
      check(i);
      if (skip_special && is(i, XC_TOKEN_SPECIAL)) continue;
      if (!is(i, XC_TOKEN_BYTE)) break;
      out += model_.bytes[ids[i]];
    }
    end_byte_run(out, run);
    return i;
  });
  uint32_t blanks = 0;
  while (blanks < shape.strip && out.size() > start + blanks && out[start + blanks] == ' ') ++blanks;
  out.erase(start, blanks);
}

}  // namespace xcore::tokenizer
