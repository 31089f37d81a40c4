// The layout of an image on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace xcore::tokenizer::image {

inline constexpr char kMagic[8] = {'X', 'B', 'P', 'E', 'I', 'M', 'G', '\n'};
inline constexpr uint32_t kByteOrder = 0x01020304;  // reads otherwise on a machine of the other order
// One more with every change of a table's layout or meaning, of `fields`, or of a hash function.
inline constexpr uint32_t kVersion = 4;
inline constexpr uint32_t kMaxSections = 256;
inline constexpr size_t kAlignment = 64;

// The body, which begins after the lists, has a checksum for every block of so many bytes: threads check them side by side.
inline constexpr size_t kBlock = size_t{1} << 18;

struct Header {
  char magic[8];
  uint32_t byte_order;
  uint32_t version;
  uint64_t bytes;     // of the file
  uint64_t body;      // where it begins
  uint32_t sections;  // whose list follows the header
  uint32_t blocks;    // whose checksums follow that, 8 bytes each
  uint64_t checksum;  // of all before the body, with 0 here
};

struct Section {
  char name[32];  // ended by zeros
  uint64_t offset, bytes;
  uint32_t element_bytes;
  uint32_t unused;
};

static_assert(sizeof(Header) == 48 && sizeof(Section) == 56, "no padding");
static_assert(std::is_trivially_copyable<Header>::value && std::is_trivially_copyable<Section>::value, "copied as bytes");

// 64 bits in which every change of a single word shows. Reads about as fast as memory does.
uint64_t checksum(const void* data, size_t bytes, uint64_t seed = 0);

}  // namespace xcore::tokenizer::image
