// One large text on all threads: cut where the pieces are the same whatever stands around, encoded part by part into
// buffers of their own, and put together in order. The parts depend on the text alone.
#include <algorithm>
#include <cstring>

#include "runtime/thread_pool.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kPart = size_t{1} << 17;

struct Part {
  size_t begin, end;
  size_t count = 0;
  std::unique_ptr<uint32_t[]> ids;
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
    parts.push_back({from, to, 0, nullptr});
    from = to;
  }
  const bool counting = sink.capacity == 0;
  // No text has more ids than bytes: with room for that, each part is written where its bytes would lie and moved up
  // afterwards.
  uint32_t* const place = sink.count < sink.capacity && sink.capacity - sink.count >= text.size() ? sink.out + sink.count : nullptr;
  thread_pool().parallel_for(static_cast<int64_t>(parts.size()), 1, [&](int64_t first, int64_t last) {
    const ScratchPool::Lease scratch(pool);
    for (int64_t i = first; i < last; ++i) {
      Part& part = parts[static_cast<size_t>(i)];
      const std::string_view piece = text.substr(part.begin, part.end - part.begin);
      Sink own{nullptr, 0};
      const auto encode_into = [&](uint32_t* out, size_t capacity) {
        own = {out, capacity};
        if (scan) {
          encode(piece, scan, *scratch, own);
        } else {
          encode_characters(piece, *scratch, own);
        }
      };
      if (counting) {
        encode_into(nullptr, 0);
      } else if (place) {
        encode_into(place + part.begin, piece.size());
      } else {
        size_t room = piece.size() / 2 + 1024;
        part.ids.reset(new uint32_t[room]);
        encode_into(part.ids.get(), room);
        if (own.count > room) {
          room = own.count;
          part.ids.reset(new uint32_t[room]);
          encode_into(part.ids.get(), room);
        }
      }
      part.count = own.count;
    }
  });
  for (const Part& part : parts) {
    if (sink.count < sink.capacity) {
      const uint32_t* const from = place ? place + part.begin : part.ids.get();
      std::memmove(sink.out + sink.count, from, std::min(part.count, sink.capacity - sink.count) * sizeof *from);
    }
    sink.count += part.count;
  }
}

}  // namespace xcore::tokenizer
