// Ids of parts that threads encode side by side, put in a row in the order of the parts. A part is encoded into a buffer
// that stays in a core's cache, and copied to its place by whichever thread finds out where that is: the one that ends
// the last part before it. So no thread waits for another, and the destination is written once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace xcore::tokenizer {

class OrderedIds {
 public:
  struct Buffer {
    std::unique_ptr<uint32_t[]> ids;
    size_t room = 0;
  };

  // What lies beyond `capacity` is counted and dropped.
  OrderedIds(size_t parts, uint32_t* out, size_t capacity) : out_(out), capacity_(capacity), ended_(parts) {}

  // For so many ids, uninitialised.
  Buffer buffer(size_t room) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto fits = std::find_if(free_.begin(), free_.end(), [&](const Buffer& b) { return b.room >= room; });
      if (fits != free_.end()) {
        Buffer b = std::move(*fits);
        free_.erase(fits);
        return b;
      }
    }
    return {std::unique_ptr<uint32_t[]>(new uint32_t[room]), room};
  }

  // `part` has the first `count` ids of the buffer; of an empty buffer they are only counted.
  void end(size_t part, Buffer ids, size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    ended_[part] = {std::move(ids), count, true};
    while (next_ < ended_.size() && ended_[next_].ended) {
      Ended now = std::move(ended_[next_++]);
      const size_t at = total_;
      total_ += now.count;
      if (!now.buffer.ids) continue;
      lock.unlock();
      if (at < capacity_) std::copy_n(now.buffer.ids.get(), std::min(now.count, capacity_ - at), out_ + at);
      lock.lock();
      free_.push_back(std::move(now.buffer));
    }
  }

  // Ids of the parts before the first that has not ended.
  size_t total() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return total_;
  }

 private:
  struct Ended {
    Buffer buffer;
    size_t count = 0;
    bool ended = false;
  };
  uint32_t* out_;
  size_t capacity_;
  std::mutex mutex_;
  std::vector<Ended> ended_;
  size_t next_ = 0, total_ = 0;
  std::vector<Buffer> free_;
};

}  // namespace xcore::tokenizer
