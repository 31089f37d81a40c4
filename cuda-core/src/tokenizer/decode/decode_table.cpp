#include "tokenizer/decode/decode_table.hpp"

#include <algorithm>

#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer {

DecodeTable::DecodeTable(const Model& model) {
  entries_ = Flat<Entry>(model.flags.size(), Entry{{}, kOdd});
  for (uint32_t id = 0; id < model.flags.size(); ++id) {
    const std::string_view bytes = model.bytes[id];
    if (model.flags[id] == 0 || (model.flags[id] & (XC_TOKEN_SPECIAL | XC_TOKEN_BYTE)) || bytes.size() > kMostBytes) continue;
    Entry& e = entries_.writable()[id];
    std::copy(bytes.begin(), bytes.end(), e.bytes);
    e.size = static_cast<uint8_t>(bytes.size());
  }
}

}  // namespace xcore::tokenizer
