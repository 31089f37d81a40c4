#include "tokenizer/encode_cuda/tables.hpp"

#include <algorithm>
#include <map>

#include "runtime/error.hpp"
#include "tokenizer/unicode/unicode.hpp"

namespace xcore::tokenizer::gpu {
namespace {

constexpr uint32_t kCodePoints = 0x110000;

size_t power_of_two(size_t least) {
  size_t n = 16;
  while (n < least) n *= 2;
  return n;
}

// All beginnings of up to `width` bytes, each once.
AddedFilter filter_of(const std::vector<std::string>& contents) {
  AddedFilter f{};
  for (size_t width = 8; width >= 1; width /= 2) {
    f = {};
    std::vector<std::string> prefixes;
    for (const std::string& c : contents) prefixes.push_back(c.substr(0, width));
    std::sort(prefixes.begin(), prefixes.end());
    prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    if (prefixes.size() > kMaxPrefixes && width > 1) continue;
    for (const std::string& p : prefixes) {
      const auto first = static_cast<uint8_t>(p[0]);
      f.starts[first >> 5] |= 1u << (first & 31);
      if (f.count == kMaxPrefixes) continue;
      auto& out = f.prefixes[f.count++];
      std::memcpy(&out.value, p.data(), p.size());
      out.mask = p.size() == 8 ? ~uint64_t{0} : (uint64_t{1} << 8 * p.size()) - 1;
    }
    if (prefixes.size() > kMaxPrefixes) {  // single bytes: `starts` says it all
      f.count = 1;
      f.prefixes[0] = {0, 0};
    }
    break;
  }
  return f;
}

}  // namespace

std::string unsupported(const Model& model) {
  if (model.kind != Kind::byte_level) return "only byte-level models are encoded on a GPU, not SentencePiece ones";
  if (model.steps.size() != 1 || !covers(model.steps[0].pattern)) return "the pre-tokenizer is not one Split by a pattern with a GPU scanner";
  if (!model.pipeline.simple) return "the file asks for components that a GPU does not do";
  if (model.steps[0].prefix_space) return "add_prefix_space is not supported on a GPU";
  for (const uint32_t id : model.byte_token) {
    if (id == kNoId) return "the vocabulary lacks single bytes";
  }
  bool fits = true;
  model.pairs.each([&](const PairTable::Entry& e) { fits = fits && e.rank <= kMaxRank; });
  if (!fits) return "the merges have ranks of 2^22 and more";
  return {};
}

PairTable Tables::pairs_of(const Model& model) {
  PairTable out = model.pairs;
  if (out.size() > 0) return out;
  out.reserve(model.merges.size());
  for (const PairTable::Entry& e : model.merges) out.insert(e.left, e.right, e.rank, e.joined);
  return out;
}

Tables::Tables(const Model& model, const PairTable& merges) : nfc(model.nfc), pattern(model.steps[0].pattern) {
  build_classes(model);
  build_pairs(model, merges);
  build_pieces(model, merges);
  std::vector<std::string> all, ordinary;
  for (const AddedToken& t : model.added) {
    std::string content = t.content;
    if (t.normalized && model.nfc) normalize_nfc(t.content, content);
    all.push_back(content);
    if (!t.special) ordinary.push_back(content);
    longest_added = std::max(longest_added, content.size());
  }
  added = filter_of(all);
  added_ordinary = filter_of(ordinary);
}

void Tables::build_classes(const Model& model) {
  const ClassTable& table = ClassTable::get();
  std::map<std::vector<uint8_t>, uint16_t> seen;
  class_block.resize(kCodePoints >> 8);
  for (uint32_t b = 0; b < class_block.size(); ++b) {
    std::vector<uint8_t> block(256);
    for (uint32_t i = 0; i < 256; ++i) {
      const uint32_t c = b << 8 | i;
      block[i] = static_cast<uint8_t>(table[c] & (kL | kN | kS | kM | kUp | kLow));
      if (model.nfc && !nfc_inert(c)) block[i] |= kUnstable;
    }
    const auto [at, fresh] = seen.emplace(block, static_cast<uint16_t>(seen.size()));
    class_block[b] = at->second;
    if (fresh) classes.insert(classes.end(), block.begin(), block.end());
  }
}

void Tables::build_pairs(const Model& model, const PairTable& merges) {
  // Two thirds full at most: the table of 280,000 merges then takes 8 MiB and stays in the L2 cache.
  pairs.assign(power_of_two(std::max<size_t>(merges.size() * 3 / 2 + 1, 2)), PairEntry{kNone, kNone, {kApart, 0}});
  const auto mask = static_cast<uint32_t>(pairs.size() - 1);
  merges.each([&](const PairTable::Entry& e) {
    if (e.rank > kMaxRank) throw Error(XC_UNSUPPORTED, "the merges have ranks of 2^22 and more");
    uint32_t i = hash_of_pair(e.left, e.right) & mask & ~1u;  // as PairLookup looks
    while (pairs[i].left != kNone) i = (i + 1) & mask;
    pairs[i] = {e.left, e.right, {e.rank, e.joined}};
  });
  byte_ids.assign(std::begin(model.byte_token), std::end(model.byte_token));
  byte_pairs.resize(65536);
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto& e = merges.find(byte_ids[i >> 8], byte_ids[i & 255]);
    byte_pairs[i] = {e.rank, e.joined};  // kNoRank is kApart
  }
}

