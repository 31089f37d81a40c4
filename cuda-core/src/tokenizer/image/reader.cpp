#include "tokenizer/image/reader.hpp"

#include <algorithm>
#include <atomic>

#include "runtime/error.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::tokenizer {
namespace {

[[noreturn]] void saved_elsewhere(const char* how) {
  throw error(XC_UNSUPPORTED, "image", 8, "this image was saved %s; load the original file and save it again", how);
}

std::string name_of(const image::Section& s) { return {s.name, strnlen(s.name, sizeof s.name)}; }

}  // namespace

ImageReader::ImageReader(const uint8_t* data, size_t size) : data_(data) {
  image::Header header;
  const auto cut_off = [&](uint64_t whole) {
    throw error(XC_INVALID_FORMAT, "image", static_cast<int64_t>(size), "the image is cut off: it has %zu bytes of %llu", size,
                static_cast<unsigned long long>(whole));
  };
  if (size < sizeof header) cut_off(sizeof header);
  std::memcpy(&header, data, sizeof header);
  if (std::memcmp(header.magic, image::kMagic, sizeof header.magic) != 0)
    throw error(XC_INVALID_FORMAT, "image", 0, "this is no image of a tokenizer");
  if (header.byte_order == __builtin_bswap32(image::kByteOrder)) saved_elsewhere("on a machine of another byte order");
  if (header.byte_order != image::kByteOrder) throw error(XC_INVALID_FORMAT, "image", 8, "the header of the image is damaged");
  if (header.version != image::kVersion) saved_elsewhere("by another version of this software");
  const auto damaged = [] { return error(XC_INVALID_FORMAT, "image", 0, "the header of the image is damaged"); };
  const size_t sections = header.sections * sizeof(image::Section);
  const size_t list = sections + header.blocks * sizeof(uint64_t);
  if (header.sections == 0 || header.sections > image::kMaxSections) throw damaged();
  if (size < sizeof header + list) cut_off(header.bytes);
  const uint64_t expected = header.checksum;
  header.checksum = 0;
  if (image::checksum(data + sizeof header, list, image::checksum(&header, sizeof header)) != expected) throw damaged();
  if (size < header.bytes) cut_off(header.bytes);
  if (size > header.bytes)
    throw error(XC_INVALID_FORMAT, "image", static_cast<int64_t>(header.bytes), "%zu bytes follow the end of the image",
                size - static_cast<size_t>(header.bytes));
  if (header.body < sizeof header + list || header.body > size || header.blocks != (size - header.body + image::kBlock - 1) / image::kBlock)
    throw damaged();
  sections_.resize(header.sections);
  std::memcpy(sections_.data(), data + sizeof header, sections);
  for (const image::Section& s : sections_) {
    const bool lies = s.offset % image::kAlignment == 0 && s.offset >= header.body && s.offset <= size && s.bytes <= size - s.offset;
    if (!lies || s.element_bytes == 0 || s.bytes % s.element_bytes != 0)
      throw error(XC_INVALID_FORMAT, name_of(s), -1, "the section '%s' lies outside the image", name_of(s).c_str());
  }
  check_blocks(header, data + sizeof header + sections);
  if (name_of(sections_[0]) != "description") throw error(XC_INVALID_FORMAT, "description", -1, "the image has no description");
  at_ = sections_[0].offset;
  end_ = at_ + sections_[0].bytes;
}

void ImageReader::check_blocks(const image::Header& header, const uint8_t* sums) const {
  std::atomic<uint32_t> first_bad{header.blocks};
  thread_pool().parallel_for(header.blocks, 4, [&](int64_t begin, int64_t end) {
    for (auto b = static_cast<uint32_t>(begin); b < static_cast<uint32_t>(end); ++b) {
      const size_t at = header.body + b * image::kBlock;
      uint64_t sum;
      std::memcpy(&sum, sums + b * sizeof sum, sizeof sum);
      if (image::checksum(data_ + at, std::min<size_t>(image::kBlock, header.bytes - at)) == sum) continue;
      uint32_t seen = first_bad.load();
      while (b < seen && !first_bad.compare_exchange_weak(seen, b)) {
      }
    }
  });
  const uint32_t bad = first_bad.load();
  if (bad == header.blocks) return;
  const size_t begin = header.body + bad * image::kBlock, end = std::min<size_t>(begin + image::kBlock, header.bytes);
  const auto in = std::find_if(sections_.begin(), sections_.end(), [&](const image::Section& s) { return s.offset + s.bytes > begin; });
  const std::string name = in == sections_.end() ? "image" : name_of(*in);
  throw error(XC_INVALID_FORMAT, name, static_cast<int64_t>(begin), "the image is damaged between byte %zu and byte %zu, from section '%s' on",
              begin, end, name.c_str());
}

void ImageReader::fail(const char* message) const {
  const image::Section& s = sections_[read_ - 1];
  throw error(XC_INVALID_FORMAT, name_of(s), static_cast<int64_t>(s.offset), "section '%s' at byte %llu: %s", name_of(s).c_str(),
              static_cast<unsigned long long>(s.offset), message);
}

void ImageReader::take(void* out, size_t bytes) {
  if (bytes > end_ - at_) throw error(XC_INVALID_FORMAT, "description", static_cast<int64_t>(at_), "the description ends early");
  std::memcpy(out, data_ + at_, bytes);
  at_ += bytes;
}

uint8_t ImageReader::choice_of(size_t count) {
  uint8_t value = 0;
  number(value);
  if (value >= count)
    throw error(XC_INVALID_FORMAT, "description", static_cast<int64_t>(at_ - 1), "%u where a number below %zu is expected", value, count);
  return value;
}

uint64_t ImageReader::length() {
  uint64_t n = 0;
  number(n);
  if (n > end_ - at_) throw error(XC_INVALID_FORMAT, "description", static_cast<int64_t>(at_ - 8), "a list reaches beyond the description");
  return n;
}

void ImageReader::text(std::string& value) {
  const uint64_t n = length();
  value.assign(reinterpret_cast<const char*>(data_ + at_), n);
  at_ += n;
}

void ImageReader::bits(const std::string& name, std::vector<bool>& table) {
  const image::Section& s = next(name, 1);
  const uint8_t* const first = data_ + s.offset;
  table.assign(first, first + s.bytes);
}

const image::Section& ImageReader::next(const std::string& name, size_t element_bytes) {
  if (read_ == sections_.size()) throw error(XC_INVALID_FORMAT, name, -1, "the section '%s' is missing", name.c_str());
  const image::Section& s = sections_[read_++];
  if (name_of(s) != name || s.element_bytes != element_bytes)
    throw error(XC_INVALID_FORMAT, name, static_cast<int64_t>(s.offset), "the section '%s' is expected where '%s' stands", name.c_str(),
                name_of(s).c_str());
  return s;
}

void ImageReader::finish() const {
  require(read_ == sections_.size(), "there are more sections than a tokenizer has");
  if (at_ != end_) throw error(XC_INVALID_FORMAT, "description", static_cast<int64_t>(at_), "the description goes on where it should end");
}

}  // namespace xcore::tokenizer
