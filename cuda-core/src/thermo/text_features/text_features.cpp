#include "thermo/text_features/text_features.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string_view>

namespace xcore::thermo {
namespace {

enum Class : uint8_t { kForeign, kLetter, kUpper, kDigit, kSpace, kOther };
// Sets that a character of ASCII may belong to beside its class.
enum Mark : uint8_t { kCode = 1, kFormula = 2, kQuote = 4, kSentenceEnd = 8, kOptionEnd = 16 };

struct Character {
  Class kind = kOther;
  uint8_t marks = 0;
};

constexpr std::array<Character, 128> characters() {
  std::array<Character, 128> table{};
  for (int c = 0; c < 128; ++c) {
    if (c >= 'a' && c <= 'z') table[c].kind = kLetter;
    if (c >= 'A' && c <= 'Z') table[c].kind = kUpper;
    if (c >= '0' && c <= '9') table[c].kind = kDigit;
    if (c == ' ' || (c >= '\t' && c <= '\r')) table[c].kind = kSpace;
  }
  for (const char c : std::string_view("()[]{}_=;<>")) table[c].marks |= kCode;
  for (const char c : std::string_view("\\$^+*/")) table[c].marks |= kFormula;
  for (const char c : std::string_view("\"'`")) table[c].marks |= kQuote;
  for (const char c : std::string_view(".!?")) table[c].marks |= kSentenceEnd;
  for (const char c : std::string_view(").:")) table[c].marks |= kOptionEnd;
  return table;
}
constexpr std::array<Character, 128> kCharacters = characters();
constexpr Character character(int32_t c) { return c >= 0 && c < 128 ? kCharacters[c] : Character{kForeign, 0}; }

// Fowler, Noll and Vo's hash of a word's units.
constexpr uint32_t kStart = 2166136261u, kPrime = 16777619u;
constexpr uint32_t hashed(std::string_view word) {
  uint32_t h = kStart;
  for (const char c : word) h = (h ^ static_cast<uint32_t>(c)) * kPrime;
  return h;
}
// The commonest words of English: their share tells prose from lists, code and other languages.
constexpr uint32_t kFunctionWords[] = {hashed("the"), hashed("of"), hashed("a"), hashed("in"), hashed("to")};
constexpr int kLongWord = 7;

// Counts distinct words by their hashes.
class WordSet {
 public:
  explicit WordSet(int64_t units) {
    while (slots_ < units) slots_ *= 2;  // at most half as many words as units
    std::fill_n(table_, slots_, 0u);
  }
  void add(uint32_t hash) {
    const uint32_t key = hash | 1;  // 0 is an empty slot
    // The last steps of MurmurHash3 spread the slot (A. Appleby).
    uint32_t at = (hash ^ (hash >> 15)) * 0x85ebca6bu;
    for (at = (at ^ (at >> 13)) & (slots_ - 1); table_[at] != 0; at = (at + 1) & (slots_ - 1))
      if (table_[at] == key) return;
    table_[at] = key;
    ++count;
  }
  int64_t count = 0;

 private:
  uint32_t slots_ = 16;
  uint32_t table_[XC_THERMO_TEXT_UNITS];
};

// Answer options: lines that begin like "A." or "(2)".
class Options {
 public:
  int64_t count = 0;
  double mean() const { return static_cast<double>(sum_) / static_cast<double>(count); }
  double deviation() const {
    return std::sqrt(std::max(0.0, static_cast<double>(squares_) / static_cast<double>(count) - mean() * mean()));
  }

  void read(int32_t c, Character what) {
    if (c == '\n')
      end();
    else if (state_ == kOption)
      ++length_;
    else if (state_ == kSign)
      state_ = what.marks & kOptionEnd ? kOption : kLine;
    else if (state_ < kSign && !(what.kind == kSpace && state_ == kBeginning)) {
      if ((c >= 'A' && c <= 'H') || (c >= '1' && c <= '9'))
        state_ = kSign;
      else
        state_ = c == '(' && state_ == kBeginning ? kBracket : kLine;
    }
  }
  void end() {
    if (state_ == kOption) {
      ++count;
      sum_ += length_;
      squares_ += length_ * length_;
    }
    state_ = kBeginning;
    length_ = 0;
  }

