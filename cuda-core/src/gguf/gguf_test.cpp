#include "gguf/gguf.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "testing/backend.hpp"
#include "testing/gguf_writer.hpp"

namespace xcore::gguf {
namespace {

using testing::GgufWriter;
using testing::TinyLlama;
using Bytes = std::vector<uint8_t>;

std::shared_ptr<const File> parse(const Bytes& bytes) { return File::from_bytes(bytes.data(), bytes.size()); }

// Runs `body`, which must throw an Error, and hands it back.
Error caught(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "an Error was expected";
  return Error(XC_OK, "");
}
Error refusal(const Bytes& bytes) {
  return caught([&] { parse(bytes); });
}

template <class T>
void patch(Bytes& bytes, size_t at, T value) {
  std::memcpy(&bytes.at(at), &value, sizeof value);
}
size_t place_of(const Bytes& bytes, const std::string& text) {
  const std::string all(bytes.begin(), bytes.end());
  return all.find(text);
}

TEST(Gguf, reads_every_type_of_metadata) {
  GgufWriter w;
  w.scalar("u8", 0, uint8_t{200}).scalar("i8", 1, int8_t{-5}).scalar("u16", 2, uint16_t{60000}).scalar("i16", 3, int16_t{-300});
  w.u32("u32", 4000000000u).i32("i32", -70000).f32("f32", 0.5f).boolean("yes", 1).boolean("no", 0).string("text", "gr\xC3\xBC\xC3\x9F");
  w.scalar("u64", 10, uint64_t{1} << 63).scalar("i64", 11, -(int64_t{1} << 40)).scalar("f64", 12, 1e300);
  w.array<int32_t>("ints", 5, {-1, 2, 3}).array<uint8_t>("bytes", 0, {1, 255}).array<float>("floats", 6, {0.25f, -1}).array<uint8_t>("flags", 7, {1, 0, 1});
  w.strings("words", {"a", "", "ccc"}).array<uint32_t>("none", 4, {});
  const Bytes bytes = w.bytes();
  const auto file = parse(bytes);
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(file->metadata().size(), 19u);
  EXPECT_EQ(file->integer("u8"), 200u);
  EXPECT_EQ(file->integer("u16"), 60000u);
  EXPECT_EQ(file->integer("u32"), 4000000000u);
  EXPECT_EQ(file->integer("u64"), uint64_t{1} << 63);
  EXPECT_EQ(std::get<int64_t>(file->find("i8")->value), -5);
  EXPECT_EQ(std::get<int64_t>(file->find("i64")->value), -(int64_t{1} << 40));
  EXPECT_EQ(file->number("f32", 0), 0.5);
  EXPECT_EQ(file->number("f64", 0), 1e300);
  EXPECT_EQ(file->number("i32", 0), -70000.0);
  EXPECT_TRUE(file->boolean("yes", false));
  EXPECT_FALSE(file->boolean("no", true));
  EXPECT_EQ(file->string("text"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(std::get<std::vector<int64_t>>(file->find("ints")->value), (std::vector<int64_t>{-1, 2, 3}));
  EXPECT_EQ(std::get<std::vector<uint64_t>>(file->find("bytes")->value), (std::vector<uint64_t>{1, 255}));
  EXPECT_EQ(std::get<std::vector<double>>(file->find("floats")->value), (std::vector<double>{0.25, -1}));
  EXPECT_EQ(std::get<std::vector<bool>>(file->find("flags")->value), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(*file->strings("words"), (StringArray{"a", "", "ccc"}));
  EXPECT_TRUE(std::get<std::vector<uint64_t>>(file->find("none")->value).empty());
}

TEST(Gguf, finds_tensors_where_their_bytes_are) {
  for (const uint64_t alignment : {1u, 8u, 32u, 4096u}) {
    GgufWriter w(2, alignment);
    if (alignment != 32) w.u32("general.alignment", static_cast<uint32_t>(alignment));
    w.tensor("a", {3}, 0, Bytes(12, 0xAA)).tensor("b", {32, 2}, 8, Bytes(68, 0xBB)).tensor("c", {2, 1, 3, 1}, 1, Bytes(12, 0xCC));
    const Bytes bytes = w.bytes();
    const auto file = parse(bytes);
    EXPECT_EQ(file->version(), 2u);
    ASSERT_EQ(file->tensors().size(), 3u);
    const Tensor* b = file->find_tensor("b");
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(b->bytes, 68u);
    EXPECT_EQ(b->shape[0], 32u);
    EXPECT_EQ(b->shape[3], 1u);
    EXPECT_EQ(b->data, bytes.data() + b->file_offset);
    for (const Tensor& t : file->tensors())
      for (uint64_t i = 0; i < t.bytes; ++i) ASSERT_EQ(t.data[i], t.name == "a" ? 0xAA : t.name == "b" ? 0xBB : 0xCC);
    EXPECT_EQ(file->find_tensor("d"), nullptr);
  }
}

TEST(Gguf, typed_access_names_the_key) {
  GgufWriter w;
  w.string("name", "x").i32("negative", -3).f32("half", 0.5f);
  const Bytes bytes = w.bytes();
  const auto file = parse(bytes);
  EXPECT_EQ(file->integer("absent", 7), 7u);
  EXPECT_EQ(file->string("absent", "f"), "f");
  EXPECT_EQ(file->strings("absent"), nullptr);
  EXPECT_EQ(caught([&] { file->integer("absent"); }).field, "absent");
  EXPECT_EQ(caught([&] { file->string("absent"); }).status, XC_INVALID_FORMAT);
  EXPECT_EQ(caught([&] { file->integer("name"); }).field, "name");
  EXPECT_EQ(caught([&] { file->integer("name", 3); }).status, XC_INVALID_FORMAT);
  EXPECT_EQ(caught([&] { file->integer("negative"); }).field, "negative");
  EXPECT_EQ(caught([&] { file->integer("half"); }).field, "half");
  EXPECT_EQ(caught([&] { file->string("half"); }).field, "half");
  EXPECT_EQ(caught([&] { file->boolean("half", true); }).field, "half");
  EXPECT_EQ(caught([&] { file->number("name", 1); }).field, "name");
  EXPECT_GT(caught([&] { file->strings("name"); }).offset, 0);
}

TEST(Gguf, refuses_wrong_headers) {
  Bytes bytes = GgufWriter().u32("a", 1).bytes();
  EXPECT_EQ(refusal({}).field, "magic");
  EXPECT_EQ(refusal({'G', 'G'}).field, "magic");
  EXPECT_EQ(refusal({'P', 'K', 3, 4, 0, 0, 0, 0}).status, XC_INVALID_FORMAT);
  for (const uint32_t version : {0u, 1u, 4u, 99u}) {
    patch(bytes, 4, version);
    EXPECT_EQ(refusal(bytes).status, XC_UNSUPPORTED);
  }
  patch(bytes, 4, uint32_t{0x03000000});
  EXPECT_NE(std::string(refusal(bytes).what()).find("big-endian"), std::string::npos);
}

TEST(Gguf, refuses_counts_and_lengths_beyond_the_file) {
  const Bytes good = GgufWriter().strings("words", {"one", "two"}).tensor("t", {4}, 0, Bytes(16)).bytes();
  for (const uint64_t huge : {uint64_t{1000}, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}}) {
    Bytes bytes = good;
    patch(bytes, 8, huge);  // tensors
    EXPECT_EQ(refusal(bytes).field, "tensor_count");
    bytes = good;
    patch(bytes, 16, huge);  // entries
    EXPECT_EQ(refusal(bytes).field, "metadata_kv_count");
    bytes = good;
    patch(bytes, 24, huge);  // the first key's length
    EXPECT_EQ(refusal(bytes).status, XC_INVALID_FORMAT);
    bytes = good;
    patch(bytes, place_of(good, "words") + 5 + 8, huge);  // the array's length
    EXPECT_EQ(refusal(bytes).field, "words");
    bytes = good;
    patch(bytes, place_of(good, "one") - 8, huge);  // a string's length
    EXPECT_EQ(refusal(bytes).field, "words");
    bytes = good;
    patch(bytes, place_of(good, "t\1") + 1 + 4, huge / 4 * 4);  // a dimension
    EXPECT_EQ(refusal(bytes).field, "t");
  }
}

TEST(Gguf, refuses_wrong_metadata) {
  EXPECT_EQ(refusal(GgufWriter().u32("twice", 1).u32("twice", 2).bytes()).field, "twice");
  EXPECT_EQ(refusal(GgufWriter().boolean("flag", 2).bytes()).field, "flag");
  EXPECT_EQ(refusal(GgufWriter().array<uint8_t>("flags", 7, {1, 7}).bytes()).field, "flags");
  EXPECT_EQ(refusal(GgufWriter().u32("", 2).bytes()).status, XC_INVALID_FORMAT);
  EXPECT_EQ(refusal(GgufWriter().u32(std::string(65536, 'k'), 2).bytes()).status, XC_INVALID_FORMAT);
  EXPECT_EQ(refusal(GgufWriter().scalar("odd", 13, uint32_t{2}).bytes()).field, "odd");
  EXPECT_EQ(refusal(GgufWriter().array<uint32_t>("odd", 13, {2}).bytes()).field, "odd");
  EXPECT_EQ(refusal(GgufWriter().array<uint64_t>("nested", 9, {0, 0}).bytes()).status, XC_UNSUPPORTED);
  for (const uint32_t alignment : {0u, 3u, 24u, 33u}) EXPECT_EQ(refusal(GgufWriter().u32("general.alignment", alignment).bytes()).field, "general.alignment");
  EXPECT_EQ(refusal(GgufWriter().string("general.alignment", "32").bytes()).field, "general.alignment");
  EXPECT_EQ(refusal(GgufWriter().scalar("general.alignment", 10, uint64_t{32}).bytes()).field, "general.alignment");
}

TEST(Gguf, refuses_wrong_tensors) {
  const auto with = [](const std::string& name, std::vector<uint64_t> shape, uint32_t type, size_t bytes) {
    return GgufWriter().tensor("first", {8}, 0, Bytes(32)).tensor(name, shape, type, Bytes(bytes)).bytes();
  };
  EXPECT_EQ(refusal(with("first", {8}, 0, 32)).field, "first");
  EXPECT_EQ(refusal(with("", {8}, 0, 32)).status, XC_INVALID_FORMAT);
  EXPECT_EQ(refusal(with(std::string(64, 'n'), {8}, 0, 32)).status, XC_INVALID_FORMAT);
  EXPECT_EQ(refusal(with("t", {}, 0, 4)).field, "t");
  EXPECT_EQ(refusal(with("t", {1, 1, 1, 1, 1}, 0, 4)).field, "t");
  EXPECT_EQ(refusal(with("t", {4, 0}, 0, 0)).field, "t");
  EXPECT_EQ(refusal(with("t", {uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0)).field, "t");
  EXPECT_EQ(refusal(with("t", {uint64_t{1} << 62}, 0, 0)).field, "t");
  EXPECT_EQ(refusal(with("t", {48}, 8, 51)).field, "t");    // Q8_0 comes in blocks of 32
  EXPECT_EQ(refusal(with("t", {32}, 4, 32)).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with("t", {32}, 0xFFFFFFFF, 32)).status, XC_UNSUPPORTED);
  EXPECT_EQ(refusal(with("t", {64}, 0, 128)).field, "t");   // 256 bytes wanted
}

TEST(Gguf, refuses_offsets_that_leave_gaps_or_overlap) {
  const Bytes good = GgufWriter().tensor("first", {8}, 0, Bytes(32)).tensor("second", {8}, 0, Bytes(32)).bytes();
  ASSERT_NO_THROW(parse(good));
  const size_t at = place_of(good, "second") + 6 + 4 + 8 + 4;
  for (const uint64_t offset : {uint64_t{0}, uint64_t{16}, uint64_t{31}, uint64_t{64}, ~uint64_t{0}, uint64_t{1} << 63}) {
    Bytes bytes = good;
    patch(bytes, at, offset);
    const Error e = refusal(bytes);
    EXPECT_EQ(e.field, "second");
    EXPECT_EQ(e.status, XC_INVALID_FORMAT);
  }
}

TEST(Gguf, every_truncation_is_a_typed_error) {
  TinyLlama tiny;
  tiny.layers = 1;
  tiny.width = tiny.ffn = 32;
  tiny.head_dim = 8;
  const Bytes good = tiny.bytes();
  ASSERT_NO_THROW(parse(good));
  for (size_t size = 0; size < good.size(); ++size) {
    const Bytes bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));  // its own block: ASan sees an overrun
    ASSERT_EQ(refusal(bytes).status, XC_INVALID_FORMAT) << size;
    if (size > 4096) size += 61;
  }
}

TEST(Gguf, every_bit_flip_in_the_directory_is_read_or_refused) {
  Bytes bytes = GgufWriter().string("s", "text").strings("w", {"a", "bc"}).u32("general.alignment", 64).array<int16_t>("n", 3, {1, 2}).bytes();
  GgufWriter w(3, 64);
  w.string("s", "text").strings("w", {"a", "bc"}).u32("general.alignment", 64).tensor("t", {32, 2}, 2, Bytes(36)).tensor("u", {5}, 0, Bytes(20));
  bytes = w.bytes();
  ASSERT_NO_THROW(parse(bytes));
  int refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    Bytes mutated = bytes;
    mutated[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    try {
      const auto file = parse(mutated);
      for (const Tensor& t : file->tensors()) ASSERT_LE(t.file_offset + t.bytes, mutated.size());
    } catch (const Error& e) {
      ASSERT_TRUE(e.status == XC_INVALID_FORMAT || e.status == XC_UNSUPPORTED) << e.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Gguf, errors_say_where) {
  Bytes bytes = GgufWriter().u32("fine", 1).boolean("flag", 9).bytes();
  const Error e = refusal(bytes);
  EXPECT_EQ(e.offset, static_cast<int64_t>(place_of(bytes, "flag") + 4 + 4));
  EXPECT_EQ(refusal(GgufWriter().boolean("a\n\x01", 9).bytes()).field, "a??");
}

class GgufOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/xcore-gguf-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    for (const std::string& f : files_) ::unlink(f.c_str());
    ::rmdir(folder_.c_str());
  }
  std::string write(const std::string& name, const Bytes& bytes) {
    const std::string path = folder_ + "/" + name;
    std::FILE* f = std::fopen(path.c_str(), "wb");
    if (!bytes.empty()) std::fwrite(bytes.data(), 1, bytes.size(), f);
    std::fclose(f);
    files_.push_back(path);
    return path;
  }
  std::string folder_;
  std::vector<std::string> files_;
};

TEST_F(GgufOnDisk, a_file_is_mapped_and_read) {
  const Bytes bytes = TinyLlama().bytes();
  const std::string path = write("good.gguf", bytes);
  const auto file = File::open(path);
  EXPECT_EQ(file->path(), path);
  EXPECT_EQ(file->size_bytes(), bytes.size());
  const Tensor& last = file->tensors().back();
  EXPECT_EQ(std::memcmp(last.data, bytes.data() + last.file_offset, last.bytes), 0);
}

TEST_F(GgufOnDisk, what_is_not_a_readable_file_is_refused_by_kind) {
  EXPECT_EQ(caught([&] { File::open(folder_ + "/missing.gguf"); }).status, XC_NOT_FOUND);
  EXPECT_EQ(caught([&] { File::open(write("plain", {}) + "/below"); }).status, XC_NOT_FOUND);
  EXPECT_EQ(caught([&] { File::open(folder_); }).status, XC_IO);
  EXPECT_EQ(caught([&] { File::open(write("empty.gguf", {})); }).status, XC_INVALID_FORMAT);
  EXPECT_EQ(caught([&] { File::open(write("text.gguf", Bytes(100, 'x'))); }).field, "magic");
  EXPECT_EQ(caught([&] { File::open(""); }).status, XC_INVALID_ARGUMENT);
  EXPECT_EQ(caught([&] { File::open(std::string("a\0b", 3)); }).status, XC_INVALID_ARGUMENT);
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  files_.push_back(pipe);
  EXPECT_EQ(caught([&] { File::open(pipe); }).status, XC_IO);  // and does not wait for a writer
}

TEST(GgufReference, reads_files_of_other_writers) {
  XC_REFERENCE_OR_SKIP(path, "reference/llm/stories260K-Q8_0.gguf");
  const auto file = File::open(path);
  EXPECT_EQ(file->string("general.architecture"), "llama");
  EXPECT_EQ(file->integer("llama.block_count"), 5u);
  EXPECT_EQ(file->strings("tokenizer.ggml.tokens")->size(), 512u);
  EXPECT_EQ(file->find_tensor("blk.0.ffn_down.weight")->type, TensorType::f16);
  EXPECT_EQ(file->find_tensor("blk.0.ffn_up.weight")->type, TensorType::q8_0);
}

}  // namespace
}  // namespace xcore::gguf