// Every token that a whole piece may become: all of them where the file ignores merges, else those that merging their
// own bytes gives back.
void Tables::build_pieces(const Model& model, const PairTable& merges) {
  std::vector<uint32_t> shorts, longer;
  for (uint32_t id = 0; id < model.tokens.size(); ++id) {
    if (!model.model_token[id]) continue;
    const size_t size = model.bytes[id].size();
    if (size >= 1 && size <= kKeyBytes) shorts.push_back(id);
    if (size > kKeyBytes && size <= kMaxPiece) longer.push_back(id);
  }
  pieces.assign(power_of_two(shorts.size() * 2), PieceEntry{});
  longs.assign(longer.empty() ? 0 : power_of_two(longer.size() * 2), LongEntry{});
  const TableView t = view();
  std::vector<uint8_t> bytes;
  MergeScratch scratch;
  std::vector<uint32_t> symbols;
  const auto whole = [&](uint32_t id) {
    if (model.ignore_merges) return true;
    symbols.clear();
    for (const char c : model.bytes[id]) symbols.push_back(byte_ids[static_cast<uint8_t>(c)]);
    return merge(merges, symbols.data(), symbols.size(), scratch) == 1 && symbols[0] == id;
  };
  const auto padded = [&](uint32_t id) {
    const std::string_view s = model.bytes[id];
    bytes.assign(s.begin(), s.end());
    bytes.resize(s.size() + kPad);
    return static_cast<uint32_t>(s.size());
  };
  for (const uint32_t id : shorts) {
    if (!whole(id)) continue;
    const uint32_t size = padded(id);
    const Key key = key_of(bytes.data(), size);
    uint32_t i = hash_of(key) & t.piece_mask;
    while (pieces[i].key.high != 0 && !(pieces[i].key.low == key.low && pieces[i].key.high == key.high)) i = (i + 1) & t.piece_mask;
    if (pieces[i].key.high == 0) pieces[i] = {key, id};  // of equal contents the first counts
  }
  for (const uint32_t id : longer) {
    if (!whole(id)) continue;
    const uint32_t size = padded(id);
    if (find_long(view(), bytes.data(), size) != kNone) continue;
    const uint64_t hash = hash_long(bytes.data(), size);
    uint32_t i = static_cast<uint32_t>(hash) & t.long_mask;
    while (longs[i].hash != 0) i = (i + 1) & t.long_mask;
    longs[i] = {hash, id, static_cast<uint32_t>(long_bytes.size())};
    long_bytes.push_back(static_cast<uint8_t>(size & 255));
    long_bytes.push_back(static_cast<uint8_t>(size >> 8));
    long_bytes.insert(long_bytes.end(), bytes.begin(), bytes.begin() + size);
  }
}

TableView Tables::view() const {
  TableView t;
  t.classes = {class_block.data(), classes.data()};
  t.pieces = pieces.data();
  t.piece_mask = static_cast<uint32_t>(pieces.size() - 1);
  t.pairs = pairs.data();
  t.pair_mask = static_cast<uint32_t>(pairs.size() - 1);
  t.byte_pairs = byte_pairs.data();
  t.byte_ids = byte_ids.data();
  t.longs = longs.empty() ? nullptr : longs.data();
  t.long_mask = longs.empty() ? 0 : static_cast<uint32_t>(longs.size() - 1);
  t.long_bytes = long_bytes.data();
  return t;
}

size_t Tables::bytes() const {
  return class_block.size() * sizeof(uint16_t) + classes.size() + pieces.size() * sizeof(PieceEntry) +
         pairs.size() * sizeof(PairEntry) + byte_pairs.size() * sizeof(Joint) + byte_ids.size() * sizeof(uint32_t) +
         longs.size() * sizeof(LongEntry) + long_bytes.size();
}

}  // namespace xcore::tokenizer::gpu
