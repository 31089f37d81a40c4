#include "tokenizer/image/image.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "runtime/error.hpp"
#include "runtime/philox.hpp"
#include "tokenizer/image/format.hpp"
#include "tokenizer/load/samples_testing.hpp"

using namespace xcore;
using namespace xcore::tokenizer;

namespace {

using Ids = std::vector<uint32_t>;

Ids encode(const Tokenizer& t, std::string_view text, uint32_t flags = XC_ENCODE_ADD_SPECIAL | XC_ENCODE_PARSE_SPECIAL) {
  Ids ids(text.size() * 4 + 64);
  Sink sink{ids.data(), ids.size()};
  t.encode(text, flags, sink);
  EXPECT_LE(sink.count, ids.size());
  ids.resize(std::min(sink.count, ids.size()));
  return ids;
}

void use(const Tokenizer& t, std::string_view text) {
  const Ids ids = encode(t, text);
  std::vector<Token> tokens;
  t.encode_tokens(text, XC_ENCODE_PARSE_SPECIAL, OffsetUnit::utf16, tokens);
  std::string decoded;
  try {
    t.decode(ids.data(), ids.size(), false, decoded);
  } catch (const Error&) {
  }
}

const char* const kText =
    "It's 123 a\xcc\x81 ab  abab\n\n <s>\xff\xf0\x9f\x98\x80 \xe4\xbd\xa0\xe5\xa5\xbd  <mask> x hello world hello\xe2\x96\x81 \xc3\xa9t\xc3\xa9 "
    "abababababababababababababababababababababababababababababab";

class Image : public ::testing::TestWithParam<samples::Sample> {};

TEST_P(Image, gives_what_the_original_gives) {
  const auto original = GetParam().make();
  const std::string bytes = image_of(*original, {});
  const auto loaded = load_bytes(bytes);
  for (const uint32_t flags : {0u, uint32_t{XC_ENCODE_ADD_SPECIAL}, uint32_t{XC_ENCODE_PARSE_SPECIAL}}) {
    const Ids ids = encode(*original, kText, flags);
    EXPECT_EQ(encode(*loaded, kText, flags), ids);
    std::string a, b;
    original->decode(ids.data(), ids.size(), true, a);
    loaded->decode(ids.data(), ids.size(), true, b);
    EXPECT_EQ(a, b);
    std::vector<Token> with, without;
    original->encode_tokens(kText, flags, OffsetUnit::utf16, with);
    loaded->encode_tokens(kText, flags, OffsetUnit::utf16, without);
    ASSERT_EQ(with.size(), without.size());
    for (size_t i = 0; i < with.size(); ++i) {
      EXPECT_EQ(with[i].id, without[i].id);
      EXPECT_EQ(with[i].range.begin, without[i].range.begin);
      EXPECT_EQ(with[i].range.end, without[i].range.end);
    }
  }
  EXPECT_EQ(loaded->id_of("<s>"), original->id_of("<s>"));
  EXPECT_EQ(loaded->model().properties, original->model().properties);
  EXPECT_EQ(loaded->pairs().size(), original->pairs().size());
  original->pairs().each([&](const PairTable::Entry& e) {
    EXPECT_EQ(loaded->pairs().find(e.left, e.right).rank, e.rank);
    EXPECT_EQ(loaded->pairs().find(e.left, e.right).joined, e.joined);
  });
  EXPECT_EQ(image_of(*loaded, {}), bytes) << "an image of an image is the same";
}

TEST_P(Image, cut_off_anywhere_is_an_error_that_says_where) {
  const std::string bytes = image_of(*GetParam().make(), {});
  for (size_t size = 8; size < bytes.size(); size += 997) {
    try {
      load_bytes(std::string_view(bytes).substr(0, size));
      ADD_FAILURE() << "accepted " << size << " of " << bytes.size();
    } catch (const Error& e) {
      EXPECT_EQ(e.status, XC_INVALID_FORMAT) << e.what();
      EXPECT_EQ(e.offset, static_cast<int64_t>(size)) << e.what();
    }
  }
}

TEST_P(Image, a_changed_byte_is_found) {
  const std::string bytes = image_of(*GetParam().make(), {});
  Philox random(1, 0);
  for (int i = 0; i < 300; ++i) {
    std::string bad = bytes;
    const auto at = 8 + random.next_below(static_cast<uint32_t>(bytes.size() - 8));  // without the magic it is no image at all
    bad[at] = static_cast<char>(bad[at] ^ (1 << random.next_below(8)));
    try {
      load_bytes(bad);
      ADD_FAILURE() << "accepted with byte " << at << " changed";
    } catch (const Error& e) {
      EXPECT_TRUE(e.status == XC_INVALID_FORMAT || e.status == XC_UNSUPPORTED) << e.what();
      EXPECT_FALSE(e.field.empty()) << e.what();
    }
  }
}

// With checksums that fit: made to do harm.
TEST_P(Image, a_forged_image_is_refused_or_harmless) {
  const std::string bytes = image_of(*GetParam().make(), {});
  Philox random(2, 0);
  int accepted = 0;
  for (int i = 0; i < 400; ++i) {
    std::string bad = bytes;
    for (int k = 0; k < 1 + i % 4; ++k) {
      const auto at = random.next_below(static_cast<uint32_t>(bytes.size()));
      bad[at] = static_cast<char>(random.next_below(256));
    }
    seal_image(bad);
    try {
      use(*load_bytes(bad), kText);
      ++accepted;
    } catch (const Error& e) {
      EXPECT_NE(e.status, XC_INTERNAL) << e.what();
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST_P(Image, with_a_merge_that_makes_nothing_is_refused) {
  std::string bytes = image_of(*GetParam().make(), {});
  image::Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  size_t changed = 0;
  for (uint32_t i = 0; i < header.sections; ++i) {
    image::Section s;
    std::memcpy(&s, bytes.data() + sizeof header + i * sizeof s, sizeof s);
    if (std::string(s.name) != "merges.joined" || s.bytes == 0) continue;
    std::memset(bytes.data() + s.offset + s.bytes - 4, 0xff, 4);  // of the last rank
    ++changed;
  }
  if (changed == 0) GTEST_SKIP() << "SKIPPED: no packed merges";
  seal_image(bytes);
  EXPECT_THROW(load_bytes(bytes), Error);
}

INSTANTIATE_TEST_SUITE_P(, Image, ::testing::ValuesIn(samples::kSamples), [](const auto& info) { return std::string(info.param.name); });

TEST(ImageFile, another_version_or_byte_order_says_to_save_it_again) {
  const std::string bytes = image_of(*samples::kSamples[0].make(), {});
  for (const size_t at : {8u, 12u}) {
    std::string other = bytes;
    uint32_t value;
    std::memcpy(&value, other.data() + at, 4);
    value = at == 8 ? __builtin_bswap32(value) : value + 1;
    std::memcpy(other.data() + at, &value, 4);
    try {
      load_bytes(other);
      ADD_FAILURE();
    } catch (const Error& e) {
      EXPECT_EQ(e.status, XC_UNSUPPORTED);
      EXPECT_NE(std::string(e.what()).find("save it again"), std::string::npos) << e.what();
    }
  }
}

TEST(ImageFile, is_written_whole_beside_and_renamed_and_keeps_properties) {
  char folder[] = "/tmp/xcore-image-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/a.bpe";
  save_image(*samples::kSamples[2].make(), {{"chat_template", "{{ x }}"}, {"padding", "{}"}}, path);
  const auto first = load_file(path);
  save_image(*samples::kSamples[0].make(), {}, path);  // the mapping of the old file stays
  use(*first, kText);
  const auto& properties = first->model().properties;
  ASSERT_EQ(properties.size(), 3u);
  EXPECT_EQ(properties[0].first, "truncation");
  EXPECT_EQ(properties[0].second, R"({"side":"left","maxLength":9,"stride":2,"strategy":"only_first"})");
  EXPECT_EQ(properties[1].second, "{}");
  EXPECT_EQ(properties[2].second, "{{ x }}");
  struct stat about;
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_TRUE(about.st_mode & S_IRUSR);
  EXPECT_EQ(::unlink(path.c_str()), 0);
  EXPECT_EQ(::rmdir(folder), 0) << "nothing else is left in the folder";
  EXPECT_THROW(save_image(*first, {}, path), Error);
}

}  // namespace