 private:
  enum State { kBeginning, kBracket, kSign, kOption, kLine };
  State state_ = kBeginning;
  int64_t length_ = 0, sum_ = 0, squares_ = 0;
};

constexpr double kLimit = 2.5;  // features stay within this distance of 0
// A share or count that saturates, from -1 to 1.
double saturating(double x) { return 2 * std::tanh(x) - 1; }

bool is_alphanumeric(Class k) { return k == kLetter || k == kUpper || k == kDigit; }

}  // namespace

void text_features(const char16_t* units, int64_t length, int32_t last, double* features) {
  const int64_t read = std::min<int64_t>(length, XC_THERMO_TEXT_UNITS);
  int64_t of_class[6] = {};
  int64_t code = 0, formula = 0, quotes = 0, lines = 0, numbers = 0, sentences = 0, blanks = 0, names_inside = 0;
  int64_t words = 0, word_lengths = 0, long_words = 0, function_words = 0, first_line = -1;
  WordSet distinct(read);
  Options options;

  uint32_t hash = kStart;
  int64_t word = 0;  // length of the one being read
  int32_t before = 0;
  Class class_before = kSpace, class_two_before = kSpace;
  for (int64_t i = 0; i <= read; ++i) {
    // A space after the end closes the last word.
    const int32_t c = i < read ? units[i] : ' ';
    const Character what = character(c);
    const Class kind = what.kind;
    if (kind == kSpace) {
      if (word > 0) {
        ++words;
        word_lengths += word;
        if (word > kLongWord) ++long_words;
        if (std::find(std::begin(kFunctionWords), std::end(kFunctionWords), hash) != std::end(kFunctionWords)) ++function_words;
        distinct.add(hash);
        hash = kStart;
        word = 0;
      }
      if (character(before).marks & kSentenceEnd) ++sentences;
    } else {
      ++word;
      hash = (hash ^ static_cast<uint32_t>(kind == kUpper ? c + 32 : c)) * kPrime;
    }
    if (i == read) break;
    ++of_class[kind];
    if (kind == kUpper && class_before == kSpace && class_two_before == kLetter) ++names_inside;
    if (kind == kDigit && class_before != kDigit) ++numbers;
    code += (what.marks & kCode) != 0;
    formula += (what.marks & kFormula) != 0;
    quotes += (what.marks & kQuote) != 0;
    if (c == '_' && before != '_') ++blanks;
    options.read(c, what);
    if (c == '\n') {
      ++lines;
      if (first_line < 0) first_line = i;
    }
    class_two_before = class_before;
    class_before = kind;
    before = c;
  }
  options.end();

  const double n = std::max<double>(1, static_cast<double>(read)), w = std::max<double>(1, static_cast<double>(words));
  const auto per_unit = [n](int64_t count) { return static_cast<double>(count) / n; };
  const auto per_word = [w](int64_t count) { return static_cast<double>(count) / w; };
  const double values[XC_THERMO_TEXT_FEATURES] = {
      (std::log(std::max<double>(1, static_cast<double>(length))) - 5.5) / 1.2,
      (std::log(w) - 3.8) / 1.2,
      saturating(10 * per_unit(of_class[kDigit])),
      (per_unit(of_class[kLetter] + of_class[kUpper]) - 0.75) * 8,
      saturating(12 * per_unit(of_class[kUpper])),
      saturating(8 * per_unit(of_class[kOther])),
      saturating(30 * per_unit(code)),
      saturating(40 * per_unit(formula)),
      std::log1p(static_cast<double>(lines)) - 1,
      per_word(word_lengths) / 2 - 2.3,
      last == '?' ? 1.0 : -1.0,
      saturating(static_cast<double>(options.count) / 2),
      std::tanh(50 * per_unit(of_class[kForeign])),
      4 * per_word(long_words) - 1,
      4 * per_word(distinct.count) - 3,
      std::log1p(static_cast<double>(numbers)) - 1,
      saturating(static_cast<double>(sentences) / 3),
      saturating(20 * per_unit(quotes)),
      is_alphanumeric(character(last).kind) ? 1.0 : -1.0,
      length > 0 && character(units[0]).kind == kUpper ? 1.0 : -1.0,
      options.count > 0 ? std::log1p(options.mean()) / 2 - 1 : -1.0,
      options.count > 0 ? std::log1p(options.deviation()) / 2 : -1.0,
      std::log1p(static_cast<double>(first_line < 0 ? read : first_line)) / 2 - 2.3,
      saturating(static_cast<double>(blanks)),
      8 * per_word(function_words) - 1,
      saturating(static_cast<double>(names_inside) / 3),
  };
  for (int i = 0; i < XC_THERMO_TEXT_FEATURES; ++i) features[i] = std::clamp(values[i], -kLimit, kLimit);
}

}  // namespace xcore::thermo
