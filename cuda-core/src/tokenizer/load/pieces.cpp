#include "tokenizer/load/pieces.hpp"

#include <algorithm>

#include "runtime/error.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/decode/decoders.hpp"
#include "tokenizer/load/load.hpp"

namespace xcore::tokenizer {
namespace {

[[noreturn]] void fail(const char* field, const std::string& message) {
  throw Error(XC_INVALID_FORMAT, std::string(field) + ": " + message, field);
}

void set_bytes(Model& model, uint32_t id, int type, const char* field) {
  const std::string token(model.tokens[id]);
  std::string bytes = token;
  const bool special = type == kControlPiece || type == kUnknownPiece;
  if (model.kind == Kind::byte_level) {
    const bool mapped = bytes_from_characters(token, bytes);
    if (!mapped || special || type == kUserDefinedPiece) bytes = token;
    model.model_token[id] = mapped && !special && type != kUserDefinedPiece && !bytes.empty();
  } else if (type == kBytePiece) {
    const int byte = byte_of_fallback(token);
    if (byte < 0) fail(field, "byte token '" + token.substr(0, 60) + "' is not written <0xNN>");
    bytes.assign(1, static_cast<char>(byte));
    model.byte_token[byte] = id;
    model.flags[id] |= XC_TOKEN_BYTE;
  } else {
    bytes.clear();
    for (size_t i = 0; i < token.size();) {
      const bool blank = token.compare(i, 3, "\xe2\x96\x81") == 0;
      bytes += blank ? ' ' : token[i];
      i += blank ? 3 : 1;
    }
    model.model_token[id] = !special && !token.empty();
  }
  model.bytes.set(id, bytes);
}

}  // namespace

void begin_pieces(Model& model, size_t size) {
  model.tokens.resize(size);
  model.bytes.resize(size);
  model.flags.assign(size, XC_TOKEN_PRESENT);
  model.model_token.assign(size, 0);
  model.by_content.reserve(size);
  std::fill(std::begin(model.byte_token), std::end(model.byte_token), kNoId);
}

void add_piece(Model& model, uint32_t id, std::string_view token, int type, const char* field) {
  model.tokens.set(id, token);
  const bool fresh = model.by_content.insert(model.tokens, id) == kNoId;
  const bool special = type == kControlPiece || type == kUnknownPiece;
  if (special) model.flags[id] |= XC_TOKEN_SPECIAL;
  const bool added = (special || type == kUserDefinedPiece) && fresh && !token.empty();
  if ((added || model.kind == Kind::sentencepiece) && token.size() > kMaxTokenBytes)
    fail(field, "token " + std::to_string(id) + " is longer than 1024 bytes");
  if (added) {
    model.flags[id] |= XC_TOKEN_ADDED;
    AddedToken t;
    t.id = id;
    t.content = token;
    t.special = special;
    model.added.push_back(std::move(t));
  }
  set_bytes(model, id, type, field);
  if (!fresh) model.model_token[id] = 0;
}

}  // namespace xcore::tokenizer
