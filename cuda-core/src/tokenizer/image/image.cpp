#include "tokenizer/image/image.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/error.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/image/model_fields.hpp"
#include "tokenizer/load/load.hpp"

namespace xcore::tokenizer {
namespace {

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

// The temporary file, gone unless it was renamed.
struct Temporary {
  std::string path;
  ~Temporary() {
    if (!path.empty()) ::unlink(path.c_str());
  }
};

[[noreturn]] void cannot(const char* what, const std::string& path) {
  const int reason = errno;
  throw error(reason == ENOENT || reason == ENOTDIR ? XC_NOT_FOUND : XC_IO, "path", -1, "cannot %s '%s': %s", what, path.c_str(),
              std::strerror(reason));
}

std::unique_ptr<Tokenizer> read(std::shared_ptr<const void> memory, size_t size) {
  ImageReader reader(static_cast<const uint8_t*>(memory.get()), size);
  Model model;
  model.backing = std::move(memory);
  bool packed = false;
  property_fields(model.properties, reader);
  model_fields(model, reader, packed);
  return std::make_unique<Tokenizer>(std::move(model), reader, packed);
}

template <class F>
void write_image(const Tokenizer& tokenizer, const Properties& properties, F&& use) {
  ImageWriter writer;
  Properties all = tokenizer.model().properties;
  for (const auto& p : properties) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const auto& q) { return q.first == p.first; });
    if (same == all.end()) {
      all.push_back(p);
    } else {
      same->second = p.second;
    }
  }
  property_fields(all, writer);
  bool packed = tokenizer.packed();
  model_fields(tokenizer.model(), writer, packed);
  tokenizer.save(writer);
  writer.write(use);
}

}  // namespace

bool looks_like_image(std::string_view head) { return head.substr(0, sizeof image::kMagic) == std::string_view(image::kMagic, sizeof image::kMagic); }

std::string image_of(const Tokenizer& tokenizer, const Properties& properties) {
  std::string out;
  write_image(tokenizer, properties, [&](const void* data, size_t bytes) { out.append(static_cast<const char*>(data), bytes); });
  return out;
}

void save_image(const Tokenizer& tokenizer, const Properties& properties, const std::string& path) {
  Temporary temporary{path + ".XXXXXX"};
  const Descriptor file{::mkostemp(temporary.path.data(), O_CLOEXEC)};
  if (file.fd < 0) {
    temporary.path.clear();
    cannot("write", path);
  }
  write_image(tokenizer, properties, [&](const void* data, size_t bytes) {
    const auto* p = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t n = ::write(file.fd, p, bytes);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) cannot("write", path);
      p += n;
      bytes -= static_cast<size_t>(n);
    }
  });
  // As a new file has it; mkostemp keeps it to the owner.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(file.fd, 0666 & ~mask) != 0 || ::fsync(file.fd) != 0) cannot("write", path);
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) cannot("write", path);
  temporary.path.clear();
}

std::unique_ptr<Tokenizer> load_image(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) cannot("open", path);
  struct stat about;
  if (::fstat(file.fd, &about) != 0) cannot("open", path);
  if (!S_ISREG(about.st_mode)) throw error(XC_IO, "path", -1, "'%s' is not a regular file", path.c_str());
  const auto size = static_cast<size_t>(about.st_size);
  int flags = MAP_PRIVATE;
#if defined(MAP_POPULATE)
  flags |= MAP_POPULATE;  // all of it is read for the checksums: one call instead of a fault every few pages
#endif
  void* const memory = size ? ::mmap(nullptr, size, PROT_READ, flags, file.fd, 0) : MAP_FAILED;
  if (memory == MAP_FAILED) cannot("map", path);
  return read(std::shared_ptr<const void>(memory, [size](const void* p) { ::munmap(const_cast<void*>(p), size); }), size);
}

std::unique_ptr<Tokenizer> load_image_bytes(std::string_view bytes) {
  auto copy = std::make_shared<Flat<char>>(Flat<char>::uninitialised(bytes.size()));
  std::memcpy(copy->writable(), bytes.data(), bytes.size());
  return read(std::shared_ptr<const void>(copy, copy->data()), bytes.size());
}

void seal_image(std::string& bytes) {
  image::Header header;
  if (bytes.size() < sizeof header) return;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memcpy(header.magic, image::kMagic, sizeof header.magic);
  header.byte_order = image::kByteOrder;
  header.version = image::kVersion;
  header.bytes = bytes.size();
  header.checksum = 0;
  const size_t room = (bytes.size() - sizeof header) / sizeof(image::Section);
  if (header.sections > room) header.sections = static_cast<uint32_t>(room);
  for (uint32_t i = 0; i < header.sections; ++i) {
    image::Section s;
    char* const at = bytes.data() + sizeof header + i * sizeof s;
    std::memcpy(&s, at, sizeof s);
    if (s.offset > bytes.size() || s.bytes > bytes.size() - s.offset) continue;
    s.checksum = image::checksum(bytes.data() + s.offset, s.bytes);
    std::memcpy(at, &s, sizeof s);
  }
  header.checksum = image::checksum(bytes.data() + sizeof header, header.sections * sizeof(image::Section),
                                    image::checksum(&header, sizeof header));
  std::memcpy(bytes.data(), &header, sizeof header);
}

}  // namespace xcore::tokenizer
