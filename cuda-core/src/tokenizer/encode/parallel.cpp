// One large text on all threads: cut where the pieces are the same whatever stands around, encoded part by part into
// buffers of their own, and put together in order. The parts depend on the text alone.
#include <algorithm>

#include "runtime/thread_pool.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kPart = size_t{1} << 17;

struct Part {
  size_t begin, end;
  size_t count = 0;
  std::vector<uint32_t> ids;
};

}  // namespace

bool PieceEncoder::pays_in_parallel(size_t bytes) { return bytes >= 4 * kPart && thread_pool().threads() > 1; }

void PieceEncoder::encode_parallel(std::string_view text, Scan scan, ScratchPool& pool, Sink& sink) const {
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  std::vector<Part> parts;
  for (size_t from = 0; from < text.size();) {
    size_t to = text.size();
    if (text.size() - from > 2 * kPart) {
      const uint8_t* p = base + from + kPart;
      if (scan) {
        while (p < end && !safe_cut(base, p, end)) ++p;
      } else {
        while (p < end && !(cuts_ && seams_.cut(base, p, end))) ++p;
      }
      to = static_cast<size_t>(p - base);
    }
    parts.push_back({from, to, 0, {}});
    from = to;
  }
  const bool counting = sink.capacity == 0;
  thread_pool().parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t first, int64_t last) {
    const ScratchPool::Lease scratch(pool);
    for (int64_t i = first; i < last; ++i) {
      Part& part = parts[static_cast<size_t>(i)];
      const std::string_view piece = text.substr(part.begin, part.end - part.begin);
      const auto encode_into = [&](Sink& s) {
        if (scan) {
          encode(piece, scan, *scratch, s);
        } else {
          encode_characters(piece, *scratch, s);
        }
      };
      if (!counting) part.ids.resize(piece.size() / 3 + 1024);
      Sink own{part.ids.data(), part.ids.size()};
      encode_into(own);
      if (!counting && own.count > part.ids.size()) {
        part.ids.resize(own.count + 1024);
        own = {part.ids.data(), part.ids.size()};
        encode_into(own);
      }
      part.count = own.count;
    }
  });
  for (const Part& part : parts) {
    if (sink.count < sink.capacity) {
      std::copy_n(part.ids.data(), std::min(part.count, sink.capacity - sink.count), sink.out + sink.count);
    }
    sink.count += part.count;
  }
}

}  // namespace xcore::tokenizer
