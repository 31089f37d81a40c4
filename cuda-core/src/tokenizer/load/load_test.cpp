#include "tokenizer/load/load.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "gguf/gguf.hpp"
#include "runtime/error.hpp"
#include "runtime/philox.hpp"
#include "testing/backend.hpp"
#include "tokenizer/load/samples_testing.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

using Ids = std::vector<uint32_t>;

Ids encode(const Tokenizer& t, std::string_view text, uint32_t flags = XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL) {
  Ids ids(text.size() * 4 + 16);
  Sink sink{ids.data(), ids.size()};
  t.encode(text, flags, sink);
  EXPECT_LE(sink.count, ids.size());
  ids.resize(sink.count);
  return ids;
}

std::string decode(const Tokenizer& t, const Ids& ids, bool skip_special = false) {
  std::string out;
  t.decode(ids.data(), ids.size(), skip_special, out);
  return out;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

Error refused(const std::string& text) {
  try {
    load_bytes(text);
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "accepted: " << text.substr(0, 200);
  return Error(XC_OK, "");
}

std::string file(const std::string& vocab, const std::string& merges, const std::string& rest = "") {
  return R"({"model":{"type":"BPE","vocab":)" + vocab + R"(,"merges":)" + merges +
         R"(},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"})" + rest + "}";
}
const char* const kVocab = R"({"a":0,"b":1,"c":2,"ab":3})";

// A GGUF file of metadata only.
class GgufBuilder {
 public:
  void string(const char* key, const std::string& value) {
    begin(key, 8);
    text(value);
  }
  void strings(const char* key, const std::vector<std::string>& values) {
    array(key, 8, values.size());
    for (const auto& v : values) text(v);
  }
  template <class T>
  void numbers(const char* key, uint32_t type, const std::vector<T>& values) {
    array(key, type, values.size());
    for (const T v : values) raw(v);
  }
  void u32(const char* key, uint32_t value) {
    begin(key, 4);
    raw(value);
  }
  void boolean(const char* key, bool value) {
    begin(key, 7);
    raw(static_cast<uint8_t>(value));
  }
  std::string bytes() const {
    std::string out("GGUF");
    append(out, uint32_t{3});
    append(out, uint64_t{0});
    append(out, count_);
    return out + body_;
  }

 private:
  template <class T>
  static void append(std::string& out, T v) {
    out.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  template <class T>
  void raw(T v) {
    append(body_, v);
  }
  void text(const std::string& s) {
    raw(uint64_t{s.size()});
    body_ += s;
  }
  void begin(const char* key, uint32_t type) {
    ++count_;
    text(key);
    raw(type);
  }
  void array(const char* key, uint32_t type, size_t size) {
    begin(key, 9);
    raw(type);
    raw(uint64_t{size});
  }
  std::string body_;
  uint64_t count_ = 0;
};

GgufBuilder sentencepiece() {
  GgufBuilder g;
  g.string("general.architecture", "llama");
  g.string("tokenizer.ggml.model", "llama");
  const std::string blank = "\xe2\x96\x81";
  g.strings("tokenizer.ggml.tokens", {"<unk>", "<s>", "</s>", "<0xC3>", "<0xA9>", blank, "a", "b", blank + "a", "ab", blank + "ab", "<u>"});
  g.numbers<float>("tokenizer.ggml.scores", 6, {0, 0, 0, 0, 0, -9, -9, -9, -3, -2, -1, 0});
  g.numbers<int32_t>("tokenizer.ggml.token_type", 5, {2, 3, 3, 6, 6, 1, 1, 1, 1, 1, 1, 4});
  g.u32("tokenizer.ggml.bos_token_id", 1);
  g.u32("tokenizer.ggml.eos_token_id", 2);
  g.u32("tokenizer.ggml.unknown_token_id", 0);
  return g;
}

// Texts of a llama.cpp vocabulary test with llama.cpp's ids (special tokens parsed, none added).
void compare_with_llama_cpp(const std::string& name) {
  XC_REFERENCE_OR_SKIP(path, "reference/bpe/assets/gguf/ggml-vocab-" + name + ".gguf");
  const auto t = load_file(path);
  const std::string inputs = read(path + ".inp");
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::istringstream outputs(read(path + ".out"));
  size_t at = 0, cases = 0;
  for (std::string line; std::getline(outputs, line); ++cases) {
    const size_t stop = std::min(inputs.find(separator, at), inputs.size());
    std::istringstream numbers(line);
    const Ids expected{std::istream_iterator<uint32_t>(numbers), {}};
    const std::string text = inputs.substr(at, stop - at);
    EXPECT_EQ(encode(*t, text, XC_ENCODE_PARSE_SPECIAL), expected) << name << ": " << text;
    at = stop + separator.size();
  }
  EXPECT_GT(cases, 40u);
}

}  // namespace

