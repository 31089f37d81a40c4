#include "tokenizer/unicode/unicode.hpp"

#include <gtest/gtest.h>

using namespace xcore::tokenizer;

namespace {

std::string nfc(const std::string& text) {
  std::string out = "unset";
  return normalize_nfc(text, out) ? out : text;
}

}  // namespace

TEST(Unicode, classes_of_well_known_characters) {
  const ClassTable& t = ClassTable::get();
  EXPECT_EQ(t['a'], kLetter | kLower);
  EXPECT_EQ(t['Z'], kLetter | kUpper);
  EXPECT_EQ(t['7'], kNumber);
  EXPECT_EQ(t[0xbd], kNumber);           // one half
  EXPECT_EQ(t[0x4e2d], kLetter);         // a Han character has no case
  EXPECT_EQ(t[0x1c5], kLetter | kUpper); // title case
  EXPECT_EQ(t[0x301], kMark);
  for (const uint32_t space : {0x09u, 0x0au, 0x20u, 0x85u, 0xa0u, 0x3000u}) EXPECT_EQ(t[space], kSpace) << space;
  for (const uint32_t none : {0x200bu, 0xfeffu, 0x1f600u, 0x10ffffu, kInvalid}) EXPECT_EQ(t[none], 0) << none;
}

TEST(Unicode, broken_utf8_is_read_byte_by_byte) {
  const std::string text = "\xc3\xa9\xff\xe2\x82\xed\xa0\x80\xf0\x9f\x98\x80\xc0\xaf";
  std::vector<uint32_t> lengths;
  const uint8_t* p = bytes_of(text);
  const uint8_t* const end = p + text.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, end);
    lengths.push_back(c.length);
    p += c.length;
  }
  EXPECT_EQ(lengths, (std::vector<uint32_t>{2, 1, 1, 1, 1, 1, 1, 4, 1, 1}));
}

TEST(Unicode, nfc_composes_reorders_and_keeps_exclusions) {
  EXPECT_EQ(nfc("plain caf\xc3\xa9"), "plain caf\xc3\xa9");
  EXPECT_EQ(nfc("e\xcc\x81"), "\xc3\xa9");
  EXPECT_EQ(nfc("q\xcc\x87\xcc\xa3"), "q\xcc\xa3\xcc\x87");                          // marks in canonical order
  EXPECT_EQ(nfc("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");            // Hangul jamo to one syllable
  EXPECT_EQ(nfc("\xe2\x84\xa6"), "\xce\xa9");                                        // the ohm sign is an omega
  EXPECT_EQ(nfc("\xe0\xa4\x95\xe0\xa4\xbc"), "\xe0\xa4\x95\xe0\xa4\xbc");            // composition exclusion
  EXPECT_EQ(nfc("\xe0\xa5\x98"), "\xe0\xa4\x95\xe0\xa4\xbc");
  EXPECT_EQ(nfc("e\xff\xcc\x81"), "e\xff\xcc\x81");                                  // a stray byte parts base and mark
  EXPECT_EQ(nfc("A\xcc\x8a\xcc\x81"), "\xc7\xba");                                   // twice
}
