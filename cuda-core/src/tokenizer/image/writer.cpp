#include "tokenizer/image/writer.hpp"

#include <algorithm>
#include <cstring>

#include "runtime/error.hpp"

namespace xcore::tokenizer {
namespace {

constexpr char kZeros[image::kAlignment] = {};

size_t aligned(size_t n) { return (n + image::kAlignment - 1) / image::kAlignment * image::kAlignment; }

}  // namespace

void ImageWriter::add(const std::string& name, const void* data, size_t count, size_t element_bytes) {
  image::Section s{};
  if (name.size() >= sizeof s.name) throw Error(XC_INTERNAL, "a section's name is too long: " + name);
  std::memcpy(s.name, name.data(), name.size());
  s.bytes = static_cast<uint64_t>(count) * element_bytes;
  s.element_bytes = static_cast<uint32_t>(element_bytes);
  sections_.push_back(s);
  data_.push_back(data);
}

void ImageWriter::bits(const std::string& name, const std::vector<bool>& table) {
  bits_.emplace_back(table.begin(), table.end());
  block(name, bits_.back());
}

std::vector<ImageWriter::Part> ImageWriter::finish() {
  add("description", description_.data(), description_.size(), 1);
  // First, so that a reader meets it first.
  std::rotate(sections_.begin(), sections_.end() - 1, sections_.end());
  std::rotate(data_.begin(), data_.end() - 1, data_.end());
  size_t body_bytes = 0;
  for (const image::Section& s : sections_) body_bytes += aligned(s.bytes);
  const size_t blocks = (body_bytes + image::kBlock - 1) / image::kBlock;
  const size_t list = sections_.size() * sizeof(image::Section) + blocks * sizeof(uint64_t);
  const size_t body = aligned(sizeof(image::Header) + list);

  std::vector<Part> out = {{nullptr, body}};
  std::vector<uint64_t> sums;
  std::string block;  // what is not checksummed yet
  const auto add_to_block = [&](const void* data, size_t bytes) {
    const char* p = static_cast<const char*>(data);
    out.push_back({data, bytes});
    while (bytes > 0) {
      const size_t n = std::min(bytes, image::kBlock - block.size());
      block.append(p, n);
      p += n;
      bytes -= n;
      if (block.size() < image::kBlock) return;
      sums.push_back(image::checksum(block.data(), block.size()));
      block.clear();
    }
  };
  size_t at = body;
  for (size_t i = 0; i < sections_.size(); ++i) {
    image::Section& s = sections_[i];
    s.offset = at;
    add_to_block(data_[i], s.bytes);
    add_to_block(kZeros, aligned(s.bytes) - s.bytes);
    at += aligned(s.bytes);
  }
  if (!block.empty()) sums.push_back(image::checksum(block.data(), block.size()));

  image::Header header{};
  std::memcpy(header.magic, image::kMagic, sizeof header.magic);
  header.byte_order = image::kByteOrder;
  header.version = image::kVersion;
  header.bytes = at;
  header.body = body;
  header.sections = static_cast<uint32_t>(sections_.size());
  header.blocks = static_cast<uint32_t>(blocks);
  head_.assign(body, '\0');
  char* const lists = head_.data() + sizeof header;
  std::memcpy(lists, sections_.data(), sections_.size() * sizeof(image::Section));
  std::memcpy(lists + sections_.size() * sizeof(image::Section), sums.data(), sums.size() * sizeof(uint64_t));
  header.checksum = image::checksum(lists, list, image::checksum(&header, sizeof header));
  std::memcpy(head_.data(), &header, sizeof header);
  out[0].data = head_.data();
  return out;
}

}  // namespace xcore::tokenizer