TEST(LoadJson, merges_by_rank_and_decodes_back) {
  const auto t = load_bytes(file(kVocab, R"(["a b"])"));
  EXPECT_EQ(encode(*t, "abcab"), (Ids{3, 2, 3}));
  EXPECT_EQ(decode(*t, {3, 2, 3}), "abcab");
  EXPECT_EQ(encode(*load_bytes(file(kVocab, R"([["a","b"]])")), "ab"), (Ids{3}));
}

TEST(LoadJson, added_tokens_template_and_prefix_space) {
  const auto t = load_bytes(
      R"({"model":{"vocab":{"a":0,"Ġ":1,"Ġa":2},"merges":["Ġ a"]},
          "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},
          "added_tokens":[{"id":5,"content":"<s>","special":true},{"id":6,"content":"</s>","special":true}],
          "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}},{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"</s>"}}],
            "special_tokens":{"<s>":{"ids":[5]},"</s>":{"ids":[6]}}}})");
  EXPECT_EQ(encode(*t, "a</s>a"), (Ids{5, 2, 6, 2, 6}));
  EXPECT_EQ(encode(*t, "", XC_ENCODE_ADD_SPECIAL), (Ids{5, 6}));
  EXPECT_EQ(decode(*t, {5, 2, 6}, true), " a");
  EXPECT_EQ(t->model().bos, 5u);
  EXPECT_EQ(t->model().eos, 6u);
  EXPECT_TRUE(t->model().flags[6] & XC_TOKEN_END_OF_GENERATION);
  EXPECT_FALSE(t->has(3));  // a gap in the ids
}

TEST(LoadJson, refusals_say_where_and_what) {
  struct Case {
    std::string text;
    xc_status status;
    const char* field;
  };
  const Case cases[] = {
      {"[]", XC_INVALID_FORMAT, ""},
      {"{}", XC_INVALID_FORMAT, ""},
      {file("{}", "[]"), XC_INVALID_FORMAT, "model.vocab"},
      {file(R"({"a":0,"b":0})", "[]"), XC_INVALID_FORMAT, "model.vocab"},
      {file(R"({"a":-1})", "[]"), XC_INVALID_FORMAT, "model.vocab['a']"},
      {file(R"({"a":0.5})", "[]"), XC_INVALID_FORMAT, "model.vocab['a']"},
      {file(R"({"a":3000000000})", "[]"), XC_INVALID_FORMAT, "model.vocab['a']"},
      {file(R"({"a":2000000000})", "[]"), XC_INVALID_FORMAT, "model.vocab"},
      {file(kVocab, R"(["a x"])"), XC_INVALID_FORMAT, "model.merges[0]"},
      {file(kVocab, R"(["a b","b a"])"), XC_INVALID_FORMAT, "model.merges[1]"},
      {file(kVocab, R"(["ab"])"), XC_INVALID_FORMAT, "model.merges[0]"},
      {file(kVocab, R"([["a"]])"), XC_INVALID_FORMAT, "model.merges[0]"},
      {file(kVocab, R"([7])"), XC_INVALID_FORMAT, "model.merges[0]"},
      {file(kVocab, "[]", R"(,"added_tokens":[{"id":0,"content":"<x>"}])"), XC_INVALID_FORMAT, "added_tokens[0]"},
      {file(kVocab, "[]", R"(,"added_tokens":[{"id":9,"content":"ab"}])"), XC_INVALID_FORMAT, "added_tokens[0]"},
      {file(kVocab, "[]", R"(,"added_tokens":[{"id":9,"content":""}])"), XC_INVALID_FORMAT, "added_tokens[0]"},
      {file(kVocab, "[]", R"(,"normalizer":{"type":"Precompiled"})"), XC_UNSUPPORTED, "normalizer"},
      {R"({"model":{"type":"WordPiece","vocab":{"a":0}}})", XC_UNSUPPORTED, "model.type"},
      {R"({"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(x"},"behavior":"Isolated"}})",
       XC_INVALID_FORMAT, "pre_tokenizer.pattern.Regex"},
      {R"({"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"x\\X"},"behavior":"Isolated"}})",
       XC_UNSUPPORTED, "pre_tokenizer.pattern.Regex"},
      {R"({"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"UnicodeScripts"}})", XC_UNSUPPORTED, "pre_tokenizer"},
  };
  for (const Case& c : cases) {
    const Error e = refused(c.text);
    EXPECT_EQ(e.status, c.status) << c.text;
    EXPECT_EQ(e.field, c.field) << c.text << "\n" << e.what();
  }
}

