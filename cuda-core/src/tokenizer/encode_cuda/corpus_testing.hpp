// What tests and benches of batch encoding share: the public corpus and tokenizers of the reference data, which lie
// there compressed, and a batch made of documents of the corpus.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "runtime/philox.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer::corpus {

// The content of a file made by gzip, or "" when it cannot be read.
inline std::string read_gzip(const std::string& path) {
  std::string out;
  if (std::FILE* const pipe = popen(("gzip -dc '" + path + "' 2>/dev/null").c_str(), "r")) {
    std::vector<char> block(1 << 20);
    while (const size_t n = std::fread(block.data(), 1, block.size(), pipe)) out.append(block.data(), n);
    pclose(pipe);
  }
  return out;
}

struct Section {
  const char* name;
  size_t begin, end;
};
// Of corpus_public.txt.gz, as corpus_index.json says.
inline constexpr Section kSections[] = {{"english", 0, 4000000},
                                        {"code", 4000000, 7482009},
                                        {"cjk", 7482009, 10982009},
                                        {"multilingual", 10982009, 13982009},
                                        {"web", 13982009, 15982009}};

// Consecutive documents of about `size` bytes that end at line breaks.
inline std::vector<std::string> documents(const std::string& text, size_t size) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = std::min(text.size(), at + size);
    const size_t line = text.find('\n', end);
    if (end < text.size() && line != std::string::npos && line - end < size) end = line + 1;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// `bytes` of text made of the documents in random order, again and again. In about one word of ten two letters are
// exchanged, so that repetition does not make a table of known pieces look better than it is.
inline std::vector<std::string> shuffled_batch(const std::vector<std::string>& from, size_t bytes, uint64_t seed) {
  Philox random(seed);
  std::vector<std::string> out;
  for (size_t total = 0; total < bytes;) {
    std::string d = from[random.next_below(static_cast<uint32_t>(from.size()))];
    for (size_t i = random.next_below(64); i + 1 < d.size(); i += 1 + random.next_below(128)) {
      const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
      if (letter(d[i]) && letter(d[i + 1])) std::swap(d[i], d[i + 1]);
    }
    total += d.size();
    out.push_back(std::move(d));
  }
  return out;
}

// Characters that some pattern treats apart, any code points, and stray bytes.
inline std::string random_text(Philox& random, uint32_t pieces) {
  static const std::vector<std::string> alphabet = {
      "a", "B", "s", "S", "t", "re", "LL", "'", "'", "1", "23", " ", " ", "  ", "\n", "\r", "\t", "/", ".", "!", "_", "the", " and",
      "\xc2\xa0", "\xe3\x80\x80", "\xc5\xbf", "\xc3\xa9", "\xc3\x89", "\xc7\x85", "\xca\xb0", "\xe4\xb8\xad", "\xcc\x81",
      "\xe0\xa5\x80", "\xc2\xbd", "\xd9\xa3", "\xf0\x9f\x98\x80", "\xff", "\xe2\x82", "\xe0\xa4\x95\xe0\xa4\xbc", "\xe1\x84\x80\xe1\x85\xa1"};
  std::string text;
  for (uint32_t n = pieces; n > 0; --n) {
    if (random.next_below(4) == 0) {
      append_utf8(text, random.next_below(random.next_below(2) ? 0x110000 : 0x3000));
    } else {
      text += alphabet[random.next_below(static_cast<uint32_t>(alphabet.size()))];
    }
  }
  return text;
}

}  // namespace xcore::tokenizer::corpus
