// The flat tables of a byte-level model, built once on the host; what they mean is in views.hpp.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/encode_cuda/views.hpp"
#include "tokenizer/tokenizer.hpp"

namespace xcore::tokenizer::gpu {

struct Tables {
  // unsupported(model) is "".
  explicit Tables(const Model& model) : Tables(model, pairs_of(model)) {}
  explicit Tables(const Tokenizer& tokenizer) : Tables(tokenizer.model(), tokenizer.pairs()) {}

  std::vector<uint16_t> class_block;
  std::vector<uint8_t> classes;
  std::vector<PieceEntry> pieces;
  std::vector<PairEntry> pairs;
  std::vector<Joint> byte_pairs;
  std::vector<uint32_t> byte_ids;
  std::vector<LongEntry> longs;
  std::vector<uint8_t> long_bytes;
  AddedFilter added;           // every added token
  AddedFilter added_ordinary;  // those that are not special
  size_t longest_added = 0;    // bytes
  bool nfc = false;
  Pattern pattern = Pattern::none;

  TableView view() const;  // on the host
  // Bytes of all arrays, which is what they take on a device.
  size_t bytes() const;

 private:
  static PairTable pairs_of(const Model& model);
  Tables(const Model& model, const PairTable& merges);
  void build_classes(const Model& model);
  void build_pairs(const Model& model, const PairTable& merges);
  void build_pieces(const Model& model, const PairTable& merges);
};

// Why this model cannot be encoded with these tables; "" when it can.
std::string unsupported(const Model& model);

}  // namespace xcore::tokenizer::gpu
