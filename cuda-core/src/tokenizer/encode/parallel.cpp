// One large text on all threads: cut where the pieces are the same whatever stands around. The parts depend on the text
// alone.
#include <atomic>
#include <optional>
#include <thread>

#include "runtime/thread_pool.hpp"
#include "tokenizer/encode/ordered_ids.hpp"
#include "tokenizer/encode/piece_encoder.hpp"
#include "tokenizer/unicode/utf8.hpp"

namespace xcore::tokenizer {
namespace {

// The ids of a part (about as many bytes as its text) and what it looks up stay in a core's second cache.
constexpr size_t kPart = size_t{1} << 17;

}  // namespace

void encode_parts(std::string_view text, const std::vector<size_t>& ends, size_t most_ids, Scratch& scratch, ScratchPool& pool, Sink& sink,
                  const std::function<void(std::string_view, size_t, Scratch&, Sink&)>& encode) {
  const bool counting = sink.capacity == 0;
  const size_t room = sink.count < sink.capacity ? sink.capacity - sink.count : 0;
  OrderedIds ids(ends.size(), room ? sink.out + sink.count : nullptr, room);
  const size_t most = sink.stop_after - std::min(sink.stop_after, sink.count);
  std::atomic<size_t> next{0};
  const auto caller = std::this_thread::get_id();
  thread_pool().parallel_for(thread_pool().threads(), 1, [&](int64_t, int64_t) {
    if (next.load() >= ends.size()) return;
    std::optional<ScratchPool::Lease> lease;
    if (std::this_thread::get_id() != caller) lease.emplace(pool);
    Scratch& mine = lease ? **lease : scratch;
    for (size_t i; (i = next.fetch_add(1)) < ends.size();) {
      if (ids.total() > most) return;  // enough for whoever counts up to a limit
      const size_t begin = i ? ends[i - 1] : 0;
      const std::string_view part = text.substr(begin, ends[i] - begin);
      OrderedIds::Buffer buffer;
      if (!counting) buffer = ids.buffer(part.size() * most_ids + Sink::kSlack);
      Sink s{buffer.ids.get(), buffer.room};
      encode(part, i, mine, s);
      ids.end(i, std::move(buffer), s.count);
    }
  });
  sink.count += ids.total();
}

std::vector<size_t> line_parts(std::string_view text) {
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  const auto cut = [&](const uint8_t* p) { return *p < 0x80 && safe_cut(base, p, end); };
  std::vector<size_t> ends;
  for (size_t from = 0; from < text.size(); from = ends.back()) {
    size_t to = text.size();
    if (text.size() - from > 2 * kPart) {
      const uint8_t* p = base + from + kPart;
      while (p < end && !cut(p)) ++p;
      to = static_cast<size_t>(p - base);
    }
    ends.push_back(to);
  }
  return ends;
}

bool PieceEncoder::pays_in_parallel(size_t bytes) { return bytes >= 4 * kPart && thread_pool().threads() > 1; }

void PieceEncoder::encode_parallel(std::string_view text, Scan scan, Scratch& scratch, ScratchPool& pool, Sink& sink) const {
  const uint8_t* const base = bytes_of(text);
  const uint8_t* const end = base + text.size();
  std::vector<size_t> ends;
  for (size_t from = 0; from < text.size(); from = ends.back()) {
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
    ends.push_back(to);
  }
  if (ends.size() == 1) return scan ? encode(text, scan, scratch, sink) : encode_characters(text, scratch, sink);
  encode_parts(text, ends, 1, scratch, pool, sink, [&](std::string_view part, size_t, Scratch& mine, Sink& s) {
    if (scan) {
      encode(part, scan, mine, s);
    } else {
      encode_characters(part, mine, s);
    }
  });
}

}  // namespace xcore::tokenizer
