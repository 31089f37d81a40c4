#include "tokenizer/load/load.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "gguf/gguf.hpp"
#include "runtime/error.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/image/image.hpp"

namespace xcore::tokenizer {
namespace {

constexpr uint64_t kMaxJsonBytes = uint64_t{1} << 30;

struct Closer {
  void operator()(std::FILE* f) const { std::fclose(f); }
};

bool is_gguf(std::string_view head) { return head.substr(0, 4) == "GGUF"; }

Model read_text(std::string_view bytes) {
  if (looks_like_sentencepiece(bytes)) return read_sentencepiece(bytes);
  if (looks_like_ranks(bytes))
    throw Error(XC_UNSUPPORTED, "a rank file holds neither the pattern nor the special tokens; open it with both (fromRanks)");
  return read_json(bytes);
}

}  // namespace

std::unique_ptr<Tokenizer> load_bytes(std::string_view bytes) {
  if (looks_like_image(bytes)) return load_image_bytes(bytes);
  if (is_gguf(bytes)) {
    return std::make_unique<Tokenizer>(read_gguf(*gguf::File::from_bytes(bytes_of(bytes), bytes.size())));
  }
  return std::make_unique<Tokenizer>(read_text(bytes));
}

std::unique_ptr<Tokenizer> load_file(const std::string& path) {
  const std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "rb"));
  if (!file) {
    const int reason = errno;
    throw error(reason == ENOENT || reason == ENOTDIR ? XC_NOT_FOUND : XC_IO, "path", -1, "cannot open '%s': %s", path.c_str(),
                std::strerror(reason));
  }
  struct stat about;
  if (fstat(fileno(file.get()), &about) != 0 || !S_ISREG(about.st_mode)) {
    throw error(XC_IO, "path", -1, "'%s' is not a regular file", path.c_str());
  }
  char head[8] = {};
  const size_t got = std::fread(head, 1, sizeof head, file.get());
  if (looks_like_image({head, got})) return load_image(path);
  if (is_gguf({head, got})) return std::make_unique<Tokenizer>(read_gguf(*gguf::File::open(path)));
  if (static_cast<uint64_t>(about.st_size) > kMaxJsonBytes) {
    throw error(XC_LIMIT_EXCEEDED, "path", -1, "'%s' has %lld bytes; a tokenizer file may have up to 1 GiB", path.c_str(),
                static_cast<long long>(about.st_size));
  }
  const auto size = static_cast<size_t>(about.st_size);
  auto text = Flat<char>::uninitialised(size);
  std::memcpy(text.writable(), head, got);
  const size_t all = got + std::fread(text.writable() + got, 1, size - got, file.get());
  if (std::ferror(file.get())) throw error(XC_IO, "path", -1, "cannot read '%s': %s", path.c_str(), std::strerror(errno));
  if (all != size || std::fgetc(file.get()) != EOF) throw error(XC_IO, "path", -1, "'%s' changed while it was read", path.c_str());
  try {
    return std::make_unique<Tokenizer>(read_text({text.data(), size}));
  } catch (const Error& e) {
    throw Error(e.status, path + ": " + e.what(), e.field, e.offset);
  }
}

void mark_end_of_generation(Model& model) {
  for (const char* name : {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>",
                           "<end_of_turn>", "<eos>", "</s>"}) {
    const uint32_t id = model.by_content.find(model.tokens, name);
    if (id != kNoId && (model.flags[id] & XC_TOKEN_SPECIAL)) model.flags[id] |= XC_TOKEN_END_OF_GENERATION;
  }
  if (model.eos != kNoId) model.flags[model.eos] |= XC_TOKEN_END_OF_GENERATION;
}

void set_pattern(Model& model, std::string_view pattern) {
  PreTokenizer step;
  step.kind = PreTokenizer::split;
  step.behavior = Behavior::removed;
  step.invert = true;  // the matches are the pieces, and what no match covers is dropped
  step.pattern = recognise(pattern);
  if (step.pattern == Pattern::none) {
    step.needle.regex = std::make_shared<const regex::Regex>(pattern, regex::Dialect::fancy);
    model.pipeline.simple = false;
  } else {
    model.steps.push_back({step.pattern, false});
  }
  model.pipeline.steps.push_back(std::move(step));
}

void find_byte_tokens(Model& model) {
  std::fill(std::begin(model.byte_token), std::end(model.byte_token), kNoId);
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (model.model_token[id] && model.bytes[id].size() == 1) {
      model.byte_token[static_cast<uint8_t>(model.bytes[id][0])] = id;
    }
  }
}

}  // namespace xcore::tokenizer
