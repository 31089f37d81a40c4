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

std::vector<ImageWriter::Part> ImageWriter::parts() {
  add("description", description_.data(), description_.size(), 1);
  // First, so that a reader meets it first.
  std::rotate(sections_.begin(), sections_.end() - 1, sections_.end());
  std::rotate(data_.begin(), data_.end() - 1, data_.end());
  const size_t list = sections_.size() * sizeof(image::Section);
  size_t at = aligned(sizeof(image::Header) + list);
  std::vector<Part> out = {{nullptr, at}};
  for (size_t i = 0; i < sections_.size(); ++i) {
    image::Section& s = sections_[i];
    s.offset = at;
    s.checksum = image::checksum(data_[i], s.bytes);
    out.push_back({data_[i], s.bytes});
    if (const size_t gap = aligned(s.bytes) - s.bytes) out.push_back({kZeros, gap});
    at += aligned(s.bytes);
  }
  image::Header header{};
  std::memcpy(header.magic, image::kMagic, sizeof header.magic);
  header.byte_order = image::kByteOrder;
  header.version = image::kVersion;
  header.bytes = at;
  header.sections = static_cast<uint32_t>(sections_.size());
  header.checksum = image::checksum(sections_.data(), list, image::checksum(&header, sizeof header));
  head_.assign(out[0].bytes, '\0');
  std::memcpy(head_.data(), &header, sizeof header);
  std::memcpy(head_.data() + sizeof header, sections_.data(), list);
  out[0].data = head_.data();
  return out;
}

}  // namespace xcore::tokenizer