TEST(LoadJson, truncated_and_flipped_files_never_crash) {
  const std::string good = file(kVocab, R"(["a b"])", R"(,"normalizer":{"type":"NFC"},"added_tokens":[{"id":4,"content":"<s>","special":true}])");
  for (size_t n = 0; n < good.size(); ++n) EXPECT_EQ(refused(good.substr(0, n)).status, XC_INVALID_FORMAT) << n;
  Philox random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    bad[random.next_below(static_cast<uint32_t>(bad.size()))] ^= static_cast<char>(1 << random.next_below(8));
    try {
      encode(*load_bytes(bad), "abc <s>");
    } catch (const Error& e) {
      EXPECT_TRUE(e.status == XC_INVALID_FORMAT || e.status == XC_UNSUPPORTED) << e.what();
    }
  }
}

namespace {
// One character a token, so that ids show the pieces' text and offsets show where it came from.
struct Components {
  const char* name;
  const char* components;
  const char* text;
  const char* tokens;                 // joined with |
  std::vector<uint32_t> offsets;      // code points
};
class EveryComponent : public ::testing::TestWithParam<Components> {};
// Run with a sanitizer: the byte before the text must not be read.
TEST(LoadJson, a_stray_byte_begins_a_text_of_characters) {
  const auto t = load_bytes(samples::characters_file());
  const std::vector<char> text = {'\xb3', '\xe2', '\x96', '\x81', 'h', 'e'};
  std::vector<uint32_t> ids(64);
  Sink sink{ids.data(), ids.size()};
  t->encode({text.data(), text.size()}, XC_ENCODE_CONTINUE, sink);
  EXPECT_EQ(Ids(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(sink.count)), (Ids{12 + 0xb3, 2, 7}));
}

TEST(LoadJson, what_merges_would_make_of_a_token_that_nothing_makes_is_never_met) {
  EXPECT_EQ(encode(*load_bytes(file(R"({"a":0,"b":1,"c":2,"ab":3,"abc":4})", R"([["ab","c"]])")), "abc"), (Ids{0, 1, 2}));
}

TEST(LoadGguf, tokens_of_stray_bytes_are_never_met) {
  GgufBuilder g;
  g.string("general.architecture", "llama");
  g.string("tokenizer.ggml.model", "llama");
  g.strings("tokenizer.ggml.tokens", {"<unk>", "e", "\xe8" "e"});
  g.numbers<float>("tokenizer.ggml.scores", 6, {0, -2, -1});
  g.numbers<int32_t>("tokenizer.ggml.token_type", 5, {2, 1, 1});
  g.u32("tokenizer.ggml.unknown_token_id", 0);
  g.boolean("tokenizer.ggml.add_space_prefix", false);
  EXPECT_EQ(encode(*load_bytes(g.bytes()), "\xe8" "e", 0), (Ids{0, 1}));
}

// To Oniguruma a plus behind braces repeats what they repeat; in tiktoken it gives nothing back.
TEST(LoadJson, a_published_expression_is_read_as_hugging_face_reads_it) {
  const auto t = load_bytes(
      R"~({"model":{"type":"BPE","vocab":{"0":0,"00":1,"0000":2},"merges":["0 0","00 00"]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[)~"
      R"~({"type":"Split","behavior":"Isolated","pattern":{"Regex":"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},)~"
      R"~({"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},"decoder":{"type":"ByteLevel"}})~");
  EXPECT_EQ(encode(*t, "0000"), Ids{2});
}

