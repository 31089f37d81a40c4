// An expression, a special token, and a rank file, each on a line of its own but the last. With a first byte above 127 the
// 256 single bytes, which every rank file needs, are put before the ranks.
#include <cstdint>

#include "tokenizer/load/load.hpp"
#include "use_tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  if (size < 3) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t first = all.find('\n');
  const size_t second = first == std::string_view::npos ? first : all.find('\n', first + 1);
  if (second == std::string_view::npos) return 0;
  std::string ranks;
  if (data[0] > 127) {
    const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int b = 0; b < 256; ++b) ranks += std::string(1, digits[b >> 2]) + digits[(b & 3) << 4] + "== " + std::to_string(b) + "\n";
  }
  ranks += all.substr(second + 1);
  std::vector<SpecialToken> special;
  if (second > first + 1) special.push_back({std::string(all.substr(first + 1, second - first - 1)), 100000u + data[0]});
  try {
    const Tokenizer tokenizer(read_ranks(ranks, all.substr(0, first), special));
    use_tokenizer(tokenizer, all);
  } catch (const xcore::Error&) {
  }
  return 0;
}
