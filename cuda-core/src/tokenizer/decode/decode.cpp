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
  const auto checked = [&](size_t i) {
    const uint32_t id = ids[i];
    if (!has(id)) {
      throw invalid_argument("ids[" + std::to_string(i) + "]", "ids[%zu] is %u, which is no token; ids are below %zu", i, id,
                             model_.flags.size());
    }
    return id;
  };
  const auto skipped = [&](uint32_t id) { return skip_special && (model_.flags[id] & XC_TOKEN_SPECIAL) != 0; };
  if (shape.kind == DecoderShape::general) {
    std::vector<std::string> tokens;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t id = checked(i);
      if (!skipped(id)) tokens.emplace_back(model_.tokens[id]);
    }
    return run_decoders(model_.pipeline.decoder, std::move(tokens), out);
  }
  if (shape.kind == DecoderShape::fallback) {
    size_t run = SIZE_MAX;  // where the run of byte tokens that ends here began
    for (size_t i = 0; i < count; ++i) {
      const uint32_t id = checked(i);
      if (skipped(id)) continue;
      const bool byte = (model_.flags[id] & XC_TOKEN_BYTE) != 0;
      if (byte && run == SIZE_MAX) run = out.size();
      if (!byte && run != SIZE_MAX) {
        end_byte_run(out, run);
        run = SIZE_MAX;
      }
      out += model_.bytes[id];
    }
    if (run != SIZE_MAX) end_byte_run(out, run);
  } else {
    decode_.append(ids, count, out, [&](size_t i) {
      const uint32_t id = checked(i);
      if (!skipped(id)) out += model_.bytes[id];
    });
  }
  uint32_t blanks = 0;
  while (blanks < shape.strip && out.size() > start + blanks && out[start + blanks] == ' ') ++blanks;
  out.erase(start, blanks);
}

}  // namespace xcore::tokenizer
