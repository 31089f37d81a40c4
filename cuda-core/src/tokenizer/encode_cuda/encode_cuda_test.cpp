// Batches on the GPU give the ids of Tokenizer::encode, whatever the texts are and however they are cut.
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <memory>

#include "runtime/device.hpp"
#include "testing/backend.hpp"
#include "tokenizer/encode_cuda/corpus_testing.hpp"
#include "tokenizer/encode_cuda/encode_cuda.hpp"
#include "tokenizer/unicode/utf8.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

constexpr uint32_t kBoth = XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL;

class EncodeCuda : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
    XC_REFERENCE_OR_SKIP(path, "reference/bpe/assets/tokenizer_json/" + std::string(GetParam()) + ".json.gz");
    tokenizer_ = load_bytes(corpus::read_gzip(path));
    encoder_ = std::make_unique<CudaBatchEncoder>(*tokenizer_, 0, EncodeCudaOptions{1u << 20, 3});
  }

  void expect_same(const std::vector<std::string>& texts, uint32_t flags = kBoth, CudaBatchEncoder::Stats* stats = nullptr) {
    std::vector<xc_text> views;
    for (const auto& t : texts) views.push_back({t.data(), t.size()});
    std::vector<size_t> offsets(texts.size() + 1, 99);
    EncodedBatch got;
    got.offsets = offsets.data();
    encoder_->encode(views.data(), views.size(), flags, Control(), got, stats);
    const OwnedIds owner(got.ids);
    ASSERT_EQ(offsets[0], 0u);
    std::vector<uint32_t> ids;
    for (size_t i = 0; i < texts.size(); ++i) {
      ids.resize(texts[i].size() * 3 + 16);
      Sink sink{ids.data(), ids.size()};
      tokenizer_->encode(texts[i], flags, sink);
      ASSERT_EQ(offsets[i + 1] - offsets[i], sink.count) << "text " << i << ": " << texts[i].substr(0, 200);
      for (size_t k = 0; k < sink.count; ++k) {
        ASSERT_EQ(got.ids[offsets[i] + k], ids[k]) << "text " << i << ", id " << k << ": " << texts[i].substr(0, 200);
      }
    }
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<CudaBatchEncoder> encoder_;
};

}  // namespace

TEST_P(EncodeCuda, encodes_every_section_of_the_corpus_as_the_cpu_does) {
  XC_REFERENCE_OR_SKIP(path, "reference/bpe/corpus_public.txt.gz");
  const std::string text = corpus::read_gzip(path);
  ASSERT_EQ(text.size(), 15982009u);
  CudaBatchEncoder::Stats stats;
  for (const size_t size : {size_t{300}, size_t{8000}, size_t{1} << 21}) expect_same(corpus::documents(text, size), kBoth, &stats);
  expect_same({text});  // one huge document
}

TEST_P(EncodeCuda, encodes_random_unicode_and_stray_bytes) {
  Philox random(5);
  std::vector<std::string> texts;
  for (int i = 0; i < 20000; ++i) texts.push_back(corpus::random_text(random, 1 + random.next_below(i % 100 == 0 ? 3000 : 40)));
  for (int i = 0; i < 300; ++i) {
    std::string bytes;
    for (uint32_t n = random.next_below(3000); n > 0; --n) bytes += static_cast<char>(random.next_below(256));
    texts.push_back(bytes);
  }
  expect_same(texts);
  expect_same(texts, 0);
}

TEST_P(EncodeCuda, encodes_runs_that_would_be_slow_or_deep) {
  std::vector<std::string> texts;
  for (const size_t n : {1u, 15u, 16u, 31u, 32u, 33u, 63u, 64u, 65u, 1023u, 1024u, 1025u, 5000u, 200000u}) {
    for (const char* unit : {"a", " ", "\n", "1", "!", "\t", "\xf0\x9f\x98\x80", "\xe4\xb8\xad", "'s", " a", "\n ", "ab1", "\xcc\x81"}) {
      std::string text;
      while (text.size() < n) text += unit;
      texts.push_back(text);
      texts.push_back("x" + text + " y");
    }
  }
  expect_same(texts);
}

TEST_P(EncodeCuda, encodes_empty_and_tiny_documents) {
  expect_same({});
  expect_same({""});
  expect_same({"", "", "a", "", "bc"});
  Philox random(6);
  std::vector<std::string> texts;
  for (int i = 0; i < 200000; ++i) texts.push_back(i % 7 ? corpus::random_text(random, random.next_below(4)) : "");
  expect_same(texts);
}

TEST_P(EncodeCuda, leaves_texts_with_added_tokens_to_the_cpu_engine) {
  std::string added;
  for (const auto& t : tokenizer_->model().added) {
    if (added.size() < t.content.size() && t.content.find(' ') == std::string::npos) added = t.content;
  }
  ASSERT_FALSE(added.empty());
  std::string filler;
  while (filler.size() < 300000) filler += "It is the filler of number " + std::to_string(filler.size()) + ", is it not? ";
  std::vector<std::string> texts = {added, added + added, "a" + added + " b", added.substr(0, added.size() - 1), filler + added + filler};
  for (size_t at = 65000; at < 66000; at += 13) texts.push_back(filler.substr(0, at) + added + filler.substr(0, 70000));
  CudaBatchEncoder::Stats stats;
  for (const uint32_t flags : {kBoth, 0u}) expect_same(texts, flags, &stats);
  expect_same(texts, XC_ENCODE_PARSE_SPECIAL, &stats);
  EXPECT_GT(stats.texts_on_cpu, 0u);
  EXPECT_LT(stats.bytes_on_cpu, 100u * 70000 * 2);  // the parts around, not the whole texts
}

TEST_P(EncodeCuda, a_cancelled_batch_ends_with_a_typed_error_and_the_encoder_goes_on) {
  const int32_t cancel = 1;
  xc_control control{};
  control.cancel = &cancel;
  const std::string text(100000, 'x');
  const xc_text view{text.data(), text.size()};
  size_t offsets[2];
  EncodedBatch out;
  out.offsets = offsets;
  try {
    encoder_->encode(&view, 1, kBoth, Control(&control), out);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_CANCELLED);
  }
  EXPECT_EQ(out.ids, nullptr);
  expect_same({"and on it goes"});
}

INSTANTIATE_TEST_SUITE_P(Models, EncodeCuda, ::testing::Values("gpt2", "cl100k_base.converted", "llama3.2", "qwen2.5", "o200k_base.converted", "mistral_nemo"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });
