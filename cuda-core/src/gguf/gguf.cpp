#include "gguf/gguf.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "gguf/reader.hpp"

namespace xcore::gguf {

const TypeTraits* type_traits(uint32_t id) {
  // Types the executors cannot multiply by are sized all the same, so that such files can be inspected and their
  // tokenizers read.
  static constexpr TypeTraits kTraits[] = {
      {"F32", 1, 4},         {"F16", 1, 2},        {"Q4_0", 32, 18},      {"Q4_1", 32, 20},     {nullptr, 0, 0},
      {nullptr, 0, 0},       {"Q5_0", 32, 22},     {"Q5_1", 32, 24},      {"Q8_0", 32, 34},     {"Q8_1", 32, 36},
      {"Q2_K", 256, 84},     {"Q3_K", 256, 110},   {"Q4_K", 256, 144},    {"Q5_K", 256, 176},   {"Q6_K", 256, 210},
      {"Q8_K", 256, 292},    {"IQ2_XXS", 256, 66}, {"IQ2_XS", 256, 74},   {"IQ3_XXS", 256, 98}, {"IQ1_S", 256, 50},
      {"IQ4_NL", 32, 18},    {"IQ3_S", 256, 110},  {"IQ2_S", 256, 82},    {"IQ4_XS", 256, 136}, {"I8", 1, 1},
      {"I16", 1, 2},         {"I32", 1, 4},        {"I64", 1, 8},         {"F64", 1, 8},        {"IQ1_M", 256, 56},
      {"BF16", 1, 2},        {nullptr, 0, 0},      {nullptr, 0, 0},       {nullptr, 0, 0},      {"TQ1_0", 256, 54},
      {"TQ2_0", 256, 66},    {nullptr, 0, 0},      {nullptr, 0, 0},       {nullptr, 0, 0},      {"MXFP4", 32, 17},
  };
  if (id >= sizeof kTraits / sizeof *kTraits || !kTraits[id].name) return nullptr;
  return &kTraits[id];
}

namespace {

// Value types of metadata, as in the format.
enum : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64 };

uint64_t size_of_scalar(uint32_t type) {
  switch (type) {
    case kU8: case kI8: case kBool: return 1;
    case kU16: case kI16: return 2;
    case kU32: case kI32: case kF32: return 4;
    default: return 8;  // also the length field of a string
  }
}

bool read_bool(Reader& r, const std::string& key) {
  const uint64_t at = r.position();
  const uint8_t byte = r.read<uint8_t>(key, "a boolean");
  if (byte > 1) throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(at), "a boolean must be 0 or 1, found %u", byte);
  return byte == 1;
}

template <class Wide, class Narrow>
std::vector<Wide> read_numbers(Reader& r, const std::string& key, uint64_t count) {
  std::vector<Wide> out;
  out.reserve(count);  // `count` elements were found to fit into the bytes left
  for (uint64_t i = 0; i < count; ++i) out.push_back(static_cast<Wide>(r.read<Narrow>(key, "an array element")));
  return out;
}

Value read_array(Reader& r, const std::string& key) {
  const uint64_t at = r.position();
  const uint32_t type = r.read<uint32_t>(key, "the element type of an array");
  if (type == kArray)
    throw error(XC_UNSUPPORTED, key, static_cast<int64_t>(at), "arrays of arrays are not supported");
  if (type > kF64)
    throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(at), "element type %u of an array is not one of 0..12", type);
  const uint64_t count_at = r.position();
  const uint64_t count = r.read<uint64_t>(key, "the length of an array");
  if (count > r.left() / size_of_scalar(type))
    throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(count_at),
                "an array claims %llu elements, but only %llu bytes are left in the file",
                static_cast<unsigned long long>(count), static_cast<unsigned long long>(r.left()));
  switch (type) {
    case kU8: return read_numbers<uint64_t, uint8_t>(r, key, count);
    case kU16: return read_numbers<uint64_t, uint16_t>(r, key, count);
    case kU32: return read_numbers<uint64_t, uint32_t>(r, key, count);
    case kU64: return read_numbers<uint64_t, uint64_t>(r, key, count);
    case kI8: return read_numbers<int64_t, int8_t>(r, key, count);
    case kI16: return read_numbers<int64_t, int16_t>(r, key, count);
    case kI32: return read_numbers<int64_t, int32_t>(r, key, count);
    case kI64: return read_numbers<int64_t, int64_t>(r, key, count);
    case kF32: return read_numbers<double, float>(r, key, count);
    case kF64: return read_numbers<double, double>(r, key, count);
    case kBool: {
      std::vector<bool> out;
      out.reserve(count);
      for (uint64_t i = 0; i < count; ++i) out.push_back(read_bool(r, key));
      return out;
    }
    default: {
      StringArray out;
      out.reserve(count);
      for (uint64_t i = 0; i < count; ++i) out.push_back(r.string(key, "an array element"));
      return out;
    }
  }
}

Value read_value(Reader& r, const std::string& key, uint32_t type, uint64_t type_at) {
  switch (type) {
    case kU8: return static_cast<uint64_t>(r.read<uint8_t>(key, "a value"));
    case kU16: return static_cast<uint64_t>(r.read<uint16_t>(key, "a value"));
    case kU32: return static_cast<uint64_t>(r.read<uint32_t>(key, "a value"));
    case kU64: return r.read<uint64_t>(key, "a value");
    case kI8: return static_cast<int64_t>(r.read<int8_t>(key, "a value"));
    case kI16: return static_cast<int64_t>(r.read<int16_t>(key, "a value"));
    case kI32: return static_cast<int64_t>(r.read<int32_t>(key, "a value"));
    case kI64: return r.read<int64_t>(key, "a value");
    case kF32: return static_cast<double>(r.read<float>(key, "a value"));
    case kF64: return r.read<double>(key, "a value");
    case kBool: return read_bool(r, key);
    case kString: return r.string(key, "a string value");
    case kArray: return read_array(r, key);
    default:
      throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(type_at), "value type %u is not one of 0..12", type);
  }
}

uint32_t read_header(Reader& r) {
  if (r.left() < 4 || std::memcmp(r.here(), "GGUF", 4) != 0)
    throw error(XC_INVALID_FORMAT, "magic", 0, "not a GGUF file: it does not start with the bytes 'GGUF'");
  r.skip(4);
  const uint32_t version = r.read<uint32_t>("version", "the version");
  if ((version & 0xFFFFu) == 0 && version != 0)
    throw error(XC_UNSUPPORTED, "version", 4, "the file is big-endian; only little-endian files are supported");
  if (version < 2 || version > 3)
    throw error(XC_UNSUPPORTED, "version", 4, "GGUF version %u is not supported; versions 2 and 3 are", version);
  return version;
}

// What the directory says of one tensor; where its bytes lie is known only when the whole directory has been read.
Tensor read_tensor_info(Reader& r, uint64_t& relative_offset) {
  const uint64_t at = r.position();
  const int64_t where = static_cast<int64_t>(at);
  Tensor t{};
  const std::string_view name = r.string("tensors", "a tensor's name");
  t.name = name;
  const std::string field = printable(name);
  if (name.empty() || name.size() >= 64)
    throw error(XC_INVALID_FORMAT, field, where, "a tensor's name must have 1 to 63 bytes, found %llu",
                static_cast<unsigned long long>(name.size()));
  t.dimensions = r.read<uint32_t>(field, "the number of dimensions");
  if (t.dimensions < 1 || t.dimensions > 4)
    throw error(XC_INVALID_FORMAT, field, where, "a tensor must have 1 to 4 dimensions, found %u", t.dimensions);
  uint64_t elements = 1;
  for (uint32_t d = 0; d < 4; ++d) {
    t.shape[d] = d < t.dimensions ? r.read<uint64_t>(field, "a dimension") : 1;
    if (t.shape[d] == 0) throw error(XC_INVALID_FORMAT, field, where, "dimension %u is 0", d);
    if (t.shape[d] > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / elements)
      throw error(XC_INVALID_FORMAT, field, where, "the product of the dimensions does not fit 63 bits");
    elements *= t.shape[d];
  }
  const uint32_t type = r.read<uint32_t>(field, "the type");
  const TypeTraits* traits = type_traits(type);
  if (!traits) throw error(XC_UNSUPPORTED, field, where, "tensor type %u is unknown to this version", type);
  t.type = static_cast<TensorType>(type);
  if (t.shape[0] % traits->block_size != 0)
    throw error(XC_INVALID_FORMAT, field, where, "the first dimension is %llu, but %s comes in blocks of %u",
                static_cast<unsigned long long>(t.shape[0]), traits->name, traits->block_size);
  const uint64_t blocks = elements / traits->block_size;
  if (blocks > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / traits->block_bytes)
    throw error(XC_INVALID_FORMAT, field, where, "the tensor's size in bytes does not fit 63 bits");
  t.bytes = blocks * traits->block_bytes;
  relative_offset = r.read<uint64_t>(field, "the offset");
  t.file_offset = at;  // for error messages until the data section is known
  return t;
}

uint64_t padded(uint64_t n, uint64_t alignment) { return (n + alignment - 1) & ~(alignment - 1); }

}  // namespace

void File::parse(const uint8_t* data, size_t size) {
  size_ = size;
  Reader r(data, size);
  version_ = read_header(r);
  const uint64_t tensor_count = r.read<uint64_t>("tensor_count", "the number of tensors");
  const uint64_t entry_count = r.read<uint64_t>("metadata_kv_count", "the number of metadata entries");
  // The smallest entry has 8 + 1 + 4 + 1 bytes, the smallest tensor 8 + 1 + 4 + 8 + 4 + 8.
  if (entry_count > r.left() / 14)
    throw error(XC_INVALID_FORMAT, "metadata_kv_count", 16, "%llu metadata entries cannot fit into the %llu bytes left",
                static_cast<unsigned long long>(entry_count), static_cast<unsigned long long>(r.left()));
  if (tensor_count > r.left() / 33)
    throw error(XC_INVALID_FORMAT, "tensor_count", 8, "%llu tensors cannot fit into the %llu bytes left",
                static_cast<unsigned long long>(tensor_count), static_cast<unsigned long long>(r.left()));

  uint64_t alignment = 32;
  for (uint64_t i = 0; i < entry_count; ++i) {
    const uint64_t at = r.position();
    const std::string_view raw_key = r.string("metadata", "a key");
    const std::string key = printable(raw_key);
    if (raw_key.empty() || raw_key.size() > 65535)
      throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(at), "a key must have 1 to 65535 bytes, found %llu",
                  static_cast<unsigned long long>(raw_key.size()));
    const uint64_t type_at = r.position();
    const uint32_t type = r.read<uint32_t>(key, "the type of a value");
    Value value = read_value(r, key, type, type_at);
    if (raw_key == "general.alignment") {
      if (type != kU32)
        throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(type_at), "must be a 32-bit unsigned integer (type 4), found type %u", type);
      alignment = std::get<uint64_t>(value);
      if (alignment == 0 || (alignment & (alignment - 1)) != 0)
        throw error(XC_INVALID_FORMAT, key, static_cast<int64_t>(type_at + 4), "must be a power of two, found %llu",
                    static_cast<unsigned long long>(alignment));
    }
    metadata_.push_back({std::string(raw_key), std::move(value), at});
  }
  for (size_t i = 0; i < metadata_.size(); ++i)
    if (!entry_index_.emplace(metadata_[i].key, i).second)
      throw error(XC_INVALID_FORMAT, printable(metadata_[i].key), static_cast<int64_t>(metadata_[i].offset), "the key occurs twice");

  std::vector<uint64_t> relative(tensor_count);
  tensors_.reserve(tensor_count);
  for (uint64_t i = 0; i < tensor_count; ++i) tensors_.push_back(read_tensor_info(r, relative[i]));
  for (size_t i = 0; i < tensors_.size(); ++i)
    if (!tensor_index_.emplace(tensors_[i].name, i).second)
      throw error(XC_INVALID_FORMAT, printable(tensors_[i].name), static_cast<int64_t>(tensors_[i].file_offset),
                  "two tensors have this name");

  if (tensors_.empty()) return;
  const uint64_t data_start = padded(r.position(), alignment);
  uint64_t running = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    Tensor& t = tensors_[i];
    const int64_t where = static_cast<int64_t>(t.file_offset);
    const std::string field = printable(t.name);
    if (relative[i] != running)
      throw error(XC_INVALID_FORMAT, field, where, "the tensor's data should start at offset %llu of the data section, right after the tensor before it; the directory says %llu",
                  static_cast<unsigned long long>(running), static_cast<unsigned long long>(relative[i]));
    if (data_start > size || running > size - data_start || t.bytes > size - data_start - running)
      throw error(XC_INVALID_FORMAT, field, where, "the file is truncated: the tensor's %llu bytes should start at byte %llu, but the file has %llu bytes",
                  static_cast<unsigned long long>(t.bytes), static_cast<unsigned long long>(data_start + running),
                  static_cast<unsigned long long>(size));
    t.file_offset = data_start + running;
    t.data = data + t.file_offset;
    running += padded(t.bytes, alignment);
  }
}