// Run with a sanitizer: no token has any bytes, so there is no memory that holds them.
TEST(Load, tokens_that_are_all_empty_decode_to_nothing) {
  Model m;
  m.tokens.resize(2);
  m.bytes.resize(2);
  m.flags.assign(2, XC_TOKEN_PRESENT);
  const DecodeTable table(m);
  const uint32_t ids[] = {0, 1};
  ByteSink out{nullptr, 0};
  table.decode(ids, 2, out, [](size_t i) { return i + 1; });
  EXPECT_EQ(out.count, 0u);
}

TEST(LoadRanks, a_small_file_does_not_ask_for_gigabytes) {
  EXPECT_THROW(read_ranks("YQ== 0\nYg== 268435455\n", "a|b", {}), Error);
  try {
    read_ranks("YQ== 0\nYg== 1\n", "a|b", {{"<s>", 268435455}});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.field, "specialTokens");
  }
}

}  // namespace

TEST_P(EveryComponent, gives_the_text_and_offsets_of_hugging_face) {
  const Components& c = GetParam();
  const std::string vocab =
      R"({"<unk>":0,"a":1,"b":2,"c":3,"1":4,"2":5,".":6," ":7,"▁":8,"é":9,"e":10,"x":11,"ab":12,"12":13,"ﬁ":14,"f":15,"i":16,"A":17,"\u0301":18,"▁a":19,"中":20})";
  const auto t = load_bytes(R"({"model":{"type":"BPE","unk_token":"<unk>","vocab":)" + vocab +
                            R"(,"merges":["a b","1 2","▁ a"]},)" + c.components + "}");
  std::vector<Token> tokens;
  t->encode_tokens(c.text, 0, OffsetUnit::code_point, tokens);
  std::string joined;
  std::vector<uint32_t> offsets;
  for (const Token& token : tokens) {
    if (!joined.empty()) joined += '|';
    joined += t->model().tokens[token.id];
    offsets.insert(offsets.end(), {token.range.begin, token.range.end});
  }
  EXPECT_EQ(joined, c.tokens);
  EXPECT_EQ(offsets, c.offsets);
  std::vector<uint32_t> ids;
  for (const Token& token : tokens) ids.push_back(token.id);
  EXPECT_EQ(encode(*t, c.text, 0), ids);
}

INSTANTIATE_TEST_SUITE_P(
    Load, EveryComponent,
    ::testing::Values(
        Components{"plain", R"("normalizer":null)", "a b", "a| |b", {0, 1, 1, 2, 2, 3}},
        Components{"nfc", R"("normalizer":{"type":"NFC"})", "e\xcc\x81x", "é|x", {0, 1, 2, 3}},
        Components{"nfd", R"("normalizer":{"type":"NFD"})", "\xc3\xa9x", "e|\xcc\x81|x", {0, 1, 0, 1, 1, 2}},
        Components{"nfkc", R"("normalizer":{"type":"NFKC"})", "\xef\xac\x81x", "f|i|x", {0, 1, 0, 1, 1, 2}},
        Components{"lowercase", R"("normalizer":{"type":"Lowercase"})", "AB", "ab", {0, 2}},
        Components{"accents", R"("normalizer":{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]})",
                   "\xc3\xa9x", "e|x", {0, 1, 1, 2}},
        Components{"strip", R"("normalizer":{"type":"Strip","strip_left":true,"strip_right":true})", "  ab ", "ab", {2, 4}},
        Components{"replace", R"("normalizer":{"type":"Replace","pattern":{"Regex":"[xy]+"},"content":"ab"})", "xyxc", "ab|c", {2, 3, 3, 4}},
        Components{"prepend", R"("normalizer":{"type":"Prepend","prepend":"▁"})", "ab", "▁|ab", {0, 1, 0, 2}},
        Components{"digits", R"("pre_tokenizer":{"type":"Digits","individual_digits":true})", "12a", "1|2|a", {0, 1, 1, 2, 2, 3}},
        Components{"digit_runs", R"("pre_tokenizer":{"type":"Digits","individual_digits":false})", "a12", "a|12", {0, 1, 1, 3}},
        Components{"whitespace", R"("pre_tokenizer":{"type":"Whitespace"})", "ab .c", "ab|.|c", {0, 2, 3, 4, 4, 5}},
        Components{"whitespace_split", R"("pre_tokenizer":{"type":"WhitespaceSplit"})", " a  b", "a|b", {1, 2, 4, 5}},
        Components{"punctuation", R"("pre_tokenizer":{"type":"Punctuation"})", "a.b", "a|.|b", {0, 1, 1, 2, 2, 3}},
        Components{"split_removed", R"("pre_tokenizer":{"type":"Split","pattern":{"String":"x"},"behavior":"Removed","invert":false})",
                   "axb", "a|b", {0, 1, 2, 3}},
        Components{"split_inverted", R"("pre_tokenizer":{"type":"Split","pattern":{"Regex":"[ab]"},"behavior":"Removed","invert":true})",
                   "axb", "a|b", {0, 1, 2, 3}},
        Components{"metaspace", R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true})",
                   "a a", "▁a|▁a", {0, 1, 1, 3}},
        Components{"metaspace_never", R"("pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false})",
                   "a a", "a|▁a", {0, 1, 1, 3}}),
    [](const auto& info) { return info.param.name; });

