#include "tokenizer/unicode/char_set.hpp"

#include <algorithm>

#include "tokenizer/unicode/properties.hpp"

namespace xcore::tokenizer {

void RangeSet::normalise() {
  std::sort(ranges_.begin(), ranges_.end(), [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  size_t out = 0;
  for (const CodeRange& r : ranges_) {
    if (out > 0 && r.first <= ranges_[out - 1].last + 1) {
      ranges_[out - 1].last = std::max(ranges_[out - 1].last, r.last);
    } else {
      ranges_[out++] = r;
    }
  }
  ranges_.resize(out);
}

void RangeSet::invert() {
  std::vector<CodeRange> out;
  uint32_t next = 0;
  for (const CodeRange& r : ranges_) {
    if (r.first > next) out.push_back({next, r.first - 1});
    next = r.last + 1;
  }
  if (next <= kLastCodePoint) out.push_back({next, kLastCodePoint});
  ranges_ = std::move(out);
}

void RangeSet::intersect(const RangeSet& other) {
  std::vector<CodeRange> out;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const uint32_t first = std::max(ranges_[i].first, other.ranges_[j].first);
    const uint32_t last = std::min(ranges_[i].last, other.ranges_[j].last);
    if (first <= last) out.push_back({first, last});
    if (ranges_[i].last < other.ranges_[j].last) {
      ++i;
    } else {
      ++j;
    }
  }
  ranges_ = std::move(out);
}

void RangeSet::ignore_case() {
  RangeSet more;
  for_each_case_pair([&](uint32_t member, uint32_t equal) {
    if (contains(member)) more.add(equal, equal);
  });
  add(more);
  normalise();
}

bool RangeSet::contains(uint32_t c) const {
  const auto r = std::upper_bound(ranges_.begin(), ranges_.end(), c, [](uint32_t v, const CodeRange& x) { return v < x.first; });
  return r != ranges_.begin() && c <= r[-1].last;
}

CharSet::CharSet(const RangeSet& set, bool stray) : stray_(stray) {
  for (const CodeRange& r : set.ranges()) {
    for (uint32_t c = r.first; c <= r.last && c < 0x10000; ++c) bits_[c >> 6] |= uint64_t{1} << (c & 63);
    if (r.last >= 0x10000) high_.push_back({std::max(r.first, 0x10000u), r.last});
  }
}

bool CharSet::beyond(uint32_t c) const {
  if (c > kLastCodePoint) return stray_;
  const auto r = std::upper_bound(high_.begin(), high_.end(), c, [](uint32_t v, const CodeRange& x) { return v < x.first; });
  return r != high_.begin() && c <= r[-1].last;
}

}  // namespace xcore::tokenizer
