// GGUF files (versions 2 and 3, little-endian): metadata, tensor directory, and the bytes, memory-mapped. Shared by the tokenizer and the LLM domain.
//
// Everything is validated on open, before any of it is used: magic, version, endianness, counts, string and array
// lengths against the bytes left, duplicate keys and tensors, dimensions and their products, block sizes, type ids,
// and that each tensor starts at the running padded sum and ends inside the file. Errors carry the byte offset and
// the key or tensor concerned.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "runtime/error.hpp"

namespace xcore::gguf {

// Ids as in the format; a Tensor may hold others that type_traits knows.
enum class TensorType : uint32_t { f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, q2_k = 10, q3_k = 11, q4_k = 12, q5_k = 13, q6_k = 14, bf16 = 30 };
struct TypeTraits {
  const char* name;       // "Q8_0"
  uint32_t block_size;    // elements per block
  uint32_t block_bytes;
};
// nullptr for an id the format does not know or that this version cannot size.
const TypeTraits* type_traits(uint32_t type_id);

struct Tensor {
  std::string name;
  TensorType type;
  uint32_t dimensions;      // 1..4
  uint64_t shape[4];        // shape[0] is contiguous ("columns"); unused ones are 1
  uint64_t file_offset;     // absolute
  uint64_t bytes;
  const uint8_t* data;      // into the mapping
};

// Arrays keep their element type: numbers widen to 64 bits.
using StringArray = std::vector<std::string_view>;  // views into the mapping
using Value = std::variant<uint64_t, int64_t, double, bool, std::string_view, std::vector<uint64_t>,
                           std::vector<int64_t>, std::vector<double>, std::vector<bool>, StringArray>;
struct Entry {
  std::string key;
  Value value;
  uint64_t offset;
};

class File {
 public:
  // The file must not shrink while it is open: reading a mapped page that is gone ends the process.
  static std::shared_ptr<const File> open(const std::string& path);
  // Borrows the bytes: they must outlive the File. For tests and fuzzing.
  static std::shared_ptr<const File> from_bytes(const uint8_t* data, size_t size);
  ~File();

  const std::string& path() const { return path_; }
  uint32_t version() const { return version_; }
  uint64_t size_bytes() const { return size_; }
  const std::vector<Entry>& metadata() const { return metadata_; }
  const std::vector<Tensor>& tensors() const { return tensors_; }

  const Entry* find(std::string_view key) const;
  const Tensor* find_tensor(std::string_view name) const;

  // Typed access: a missing key gives the fallback where one is passed and an Error(XC_INVALID_FORMAT) that names the
  // key where none is; a key of another type is always an error. Integers are range-checked.
  std::string_view string(std::string_view key) const;
  std::string_view string(std::string_view key, std::string_view fallback) const;
  uint64_t integer(std::string_view key) const;
  uint64_t integer(std::string_view key, uint64_t fallback) const;
  double number(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  const StringArray* strings(std::string_view key) const;  // nullptr if absent

 private:
  File() = default;
  void parse(const uint8_t* data, size_t size);
  std::string path_;
  uint32_t version_ = 0;
  uint64_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::vector<Entry> metadata_;
  std::vector<Tensor> tensors_;
  std::unordered_map<std::string_view, size_t> entry_index_, tensor_index_;  // views into the names above
};

}  // namespace xcore::gguf