TEST(LoadFile, absent_files_and_folders_are_typed_errors) {
  const auto status = [](const std::string& path) {
    try {
      load_file(path);
    } catch (const Error& e) {
      return e.status;
    }
    return XC_OK + 0;
  };
  EXPECT_EQ(status("/no/such/tokenizer.json"), XC_NOT_FOUND);
  EXPECT_EQ(status("/"), XC_IO);
}

TEST(LoadGguf, sentencepiece_merges_by_score_with_byte_tokens) {
  const auto t = load_bytes(sentencepiece().bytes());
  EXPECT_EQ(encode(*t, "ab a"), (Ids{1, 10, 8}));
  EXPECT_EQ(encode(*t, "a\xc3\xa9z", 0), (Ids{8, 3, 4, 0}));  // bytes for one letter, <unk> for a byte without token
  EXPECT_EQ(encode(*t, "a</s>b", XC_ENCODE_PARSE_SPECIAL), (Ids{8, 2, 5, 7}));  // the space prefix again after a special one
  EXPECT_EQ(encode(*t, "a<u>b", 0), (Ids{8, 11, 5, 7}));
  EXPECT_EQ(decode(*t, {1, 10, 8}, true), "ab a");
  EXPECT_EQ(decode(*t, {8, 3, 4}), "a\xc3\xa9");
}

TEST(LoadGguf, neighbouring_characters_that_no_token_holds_are_their_bytes) {
  const auto t = load_bytes(sentencepiece().bytes());
  EXPECT_EQ(encode(*t, "a\xc3\xa9\xc3\xa9\xc3\xa9", 0), (Ids{8, 3, 4, 3, 4, 3, 4}));
}

TEST(LoadGguf, refusals_name_the_key) {
  struct Case {
    const char* field;
    std::function<void(GgufBuilder&)> spoil;
  };
  const Case cases[] = {
      {"tokenizer.ggml.model", [](GgufBuilder& g) { g.string("tokenizer.ggml.model", "bert"); }},
      {"tokenizer.ggml.tokens", [](GgufBuilder& g) { g.string("tokenizer.ggml.model", "llama"); }},
      {"tokenizer.ggml.scores",
       [](GgufBuilder& g) {
         g.string("tokenizer.ggml.model", "llama");
         g.strings("tokenizer.ggml.tokens", {"a"});
       }},
      {"tokenizer.ggml.pre",
       [](GgufBuilder& g) {
         g.string("tokenizer.ggml.model", "gpt2");
         g.string("tokenizer.ggml.pre", "martian");
         g.strings("tokenizer.ggml.tokens", {"a"});
       }},
      {"tokenizer.ggml.merges",
       [](GgufBuilder& g) {
         g.string("tokenizer.ggml.model", "gpt2");
         g.strings("tokenizer.ggml.tokens", {"a"});
         g.strings("tokenizer.ggml.merges", {"a b"});
       }},
      {"tokenizer.ggml.bos_token_id",
       [](GgufBuilder& g) {
         g.string("tokenizer.ggml.model", "gpt2");
         g.strings("tokenizer.ggml.tokens", {"a"});
         g.strings("tokenizer.ggml.merges", {});
         g.u32("tokenizer.ggml.bos_token_id", 7);
       }},
  };
  for (const Case& c : cases) {
    GgufBuilder g;
    g.string("general.architecture", "llama");
    c.spoil(g);
    EXPECT_EQ(refused(g.bytes()).field, c.field);
  }
}

