#include "tokenizer/encode/encode_batch.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "runtime/trace.hpp"
#include "tokenizer/encode/ordered_ids.hpp"

namespace xcore::tokenizer {
namespace {

constexpr size_t kLarge = size_t{1} << 20;  // texts that keep all threads busy alone
constexpr size_t kGroup = size_t{1} << 16;  // shorter texts are handed out together up to so many bytes

class BatchEncoder {
 public:
  BatchEncoder(const Tokenizer& tokenizer, const xc_text* texts, size_t count, uint32_t flags, const Control& control, size_t* offsets)
      : tokenizer_(tokenizer), texts_(texts), count_(count), flags_(flags), control_(control), offsets_(offsets) {
    const Model& m = tokenizer.model();
    around_ = 1 + (flags & XC_ENCODE_ADD_SPECIAL ? m.prefix.size() + m.suffix.size() : 0);  // 1: a blank before the text
  }

  // As a rule; normalisation may make more of a text.
  size_t most_ids() const {
    size_t most = Sink::kSlack;
    for (size_t i = 0; i < count_; ++i) most += texts_[i].size + around_;
    return most;
  }

  // Returns how many ids there are; those beyond `capacity` are not written.
  size_t run(uint32_t* out, size_t capacity) {
    size_t total = 0;
    for (size_t from = 0; from < count_;) {
      uint32_t* const place = out + std::min(total, capacity);
      const size_t room = capacity - std::min(total, capacity);
      if (texts_[from].size >= kLarge) {
        control_.throw_if_cancelled();
        Sink sink{place, room};
        tokenizer_.encode(view(from), flags_, sink);
        sizes(from, sink.count);
        total += sink.count;
        ++from;
        control_.progress(static_cast<double>(from), static_cast<double>(count_));
      } else {
        size_t to = from;
        while (to < count_ && texts_[to].size < kLarge) ++to;
        total += short_texts(from, to, place, room);
        from = to;
      }
    }
    offsets_[0] = 0;
    for (size_t i = 0; i < count_; ++i) offsets_[i + 1] += offsets_[i];
    return total;
  }

 private:
  std::string_view view(size_t i) const { return {texts_[i].data, texts_[i].size}; }
  void sizes(size_t i, size_t ids) { offsets_[i + 1] = ids; }

  size_t short_texts(size_t from, size_t to, uint32_t* out, size_t capacity) {
    std::vector<size_t> ends;
    size_t bytes = 0, total = 0;
    for (size_t i = from; i < to; ++i) {
      total += texts_[i].size;
      bytes += texts_[i].size + around_;
      if (bytes < kGroup && i + 1 < to) continue;
      ends.push_back(i + 1);
      bytes = 0;
    }
    OrderedIds ids(ends.size(), out, capacity);
    std::atomic<size_t> next{0};
    const auto caller = std::this_thread::get_id();
    thread_pool().parallel_for(thread_pool().threads(), 1, [&](int64_t, int64_t) {
      if (next.load() >= ends.size()) return;
      const ScratchPool::Lease scratch(tokenizer_.cache());
      (*scratch).memo.expect(total);
      for (size_t g; (g = next.fetch_add(1)) < ends.size();) {
        const size_t begin = g ? ends[g - 1] : from;
        control_.throw_if_cancelled();
        group(begin, ends[g], g, *scratch, ids);
        if (std::this_thread::get_id() == caller) control_.progress(static_cast<double>(ends[g]), static_cast<double>(count_));
      }
    });
    return ids.total();
  }

  void group(size_t begin, size_t end, size_t index, Scratch& scratch, OrderedIds& ids) {
    size_t left = Sink::kSlack, used = 0;
    for (size_t i = begin; i < end; ++i) left += texts_[i].size + around_;
    auto buffer = ids.buffer(left);
    for (size_t i = begin; i < end; ++i) {
      Sink sink{buffer.ids.get() + used, buffer.room - used};
      tokenizer_.encode(view(i), flags_, scratch, sink);
      if (sink.count > sink.capacity) {
        auto larger = ids.buffer(used + sink.count + left);
        std::copy_n(buffer.ids.get(), used, larger.ids.get());
        buffer = std::move(larger);
        sink = {buffer.ids.get() + used, buffer.room - used};
        tokenizer_.encode(view(i), flags_, scratch, sink);
      }
      left -= texts_[i].size + around_;
      used += sink.count;
      sizes(i, sink.count);
    }
    ids.end(index, std::move(buffer), used);
  }

  const Tokenizer& tokenizer_;
  const xc_text* texts_;
  size_t count_;
  uint32_t flags_;
  const Control& control_;
  size_t* offsets_;
  size_t around_;
};

}  // namespace

void encode_batch(const Tokenizer& tokenizer, const xc_text* texts, size_t count, uint32_t flags, const Control& control, EncodedBatch& out) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) bytes += texts[i].size;
  const trace::OpTimer timer("tokenizer.encode_batch", kCpu, bytes);
  BatchEncoder batch(tokenizer, texts, count, flags, control, out.offsets);
  size_t room = batch.most_ids();
  OwnedIds ids(reserve_ids(room));
  size_t total = batch.run(ids.get(), room);
  if (total > room) {
    ids.reset();
    room = total;
    ids.reset(reserve_ids(room));
    total = batch.run(ids.get(), room);
  }
  control.throw_if_cancelled();
  control.progress(static_cast<double>(count), static_cast<double>(count));
  out.ids = shrink_ids(ids.release(), total);
}

}  // namespace xcore::tokenizer
