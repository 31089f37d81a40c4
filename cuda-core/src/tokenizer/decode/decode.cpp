#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/tokenizer.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

// The bytes of neighbouring byte tokens. If they are no UTF-8, every byte becomes U+FFFD.
void end_byte_run(std::string& run) {
  const uint8_t* p = bytes_of(run);
  const uint8_t* const end = p + run.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    if (c.value == kInvalid) break;
    p += c.length;
  }
  if (p == end) return;
  const size_t count = run.size();
  run.clear();
  for (size_t i = 0; i < count; ++i) append_utf8(run, 0xfffd);
}

}  // namespace

void Tokenizer::decode(const uint32_t* ids, size_t count, bool skip_special, ByteSink& out) const {
  const trace::OpTimer timer("tokenizer.decode", kCpu, count * sizeof *ids);
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
    std::string text;
    run_decoders(model_.pipeline.decoder, std::move(tokens), text);
    return out.push(text);
  }
  std::call_once(decode_once_, [&] { decode_ = DecodeTable(model_); });
  out.strip = shape.strip;
  decode_.decode(ids, count, out, [&](size_t i) {
    check(i);
    if (skip_special && is(i, XC_TOKEN_SPECIAL)) return i + 1;
    if (shape.kind != DecoderShape::fallback || !is(i, XC_TOKEN_BYTE)) {
      out.push(model_.bytes[ids[i]]);
      return i + 1;
    }
    // The whole run of byte tokens: together they are characters or not.
    std::string run;
    for (; i < count; ++i) {
      check(i);
      if (skip_special && is(i, XC_TOKEN_SPECIAL)) continue;
      if (!is(i, XC_TOKEN_BYTE)) break;
      run += model_.bytes[ids[i]];
    }
    end_byte_run(run);
    out.push(run);
    return i;
  });
  out.strip = 0;
}

void Tokenizer::decode(const uint32_t* ids, size_t count, bool skip_special, std::string& out) const {
  const size_t start = out.size();
  for (size_t room = count * 6 + 64;;) {
    out.resize(start + room);
    ByteSink sink{out.data() + start, room};
    decode(ids, count, skip_special, sink);
    out.resize(start + std::min(sink.count, room));
    if (sink.count <= room) return;
    room = sink.count;
  }
}

}  // namespace xcore::tokenizer
