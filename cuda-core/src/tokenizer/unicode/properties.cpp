#include "tokenizer/unicode/properties.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>

namespace xcore::tokenizer {
namespace {

struct CaseFold {
  uint32_t code_point, next;
};
struct LowerCase {
  uint32_t code_point, first, second;
};
struct Decomposition {
  uint32_t code_point;
  uint16_t first;
  uint16_t count;
};
#include "tokenizer/unicode/properties.inc"

// Adds the ranges of all runs whose value satisfies `wanted`.
template <size_t N, class F>
void collect(const uint32_t (&runs)[N], F wanted, RangeSet& out) {
  for (size_t i = 0; i < N; ++i) {
    if (!wanted(runs[i] & 255)) continue;
    out.add(runs[i] >> 8, i + 1 < N ? (runs[i + 1] >> 8) - 1 : kLastCodePoint);
  }
  out.normalise();
}

// Loose matching (UAX 44, LM3): lower case without blanks, '-' and '_'.
std::string loose(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  }
  return out;
}

struct LongName {
  const char* name;
  const char* category;
};
const LongName kLongNames[] = {
    {"letter", "l"}, {"casedletter", "lc"}, {"uppercaseletter", "lu"}, {"lowercaseletter", "ll"}, {"titlecaseletter", "lt"},
    {"modifierletter", "lm"}, {"otherletter", "lo"}, {"mark", "m"}, {"combiningmark", "m"}, {"nonspacingmark", "mn"},
    {"spacingmark", "mc"}, {"enclosingmark", "me"}, {"number", "n"}, {"decimalnumber", "nd"}, {"letternumber", "nl"},
    {"othernumber", "no"}, {"punctuation", "p"}, {"connectorpunctuation", "pc"}, {"dashpunctuation", "pd"},
    {"openpunctuation", "ps"}, {"closepunctuation", "pe"}, {"initialpunctuation", "pi"}, {"finalpunctuation", "pf"},
    {"otherpunctuation", "po"}, {"symbol", "s"}, {"mathsymbol", "sm"}, {"currencysymbol", "sc"}, {"modifiersymbol", "sk"},
    {"othersymbol", "so"}, {"separator", "z"}, {"spaceseparator", "zs"}, {"lineseparator", "zl"},
    {"paragraphseparator", "zp"}, {"other", "c"}, {"control", "cc"}, {"format", "cf"}, {"surrogate", "cs"},
    {"privateuse", "co"}, {"unassigned", "cn"},
};

bool category(std::string name, RangeSet& out) {
  for (const LongName& l : kLongNames) {
    if (name == l.name) name = l.category;
  }
  const bool cased = name == "lc" || name == "l&";
  bool known = cased;
  bool wanted[std::size(kCategoryNames)] = {};
  for (size_t i = 0; i < std::size(kCategoryNames); ++i) {
    const std::string own = loose(kCategoryNames[i]);
    wanted[i] = cased ? own == "lu" || own == "ll" || own == "lt" : name == own || (name.size() == 1 && own[0] == name[0]);
    known = known || wanted[i];
  }
  if (!known) return false;
  collect(kCategoryRuns, [&](uint32_t v) { return wanted[v]; }, out);
  return true;
}

bool script(const std::string& name, RangeSet& out) {
  // The codes of ISO 15924 that expressions in the wild use beside the long names.
  static const std::pair<const char*, const char*> codes[] = {
      {"hani", "han"}, {"hira", "hiragana"}, {"kana", "katakana"}, {"hang", "hangul"}, {"latn", "latin"}, {"grek", "greek"},
      {"cyrl", "cyrillic"}, {"arab", "arabic"}, {"hebr", "hebrew"}, {"deva", "devanagari"}, {"thai", "thai"}, {"beng", "bengali"},
      {"taml", "tamil"}, {"telu", "telugu"}, {"geor", "georgian"}, {"armn", "armenian"}, {"khmr", "khmer"}, {"laoo", "lao"},
      {"tibt", "tibetan"}, {"mymr", "myanmar"}, {"ethi", "ethiopic"}, {"zyyy", "common"}, {"zinh", "inherited"}, {"bopo", "bopomofo"}};
  std::string wanted = name;
  for (const auto& [code, full] : codes) {
    if (name == code) wanted = full;
  }
  for (size_t i = 0; i < std::size(kScriptNames); ++i) {
    if (loose(kScriptNames[i]) != wanted) continue;
    collect(kScriptRuns, [&](uint32_t v) { return v == i + 1; }, out);
    return true;
  }
  return false;
}

bool binary(const std::string& name, RangeSet& out) {
  const std::string wanted = name == "alpha" ? "alphabetic" : name == "upper" ? "uppercase" : name == "lower" ? "lowercase" : name == "space" ? "whitespace" : name;
  for (size_t i = 0; i < std::size(kBinaryNames); ++i) {
    if (loose(kBinaryNames[i]) != wanted) continue;
    collect(kBinaryRuns, [&](uint32_t v) { return (v >> i & 1) != 0; }, out);
    return true;
  }
  return false;
}

RangeSet union_of(std::initializer_list<const char*> names) {
  RangeSet out;
  for (const char* name : names) {
    RangeSet part;
    property(name, part);
    out.add(part);
  }
  out.normalise();
  return out;
}

bool posix(const std::string& name, RangeSet& out) {
  if (name == "any") out = {{0, kLastCodePoint}};
  else if (name == "ascii") out = {{0, 0x7f}};
  else if (name == "digit") property("Nd", out);
  else if (name == "xdigit") out = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
  else if (name == "alnum") out = union_of({"Alphabetic", "Nd"});
  else if (name == "blank") out = union_of({"Zs"}), out.add('\t', '\t'), out.normalise();
  else if (name == "cntrl") property("Cc", out);
  else if (name == "word") out = union_of({"Alphabetic", "M", "Nd", "Pc"});
  else if (name == "punct") out = union_of({"P"}), out.add('$', '$'), out.add('+', '+'), out.add('<', '>'), out.add('^', '^'), out.add('`', '`'), out.add('|', '|'), out.add('~', '~'), out.normalise();
  else if (name == "graph" || name == "print") {
    out = union_of({"Cc", "Cs", "Cn"});
    if (name == "graph") out.add(union_of({"White_Space"}));
    out.normalise();
    out.invert();
  } else return false;
  return true;
}

CharSet set_of(std::initializer_list<const char*> names) { return CharSet(union_of(names)); }

}  // namespace