std::shared_ptr<const File> File::open(const std::string& path) {
  const char* shown = path.c_str();
  if (path.empty() || path.find('\0') != std::string::npos)
    throw invalid_argument("path", "a path must be non-empty and free of NUL bytes");
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int reason = errno;
    throw error(reason == ENOENT || reason == ENOTDIR ? XC_NOT_FOUND : XC_IO, "path", -1, "cannot open '%s': %s",
                shown, std::strerror(reason));
  }
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{fd};
  struct stat info;
  if (::fstat(fd, &info) != 0) throw error(XC_IO, "path", -1, "cannot examine '%s': %s", shown, std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    throw error(XC_IO, "path", -1, "'%s' is %s, not a file", shown, S_ISDIR(info.st_mode) ? "a directory" : "a device or pipe");
  if (info.st_size == 0) throw error(XC_INVALID_FORMAT, "path", 0, "'%s' is empty, not a GGUF file", shown);
  const size_t bytes = static_cast<size_t>(info.st_size);
  void* mapping = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping == MAP_FAILED) {
    const int reason = errno;
    throw error(reason == ENOMEM ? XC_OUT_OF_MEMORY : XC_IO, "path", -1, "cannot map '%s': %s", shown, std::strerror(reason));
  }
  std::shared_ptr<File> file;
  try {
    file.reset(new File);
  } catch (...) {
    ::munmap(mapping, bytes);
    throw;
  }
  file->path_ = path;
  file->mapping_ = mapping;
  file->mapping_bytes_ = bytes;
  file->parse(static_cast<const uint8_t*>(mapping), bytes);
  return file;
}

std::shared_ptr<const File> File::from_bytes(const uint8_t* data, size_t size) {
  std::shared_ptr<File> file(new File);
  file->parse(data, size);
  return file;
}

File::~File() {
  if (mapping_) ::munmap(mapping_, mapping_bytes_);
}

const Entry* File::find(std::string_view key) const {
  const auto found = entry_index_.find(key);
  return found == entry_index_.end() ? nullptr : &metadata_[found->second];
}

const Tensor* File::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

static Error missing(std::string_view key) {
  return error(XC_INVALID_FORMAT, std::string(key), -1, "the metadata key '%.*s' is missing", static_cast<int>(key.size()), key.data());
}

static Error wrong_type(const Entry& entry, const char* wanted) {
  return error(XC_INVALID_FORMAT, printable(entry.key), static_cast<int64_t>(entry.offset), "the metadata key '%s' must be %s",
               printable(entry.key).c_str(), wanted);
}

std::string_view File::string(std::string_view key) const {
  const Entry* entry = find(key);
  if (!entry) throw missing(key);
  if (const auto* value = std::get_if<std::string_view>(&entry->value)) return *value;
  throw wrong_type(*entry, "a string");
}

std::string_view File::string(std::string_view key, std::string_view fallback) const {
  return find(key) ? string(key) : fallback;
}

uint64_t File::integer(std::string_view key) const {
  const Entry* entry = find(key);
  if (!entry) throw missing(key);
  if (const auto* value = std::get_if<uint64_t>(&entry->value)) return *value;
  if (const auto* value = std::get_if<int64_t>(&entry->value)) {
    if (*value >= 0) return static_cast<uint64_t>(*value);
    throw wrong_type(*entry, "an integer that is not negative");
  }
  throw wrong_type(*entry, "an integer");
}

uint64_t File::integer(std::string_view key, uint64_t fallback) const { return find(key) ? integer(key) : fallback; }

double File::number(std::string_view key, double fallback) const {
  const Entry* entry = find(key);
  if (!entry) return fallback;
  if (const auto* value = std::get_if<double>(&entry->value)) return *value;
  if (const auto* value = std::get_if<uint64_t>(&entry->value)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<int64_t>(&entry->value)) return static_cast<double>(*value);
  throw wrong_type(*entry, "a number");
}

bool File::boolean(std::string_view key, bool fallback) const {
  const Entry* entry = find(key);
  if (!entry) return fallback;
  if (const auto* value = std::get_if<bool>(&entry->value)) return *value;
  throw wrong_type(*entry, "a boolean");
}

const StringArray* File::strings(std::string_view key) const {
  const Entry* entry = find(key);
  if (!entry) return nullptr;
  if (const auto* value = std::get_if<StringArray>(&entry->value)) return value;
  throw wrong_type(*entry, "an array of strings");
}

}  // namespace xcore::gguf
