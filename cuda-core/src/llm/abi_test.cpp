// The function table from a C caller's side, on small files made here.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>

#include "testing/gguf_writer.hpp"
#include "xcore/llm.h"

namespace {

using xcore::testing::GgufWriter;
using xcore::testing::TinyLlama;

const xc_llm_table& table() { return *static_cast<const xc_llm_table*>(xc_table("llm", XC_LLM_ABI)); }
constexpr xc_device kCpu{XC_DEVICE_CPU, 0};

class LlmTable : public ::testing::Test {
 protected:
  void TearDown() override { std::remove(path_.c_str()); }

  xc_status open(const std::vector<uint8_t>& bytes, int32_t context = 0) {
    std::ofstream(path_, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return table().model_open(path_.data(), path_.size(), kCpu, context, nullptr, &model, &error);
  }
  std::string metadata(const char* key) {
    std::string json;
    const auto write = [](void* user, const char* text, size_t length) { static_cast<std::string*>(user)->append(text, length); };
    EXPECT_EQ(table().model_metadata(model, key, key ? std::strlen(key) : 0, write, &json, &error), XC_OK) << error.message;
    return json;
  }
  std::vector<int32_t> reply(xc_llm_session* session, const std::vector<int32_t>& prompt, const xc_llm_generate_options& options) {
    std::vector<int32_t> ids;
    xc_llm_generate_result result;
    status = table().generate(
        session, prompt.data(), static_cast<int32_t>(prompt.size()), &options,
        [](void* user, const xc_llm_token* tokens, int32_t count) -> int32_t {
          for (int32_t i = 0; i < count; ++i) static_cast<std::vector<int32_t>*>(user)->push_back(tokens[i].id);
          return 0;
        },
        &ids, nullptr, &result, &error);
    return ids;
  }

  std::string path_ = ::testing::TempDir() + "xcore_llm_abi_test_" + std::to_string(getpid()) + ".gguf";
  xc_llm_model* model = nullptr;
  xc_error error{};
  xc_status status = XC_OK;
};

TEST_F(LlmTable, says_what_a_model_is) {
  ASSERT_EQ(open(TinyLlama{}.bytes(), 100), XC_OK) << error.message;
  xc_llm_info info;
  ASSERT_EQ(table().model_info(model, &info, &error), XC_OK);
  EXPECT_STREQ(info.architecture, "llama");
  EXPECT_STREQ(info.name, "tiny");
  EXPECT_EQ(info.vocabulary, 40);
  EXPECT_EQ(info.context_length, 128);
  EXPECT_EQ(info.default_context, 100);
  EXPECT_EQ(info.file_bytes, TinyLlama{}.bytes().size());
  EXPECT_EQ(info.device.kind, XC_DEVICE_CPU);
  table().model_release(model);
}

TEST_F(LlmTable, writes_metadata_as_json_that_loses_nothing) {
  const TinyLlama tiny;
  GgufWriter w = tiny.writer();
  w.string("text", "a\"b\\c\n\x01é").scalar("large", 10, uint64_t{18446744073709551615ull}).scalar("lowest", 11, std::numeric_limits<int64_t>::min());
  w.f32("tenth", 0.1f).scalar("double", 12, 0.1).f32("nan", std::nanf("")).boolean("yes", 1);
  w.array("numbers", 4, std::vector<uint32_t>{1, 2, 3}).array("none", 6, std::vector<float>{}).strings("words", {"a", "\""});
  tiny.tensors(w);
  ASSERT_EQ(open(w.bytes()), XC_OK) << error.message;
  EXPECT_EQ(metadata("text"), "\"a\\\"b\\\\c\\u000a\\u0001é\"");
  EXPECT_EQ(metadata("large"), "\"18446744073709551615\"");
  EXPECT_EQ(metadata("lowest"), "\"-9223372036854775808\"");
  EXPECT_EQ(metadata("tenth"), "0.1");
  EXPECT_EQ(metadata("double"), "0.1");
  EXPECT_EQ(metadata("llama.attention.layer_norm_rms_epsilon"), "1e-05");
  EXPECT_EQ(metadata("nan"), "null");
  EXPECT_EQ(metadata("yes"), "true");
  EXPECT_EQ(metadata("numbers"), "[1,2,3]");
  EXPECT_EQ(metadata("none"), "[]");
  EXPECT_EQ(metadata("words"), "[\"a\",\"\\\"\"]");
  EXPECT_EQ(metadata(nullptr).rfind("[\"general.architecture\",\"general.name\",", 0), 0u);
  const auto ignore = [](void*, const char*, size_t) {};
  EXPECT_EQ(table().model_metadata(model, "absent", 6, ignore, nullptr, &error), XC_NOT_FOUND);
  EXPECT_STREQ(error.field, "absent");
  table().model_release(model);
}

TEST_F(LlmTable, generates_from_a_session_that_outlives_its_model) {
  ASSERT_EQ(open(TinyLlama{}.bytes()), XC_OK) << error.message;
  xc_llm_session* session = nullptr;
  ASSERT_EQ(table().session_create(model, 0, &session, &error), XC_OK);
  std::vector<float> logits(3 * 40);
  const std::vector<int32_t> prompt = {1, 2, 3};
  ASSERT_EQ(table().model_logits(model, prompt.data(), 3, logits.data(), nullptr, &error), XC_OK);
  table().model_release(model);
  xc_llm_generate_options options{};
  options.size = sizeof options;
  options.max_tokens = 6;
  options.top_p = 1;
  const auto ids = reply(session, prompt, options);
  ASSERT_EQ(status, XC_OK) << error.message;
  ASSERT_EQ(ids.size(), 6u);
  EXPECT_EQ(ids[0], std::max_element(logits.begin() + 80, logits.end()) - (logits.begin() + 80));
  xc_llm_session_info info;
  ASSERT_EQ(table().session_info(session, &info, &error), XC_OK);
  EXPECT_EQ(info.capacity, 128);
  EXPECT_EQ(info.length, 8);
  table().session_release(session);
}

TEST_F(LlmTable, a_caller_that_knows_fewer_options_gets_defaults_for_the_rest) {
  ASSERT_EQ(open(TinyLlama{}.bytes()), XC_OK) << error.message;
  xc_llm_session* session = nullptr;
  ASSERT_EQ(table().session_create(model, 0, &session, &error), XC_OK);
  xc_llm_generate_options options;
  std::memset(&options, 0xff, sizeof options);  // what lies behind `size` must not be read
  options.size = offsetof(xc_llm_generate_options, temperature);
  options.max_tokens = 5;
  EXPECT_EQ(reply(session, {1}, options).size(), 5u);
  EXPECT_EQ(status, XC_OK) << error.message;
  options.size = 0;
  reply(session, {1}, options);
  EXPECT_EQ(status, XC_INVALID_ARGUMENT);
  table().session_release(session);
  table().model_release(model);
}

TEST_F(LlmTable, null_and_wrong_arguments_are_errors) {
  EXPECT_EQ(table().model_open(nullptr, 0, kCpu, 0, nullptr, &model, &error), XC_INVALID_ARGUMENT);
  EXPECT_EQ(table().model_open("a\0b", 3, kCpu, 0, nullptr, &model, &error), XC_INVALID_ARGUMENT);
  EXPECT_EQ(table().model_open("/nonexistent.gguf", 17, kCpu, 0, nullptr, &model, &error), XC_NOT_FOUND);
  xc_llm_info info;
  EXPECT_EQ(table().model_info(nullptr, &info, &error), XC_INVALID_ARGUMENT);
  EXPECT_EQ(open(TinyLlama{}.bytes(), 129), XC_INVALID_ARGUMENT);
  EXPECT_STREQ(error.field, "contextSize");
  table().model_release(nullptr);
  table().session_release(nullptr);
}

TEST_F(LlmTable, not_a_number_among_the_weights_is_told_and_not_sampled) {
  const TinyLlama tiny;
  GgufWriter w = tiny.writer();
  TinyLlama rest = tiny;
  rest.without = "output_norm.weight";
  std::vector<uint8_t> norm;
  for (uint32_t i = 0; i < tiny.width; ++i) GgufWriter::put(norm, i == 5 ? std::nanf("") : 1.0f);
  rest.tensors(w);
  w.tensor("output_norm.weight", {tiny.width}, 0, norm);
  ASSERT_EQ(open(w.bytes()), XC_OK) << error.message;
  xc_llm_session* session = nullptr;
  ASSERT_EQ(table().session_create(model, 0, &session, &error), XC_OK);
  xc_llm_generate_options options{};
  options.size = sizeof options;
  options.max_tokens = 5;
  options.top_p = 1;
  for (const double temperature : {0.0, 1.0}) {
    options.temperature = temperature;
    EXPECT_TRUE(reply(session, {1, 2}, options).empty());
    EXPECT_EQ(status, XC_INVALID_FORMAT);
    EXPECT_STREQ(error.field, "logits");
  }
  table().session_release(session);
  table().model_release(model);
}

}  // namespace
