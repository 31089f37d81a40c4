// A regular expression, a newline and a text: matching ends within its budget, and matches lie inside the text in order.
// The first byte chooses the dialect, or one of the expressions that have a scanner: then all is text, and the engine, the
// scanners and the definition cut it alike.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "runtime/error.hpp"
#include "tokenizer/pretokenize/scan.hpp"
#include "tokenizer/regex/regex.hpp"

namespace {

using namespace xcore::tokenizer;

const char* const kPublished[] = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s+)",
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|)"
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|)"
    R"(\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
};
constexpr size_t kCount = sizeof kPublished / sizeof *kPublished;

void cut(size_t which, const uint8_t* begin, const uint8_t* end) {
  static const auto* const engines = [] {
    auto* out = new std::vector<regex::Regex>;
    for (const char* const text : kPublished) {
      out->emplace_back(text, recognise(text) == Pattern::cl100k_end ? regex::Dialect::fancy : regex::Dialect::oniguruma);
    }
    return out;
  }();
  const Pattern pattern = recognise(kPublished[which]);
  if (pattern == Pattern::none) std::abort();
  std::vector<uint32_t> ends(static_cast<size_t>(end - begin) + 2 * kScanSlack);
  size_t count = 0;
  if (const Scan scan = scanner(pattern)) {
    for (const uint8_t* at = begin; at < end;) count += scan(begin, at, end, ends.data() + count, kScanSlack);
    ends.resize(count);
  } else {
    ends.clear();
  }
  regex::Budget budget(static_cast<size_t>(end - begin));
  size_t n = 0;
  for (const uint8_t* at = begin; at < end; ++n) {
    const uint8_t* const stop = next_piece(pattern, at, end);
    if (end - begin <= 256 && stop != next_piece_ref(pattern, at, end)) std::abort();
    regex::Match m;
    if (!(*engines)[which].find(begin, end, at, m, budget) || m.begin != at || m.end != stop) std::abort();
    if (count && (n >= count || begin + ends[n] != stop)) std::abort();
    at = stop;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2 || size > 4096) return 0;
  if (data[0] >= 128) {
    try {
      cut(data[0] % kCount, data + 1, data + size);
    } catch (const xcore::Error& e) {
      if (e.status != XC_LIMIT_EXCEEDED) std::abort();
    }
    return 0;
  }
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