bool property(std::string_view name, RangeSet& out) {
  std::string wanted = loose(name);
  bool only_script = false, only_category = false;
  for (const char* prefix : {"script=", "sc=", "scriptextensions=", "scx="}) {
    if (wanted.compare(0, std::strlen(prefix), prefix) != 0) continue;
    wanted.erase(0, std::strlen(prefix));
    only_script = true;
    break;
  }
  for (const char* prefix : {"generalcategory=", "gc="}) {
    if (only_script || wanted.compare(0, std::strlen(prefix), prefix) != 0) continue;
    wanted.erase(0, std::strlen(prefix));
    only_category = true;
    break;
  }
  if (only_script) return script(wanted, out);
  if (category(wanted, out)) return true;
  return !only_category && (binary(wanted, out) || posix(wanted, out) || script(wanted, out));
}

const CharSet& word_characters() {
  static const CharSet set = set_of({"Alphabetic", "M", "Nd", "Pc"});
  return set;
}
const CharSet& space_characters() {
  static const CharSet set = set_of({"White_Space"});
  return set;
}
const CharSet& number_characters() {
  static const CharSet set = set_of({"N"});
  return set;
}
const CharSet& mark_characters() {
  static const CharSet set = set_of({"M"});
  return set;
}
const CharSet& punctuation_characters() {
  static const CharSet set = set_of({"punct"});
  return set;
}

void for_each_case_pair(const std::function<void(uint32_t, uint32_t)>& use) {
  for (const CaseFold& f : kCaseFolds) {
    for (uint32_t d = f.next; d != f.code_point; d = next_of_equal_case(d)) use(f.code_point, d);
  }
}

uint32_t next_of_equal_case(uint32_t c) {
  const auto* f = std::lower_bound(std::begin(kCaseFolds), std::end(kCaseFolds), c,
                                   [](const CaseFold& x, uint32_t v) { return x.code_point < v; });
  return f != std::end(kCaseFolds) && f->code_point == c ? f->next : c;
}

std::pair<uint32_t, uint32_t> lower_case(uint32_t c) {
  if (c < 0x80) return {c >= 'A' && c <= 'Z' ? c + 32 : c, 0};
  const auto* l = std::lower_bound(std::begin(kLowerCase), std::end(kLowerCase), c,
                                   [](const LowerCase& x, uint32_t v) { return x.code_point < v; });
  if (l == std::end(kLowerCase) || l->code_point != c) return {c, 0};
  return {l->first, l->second};
}

CodePoints compatibility_decomposition(uint32_t c) {
  const auto* d = std::lower_bound(std::begin(kCompatible), std::end(kCompatible), c,
                                   [](const Decomposition& x, uint32_t v) { return x.code_point < v; });
  if (d == std::end(kCompatible) || d->code_point != c) return {nullptr, 0};
  return {kCompatiblePool + d->first, d->count};
}

}  // namespace xcore::tokenizer
