// A regular expression, a newline and a text: matching ends within its budget, and matches lie inside the text in order.
// The first byte chooses the dialect.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runtime/error.hpp"
#include "tokenizer/regex/regex.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xcore::tokenizer;
  if (size < 2 || size > 4096) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t line = all.find('\n');
  if (line == std::string_view::npos) return 0;
  try {
    const regex::Regex r(all.substr(0, line), data[0] & 1 ? regex::Dialect::fancy : regex::Dialect::oniguruma);
    const uint8_t* const begin = data + 1 + line + 1;
    const uint8_t* const end = data + size;
    regex::Budget budget(size);
    budget.spend(49'000'000);  // little is left: a slow run is a typed error here as well
    regex::Match m;
    for (const uint8_t* at = begin; at <= end && r.find(begin, end, at, m, budget);) {
      if (m.begin < at || m.end < m.begin || m.end > end) std::abort();
      at = m.end > m.begin ? m.end : m.end + 1;
    }
  } catch (const xcore::Error& e) {
    if (e.status != XC_INVALID_FORMAT && e.status != XC_UNSUPPORTED && e.status != XC_LIMIT_EXCEEDED) std::abort();
  }
  return 0;
}