TEST(LoadGguf, ids_are_those_of_llama_cpp_for_gpt2) { compare_with_llama_cpp("gpt-2"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_llama_spm) { compare_with_llama_cpp("llama-spm"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_phi3) { compare_with_llama_cpp("phi-3"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_mpt) { compare_with_llama_cpp("mpt"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_starcoder) { compare_with_llama_cpp("starcoder"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_refact) { compare_with_llama_cpp("refact"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_falcon) { compare_with_llama_cpp("falcon"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_deepseek_llm) { compare_with_llama_cpp("deepseek-llm"); }
TEST(LoadGguf, ids_are_those_of_llama_cpp_for_deepseek_coder) { compare_with_llama_cpp("deepseek-coder"); }

TEST(LoadGguf, stories260k_prompt_has_its_recorded_ids) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-F32.gguf");
  const auto t = load_file(path);
  EXPECT_EQ(encode(*t, "Zoo"), (Ids{1, 410, 469, 347}));
  EXPECT_EQ(decode(*t, {1, 410, 469, 347}, true), "Zoo");
}

TEST(LoadGguf, the_pool_models_encode_like_the_tokenizer_json) {
  XC_REFERENCE_OR_SKIP(json, "pool/tokenizer.json");
  XC_REFERENCE_OR_SKIP(gguf, "pool/pool-nano-q8_0.gguf");
  XC_REFERENCE_OR_SKIP(questions, "pool/questions.jsonl");
  const auto a = load_file(json);
  const auto b = load_file(gguf);
  ASSERT_EQ(a->model().flags.size(), b->model().flags.size());
  for (uint32_t id = 0; id < a->model().flags.size(); ++id) ASSERT_EQ(a->model().tokens[id], b->model().tokens[id]);
  std::ifstream in(questions);
  size_t lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    const std::string text = "<|im_start|>user\n" + line + "<|im_end|>\n<|im_start|>assistant\n";
    const Ids ids = encode(*a, text);
    ASSERT_EQ(ids, encode(*b, text));
    ASSERT_EQ(decode(*a, ids), text);
    ASSERT_EQ(ids[0], 1u);
  }
  EXPECT_GT(lines, 3000u);
}

TEST(Decode, bytes_beyond_the_room_are_counted_and_not_written) {
  for (const auto& sample : samples::kSamples) {
    const auto t = sample.make();
    // 300 ids and more than 15 bytes a token: blocks, and tokens that have no place in them.
    std::string text = " hello abababababababababab \xe4\xbd\xa0<s>";
    for (int i = 0; i < 6; ++i) text += text;
    const Ids ids = encode(*t, text, XC_ENCODE_PARSE_SPECIAL);
    for (const bool skip : {false, true}) {
      const std::string whole = decode(*t, ids, skip);
      for (const size_t room : {size_t{0}, size_t{1}, size_t{17}, whole.size() / 2, whole.size() - 1, whole.size(), whole.size() + 5000}) {
        std::vector<char> bytes(room + 1, '~');
        ByteSink sink{bytes.data(), room};
        t->decode(ids.data(), ids.size(), skip, sink);
        EXPECT_EQ(sink.count, whole.size()) << sample.name;
        const size_t written = std::min(room, whole.size());
        EXPECT_EQ(std::string_view(bytes.data(), written), std::string_view(whole).substr(0, written)) << sample.name << " room " << room;
        EXPECT_EQ(bytes[room], '~') << sample.name;
      }
    }
  }
}

TEST(Decode, ids_out_of_range_name_their_index) {
  const auto t = load_bytes(file(kVocab, R"(["a b"])"));
  try {
    decode(*t, {0, 4});
    FAIL() << "decoded an id that does not exist";
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_INVALID_ARGUMENT);
    EXPECT_EQ(e.field, "ids[1]");
  }
}
