// SentencePiece models (T. Kudo, J. Richardson, EMNLP 2018) of BPE type: a protocol buffer of pieces with scores and types,
// and of what the trainer and the normaliser were told. Field numbers are those of sentencepiece_model.proto.
#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/error.hpp"
#include "tokenizer/load/load.hpp"
#include "tokenizer/load/pieces.hpp"

namespace xcore::tokenizer {
namespace {

[[noreturn]] void fail(size_t offset, const char* what) {
  throw error(XC_INVALID_FORMAT, "model", static_cast<int64_t>(offset), "SentencePiece model: %s at byte %zu", what, offset);
}

// Walks the fields of one message.
class Fields {
 public:
  Fields(std::string_view all, size_t begin, size_t end) : all_(all), at_(begin), end_(end) {}

  // The next field; false at the end.
  bool next() {
    if (at_ == end_) return false;
    const uint64_t key = varint();
    number = static_cast<uint32_t>(key >> 3);
    type = static_cast<uint32_t>(key & 7);
    offset = at_;
    switch (type) {
      case 0: value = varint(); break;
      case 1: fixed(8); break;
      case 2: {
        const uint64_t size = varint();
        if (size > end_ - at_) fail(at_, "a field reaches beyond its message");
        begin = at_;
        at_ += static_cast<size_t>(size);
        break;
      }
      case 5: fixed(4); break;
      default: fail(at_, "an unknown kind of field");
    }
    if (number == 0) fail(offset, "a field without a number");
    return true;
  }

  Fields message() const {
    need(2);
    return Fields(all_, begin, at_);
  }
  std::string_view bytes() const {
    need(2);
    return all_.substr(begin, at_ - begin);
  }
  float real() const {
    need(5);
    const auto bits = static_cast<uint32_t>(value);
    float out;
    std::memcpy(&out, &bits, sizeof out);
    return out;
  }
  uint64_t integer() const {
    need(0);
    return value;
  }

  uint32_t number = 0, type = 0;
  size_t offset = 0;

 private:
  void need(uint32_t wanted) const {
    if (type != wanted) fail(offset, "a field of the wrong kind");
  }
  uint64_t varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) fail(at_, "the file ends inside a number");
      const auto byte = static_cast<uint8_t>(all_[at_++]);
      if (shift < 64) out |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return out;
    }
    fail(at_, "a number of more than ten bytes");
  }
  void fixed(size_t size) {
    if (size > end_ - at_) fail(at_, "the file ends inside a number");
    value = 0;
    std::memcpy(&value, all_.data() + at_, size);
    at_ += size;
  }

  std::string_view all_;
  size_t at_, end_;
  size_t begin = 0;
  uint64_t value = 0;
};

struct Piece {
  std::string_view text;
  float score = 0;
  int type = kNormalPiece;
};

Piece read_piece(Fields f) {
  Piece piece;
  while (f.next()) {
    if (f.number == 1) piece.text = f.bytes();
    if (f.number == 2) piece.score = f.real();
    if (f.number == 3) piece.type = static_cast<int>(f.integer() <= kBytePiece ? f.integer() : 0);
  }
  if (piece.type == 0) fail(f.offset, "a piece of an unknown type");
  if (!std::isfinite(piece.score)) fail(f.offset, "a score that is no number");
  return piece;
}

struct Trainer {
  uint64_t model_type = 1;  // unigram
  bool byte_fallback = false, blank_at_end = false;
  int64_t unknown = 0, bos = 1, eos = 2;
};
Trainer read_trainer(Fields f) {
  Trainer t;
  const auto id = [&] { return static_cast<int64_t>(static_cast<int32_t>(f.integer())); };
  while (f.next()) {
    if (f.number == 3) t.model_type = f.integer();
    if (f.number == 24) t.blank_at_end = f.integer() != 0;
    if (f.number == 35) t.byte_fallback = f.integer() != 0;
    if (f.number == 40) t.unknown = id();
    if (f.number == 41) t.bos = id();
    if (f.number == 42) t.eos = id();
  }
  return t;
}

struct NormalizerSpec {
  bool charsmap = false, prefix = true, squeeze = true, escape = true;
};
NormalizerSpec read_normalizer(Fields f) {
  NormalizerSpec n;
  while (f.next()) {
    if (f.number == 2) n.charsmap = !f.bytes().empty();
    if (f.number == 3) n.prefix = f.integer() != 0;
    if (f.number == 4) n.squeeze = f.integer() != 0;
    if (f.number == 5) n.escape = f.integer() != 0;
  }
  return n;
}

[[noreturn]] void unsupported(const char* field, const char* what) {
  throw error(XC_UNSUPPORTED, field, -1, "SentencePiece model: %s", what);
}

}  // namespace

bool looks_like_sentencepiece(std::string_view bytes) {
  // The first field of a model is a piece, and the first field of a piece its text.
  if (bytes.size() < 4 || bytes[0] != 0x0a) return false;
  const auto size = static_cast<uint8_t>(bytes[1]);
  return size < 0x80 && bytes[2] == 0x0a && static_cast<uint8_t>(bytes[3]) + 2u <= size;
}

Model read_sentencepiece(std::string_view bytes) {
  std::vector<Piece> pieces;
  Trainer trainer;
  NormalizerSpec normalizer;
  Fields f(bytes, 0, bytes.size());
  while (f.next()) {
    if (f.number == 1) pieces.push_back(read_piece(f.message()));
    if (f.number == 2) trainer = read_trainer(f.message());
    if (f.number == 3) normalizer = read_normalizer(f.message());
  }
  if (pieces.empty()) fail(0, "no piece");
  if (pieces.size() > (size_t{1} << 28)) fail(0, "more than 2^28 pieces");
  if (trainer.model_type != 2) {
    const char* const names[] = {"?", "unigram", "bpe", "word", "char"};
    throw error(XC_UNSUPPORTED, "trainer_spec.model_type", -1, "SentencePiece model: a %s model; only bpe is read",
                names[trainer.model_type < 5 ? trainer.model_type : 0]);
  }
  if (normalizer.charsmap) unsupported("normalizer_spec.precompiled_charsmap", "text would be normalised by a character map");
  if (normalizer.squeeze) unsupported("normalizer_spec.remove_extra_whitespaces", "runs of blanks would be squeezed");
  if (!normalizer.escape) unsupported("normalizer_spec.escape_whitespaces", "blanks are not written U+2581");
  if (trainer.blank_at_end) unsupported("trainer_spec.treat_whitespace_as_suffix", "blanks end words");

  Model model;
  model.kind = Kind::sentencepiece;
  const auto size = static_cast<uint32_t>(pieces.size());
  begin_pieces(model, size);
  for (uint32_t id = 0; id < size; ++id) {
    add_piece(model, id, pieces[id].text, pieces[id].type, "pieces");
    model.scores.push_back(pieces[id].score);
    if (pieces[id].type == kUnknownPiece) model.unknown = id;
  }
  model.space_prefix = normalizer.prefix;
  model.prefix_first_only = true;
  model.decoder.strip = model.space_prefix;
  model.fuse_unknown = true;
  const auto known = [&](int64_t id) { return id >= 0 && id < size ? static_cast<uint32_t>(id) : kNoId; };
  model.bos = known(trainer.bos);
  model.eos = known(trainer.eos);
  mark_end_of_generation(model);
  return model;
}

}  // namespace xcore::tokenizer
