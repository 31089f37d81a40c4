#include "thermo/text_features/text_features.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "runtime/philox.hpp"

using namespace xcore;
using namespace xcore::thermo;

namespace {

std::vector<double> features(const std::u16string& text, int32_t last) {
  std::vector<double> out(XC_THERMO_TEXT_FEATURES, -9);
  text_features(text.data(), static_cast<int64_t>(text.size()), last, out.data());
  return out;
}
std::vector<double> features(const std::u16string& text) { return features(text, text.empty() ? -1 : text.back()); }
double saturating(double x) { return 2 * std::tanh(x) - 1; }

}  // namespace

TEST(TextFeatures, count_what_they_say) {
  // 27 units, 8 words, one of them twice.
  const auto f = features(u"Is 12 a metal? No, a gas_ \"");
  const double n = 27;
  EXPECT_DOUBLE_EQ(f[0], (std::log(n) - 5.5) / 1.2);
  EXPECT_DOUBLE_EQ(f[1], (std::log(8.0) - 3.8) / 1.2);
  EXPECT_DOUBLE_EQ(f[2], saturating(10 * 2 / n));            // digits
  EXPECT_DOUBLE_EQ(f[4], saturating(12 * 2 / n));            // capitals
  EXPECT_DOUBLE_EQ(f[6], saturating(30 * 1 / n));            // signs of code
  EXPECT_DOUBLE_EQ(f[10], -1);                               // asks
  EXPECT_DOUBLE_EQ(f[14], 4 * 7 / 8.0 - 3);                  // distinct words
  EXPECT_DOUBLE_EQ(f[15], std::log1p(1) - 1);                // numbers
  EXPECT_DOUBLE_EQ(f[16], saturating(1 / 3.0));              // sentences
  EXPECT_DOUBLE_EQ(f[17], saturating(20 * 1 / n));           // quotes
  EXPECT_DOUBLE_EQ(f[19], 1);                                // begins with a capital
  EXPECT_DOUBLE_EQ(f[23], saturating(1));                    // blanks to fill
  EXPECT_DOUBLE_EQ(f[24], 8 * 2 / 8.0 - 1);                  // "a", twice, of the commonest words
}

TEST(TextFeatures, know_answer_options_by_the_beginnings_of_lines) {
  const auto options = [](const std::u16string& text) { return features(text)[11]; };
  EXPECT_DOUBLE_EQ(options(u"Which?\nA) iron\nB) oxygen\n(C) neon"), saturating(1.5));
  EXPECT_DOUBLE_EQ(options(u"1. one\n 2: two"), saturating(1));
  EXPECT_DOUBLE_EQ(options(u"A one\nI) two\n((A) three\nx (A) four"), -1);
}

TEST(TextFeatures, know_how_a_text_ends_beyond_what_is_read) {
  const std::u16string text(100000, u'x');
  EXPECT_DOUBLE_EQ(features(text, '?')[10], 1);
  EXPECT_DOUBLE_EQ(features(text, '?')[18], -1);
  EXPECT_DOUBLE_EQ(features(text, 'x')[18], 1);
  EXPECT_DOUBLE_EQ(features(text, 'x')[0], 2.5);  // clipped
}

TEST(TextFeatures, of_any_units_are_finite_and_of_unit_size) {
  Philox random(5);
  for (int round = 0; round < 3000; ++round) {
    std::u16string text(random.next_below(round % 10 ? 200 : 6000), u' ');
    for (char16_t& c : text) c = static_cast<char16_t>(random.next_below(round % 3 ? 128 : 65536));
    if (round % 5 == 0)
      for (size_t i = 0; i < text.size(); i += 2) text[i] = ' ';  // as many words as there can be
    for (const double v : features(text)) ASSERT_LE(std::abs(v), 2.5);
  }
  for (const double v : features(u"")) EXPECT_LE(std::abs(v), 2.5);
}
