#include "runtime/device.hpp"
#include "runtime/error.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

void Tokenizer::decode(const uint32_t* ids, size_t count, bool skip_special, std::string& out) const {
  const trace::OpTimer timer("tokenizer.decode", kCpu, count * sizeof *ids);
  const size_t start = out.size();
  decode_.append(ids, count, out, [&](size_t i) {
    const uint32_t id = ids[i];
    if (!has(id)) {
      throw invalid_argument("ids[" + std::to_string(i) + "]", "ids[%zu] is %u, which is no token; ids are below %zu", i, id,
                             model_.flags.size());
    }
    if (!(skip_special && (model_.flags[id] & XC_TOKEN_SPECIAL))) out += model_.bytes[id];
  });
  // SentencePiece put a space before the text on the way in.
  if (model_.space_prefix && out.size() > start && out[start] == ' ') out.erase(start, 1);
}

}  // namespace xcore::tokenizer
