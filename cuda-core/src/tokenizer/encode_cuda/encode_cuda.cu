#include "tokenizer/encode_cuda/encode_cuda.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "tokenizer/encode_cuda/device_cuda.hpp"
#include "tokenizer/encode_cuda/plan.hpp"

namespace xcore::tokenizer {
namespace {

using namespace gpu;

// A worker's stream and its memory on both sides.
struct Slot {
  Slot(int device, uint32_t capacity, uint32_t most_parts)
      : stream(device),
        memory(capacity, most_parts, stream),
        text(size_t{capacity} + kPad),
        segments(most_parts + 1),
        segment_ids(most_parts + 1),
        ids(capacity),  // at most one a byte
        flags(most_parts),
        totals(1) {}
  cuda::Stream stream;
  ChunkMemory memory;
  cuda::PinnedBuffer<uint8_t> text;
  cuda::PinnedBuffer<uint32_t> segments, segment_ids, ids;
  cuda::PinnedBuffer<uint8_t> flags;
  cuda::PinnedBuffer<Totals> totals;
  std::vector<uint32_t> cpu_ids;   // of the parts that the CPU encodes, in order
  std::vector<size_t> cpu_ends;
  PlannedChunk plan;
  double seconds[6];    // as in CudaBatchEncoder::Stats
};

class Laps {
 public:
  double next() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// Thrown by a worker when another one failed; that one's exception is the batch's.
struct Abandoned {};

// Where the ids of chunk after chunk begin: known as soon as all chunks before are counted, in whatever order that happens.
class Order {
 public:
  void counted(size_t chunk, size_t count) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (counts_.size() <= chunk) counts_.resize(chunk + 1, kOpen);
    counts_[chunk] = count;
    size_t known = known_.load(std::memory_order_relaxed);
    for (; known < counts_.size() && counts_[known] != kOpen; ++known) {
      total_ += counts_[known];
      counts_[known] = total_;
    }
    known_.store(known, std::memory_order_release);
  }
  // Waits for the chunks before `chunk`. Whoever waits must have counted all its own before it, and takes them in order: then
  // the first chunk that is open is always that of a worker which waits for no other.
  size_t begin(size_t chunk) {
    for (int spin = 0; known_.load(std::memory_order_acquire) < chunk; ++spin) {
      if (failed()) throw Abandoned{};
      if (spin > 64) std::this_thread::yield();
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    return chunk == 0 ? 0 : counts_[chunk - 1];
  }
  void fail() { failed_.store(true); }
  bool failed() const { return failed_.load(std::memory_order_relaxed); }
  size_t total() const { return total_; }

 private:
  static constexpr size_t kOpen = SIZE_MAX;
  std::mutex mutex_;
  std::vector<size_t> counts_;  // of open chunks, and behind `known_`; before that sums
  size_t total_ = 0;
  std::atomic<size_t> known_{0};
  std::atomic<bool> failed_{false};
};

// memcpy past the caches: what is written is read by the bus or much later, and reading its old content first would be a
// third of the traffic.
void stream_copy(void* to, const void* from, size_t bytes) {
#if defined(__SSE2__)
  auto* out = static_cast<uint8_t*>(to);
  const auto* in = static_cast<const uint8_t*>(from);
  const size_t head = std::min(bytes, (16 - (reinterpret_cast<uintptr_t>(out) & 15)) & 15);
  std::memcpy(out, in, head);
  size_t i = head;
  for (; i + 64 <= bytes; i += 64) {
    for (size_t k = i; k < i + 64; k += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(out + k), _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + k)));
  }
  std::memcpy(out + i, in + i, bytes - i);
  _mm_sfence();  // before another thread or the bus is told
#else
  std::memcpy(to, from, bytes);
#endif
}

}  // namespace

std::string encode_cuda_unsupported(const Model& model) { return gpu::unsupported(model); }

struct CudaBatchEncoder::Impl {
  Impl(const Tokenizer& t, int device, EncodeCudaOptions o)
      : tokenizer(t), device(device), options(o), tables(t), stream(device), model(tables, stream) {
    most_parts = std::max(1u, options.chunk / 8);
    slots.resize(static_cast<size_t>(options.workers) * static_cast<size_t>(options.depth));
  }

  struct Batch {
    const xc_text* texts;
    size_t count;
    uint32_t flags;
    const Control& control;
    DeviceTables device_tables;
    Planner planner;
    Order order;
    EncodedBatch& out;
    std::mutex mutex;  // guards `stats` and `done`
    Stats stats;
    size_t bytes, done = 0;
    std::thread::id caller = std::this_thread::get_id();  // progress is reported from there alone
  };

  // Sends a chunk to the device before it waits for the one it sent before, and places the ids of one before that while
  // the device works on both.
  void work(Batch& b, size_t worker) {
    const auto depth = static_cast<size_t>(options.depth);
    try {
      cuda::DeviceScope current(device);
      size_t sent = 0, settled = 0, placed = 0;  // chunks of this worker
      const auto slot = [&](size_t chunk) -> Slot& { return *slots[worker * depth + chunk % depth]; };
      for (bool more = true; more || placed < sent;) {
        if (b.order.failed()) throw Abandoned{};
        if (more) {
          b.control.throw_if_cancelled();
          auto& memory = slots[worker * depth + sent % depth];
          if (!memory && !b.planner.exhausted()) memory = std::make_unique<Slot>(device, options.chunk, most_parts);
          more = memory && b.planner.next(memory->plan);
          if (more) send(b, slot(sent++));
        }
        if (settled < sent && (!more || sent - settled >= std::min<size_t>(depth, 2))) settle(b, slot(settled++));
        if (placed < settled && (!more || sent - placed >= depth)) place(b, slot(placed++));
      }
    } catch (const Abandoned&) {
      drain(worker);
    } catch (...) {
      b.order.fail();
      drain(worker);
      throw;
    }
  }

  // Nothing of an abandoned batch may still write to the memory of the slots.
  void drain(size_t worker) noexcept {
    for (size_t k = 0; k < static_cast<size_t>(options.depth); ++k) {
      const auto& s = slots[worker * static_cast<size_t>(options.depth) + k];
      if (s) cudaStreamSynchronize(s->stream);
    }
  }

  // Waits for the kernels of a chunk; then its ids are on their way, and counted.
  void settle(Batch& b, Slot& s) {
    Laps laps;
    if (s.plan.device_parts > 0) {
      s.stream.synchronize();
      s.seconds[1] = laps.next();
      const Chunk c = s.memory.chunk(s.plan.device_bytes, s.plan.device_parts);
      XC_CUDA(cudaMemcpyAsync(s.ids.data(), c.ids, s.totals.data()->ids * sizeof(uint32_t), cudaMemcpyDeviceToHost, s.stream));
    }
    b.order.counted(s.plan.index, encode_on_cpu(b, s));
    s.seconds[2] = laps.next();
  }

  void place(Batch& b, Slot& s) {
    Laps laps;
    if (s.plan.device_parts > 0) s.stream.synchronize();
    s.seconds[3] = laps.next();
    const size_t begin = b.order.begin(s.plan.index);
    s.seconds[4] = laps.next();
    copy_ids(b, s, b.out.ids + begin, begin);
    s.seconds[5] = laps.next();
    const std::lock_guard<std::mutex> lock(b.mutex);
    double* const sums[] = {&b.stats.sending, &b.stats.device, &b.stats.cpu, &b.stats.receiving, &b.stats.order, &b.stats.placing};
    for (int i = 0; i < 6; ++i) *sums[i] += s.seconds[i];
    for (const Part& p : s.plan.parts) b.done += p.size;
    if (std::this_thread::get_id() == b.caller) b.control.progress(static_cast<double>(b.done), static_cast<double>(b.bytes));
  }

  void send(Batch& b, Slot& s) {
    const PlannedChunk& plan = s.plan;
    std::fill(s.seconds, s.seconds + 6, 0.0);
    *s.totals.data() = {};
    if (plan.device_parts == 0) return;
    Laps laps;
    uint32_t at = 0, segment = 0;
    for (const Part& p : plan.parts) {
      if (!p.on_device) continue;
      s.segments.data()[segment++] = at;
      stream_copy(s.text.data() + at, p.data, p.size);
      at += p.size;
    }
    s.segments.data()[segment] = at;
    const Chunk c = s.memory.chunk(at, segment);
    XC_CUDA(cudaMemcpyAsync(c.text, s.text.data(), at, cudaMemcpyHostToDevice, s.stream));
    XC_CUDA(cudaMemcpyAsync(c.segments, s.segments.data(), (segment + 1) * sizeof(uint32_t), cudaMemcpyHostToDevice, s.stream));
    launch_encode(b.device_tables, c, s.stream);
    XC_CUDA(cudaMemcpyAsync(s.segment_ids.data(), c.segment_ids, (segment + 1) * sizeof(uint32_t), cudaMemcpyDeviceToHost, s.stream));
    XC_CUDA(cudaMemcpyAsync(s.flags.data(), c.flags, segment, cudaMemcpyDeviceToHost, s.stream));
    XC_CUDA(cudaMemcpyAsync(s.totals.data(), c.totals, sizeof(Totals), cudaMemcpyDeviceToHost, s.stream));
    s.seconds[0] = laps.next();
  }

  // An id is a byte at least; NFC makes up to three times as many bytes of UTF-8 (Unicode Standard Annex 15, section 12).
  size_t ids_per_byte() const { return tables.nfc ? 3 : 1; }

  // The parts that the device did not take or gave back. Returns how many ids the whole chunk has.
  size_t encode_on_cpu(Batch& b, Slot& s) {
    s.cpu_ids.clear();
    s.cpu_ends.clear();
    const Model& m = tokenizer.model();
    const bool special = (b.flags & XC_ENCODE_ADD_SPECIAL) != 0;
    size_t count = 0, bytes = 0, segment = 0;
    for (const Part& p : s.plan.parts) {
      if (special && p.opens) count += m.prefix.size();
      if (special && p.closes) count += m.suffix.size();
      if (p.on_device && !s.flags.data()[segment]) {
        count += s.segment_ids.data()[segment + 1] - s.segment_ids.data()[segment];
        ++segment;
        continue;
      }
      if (p.on_device) ++segment;
      if (p.size == 0) continue;
      b.control.throw_if_cancelled();
      const size_t before = s.cpu_ids.size();
      const size_t most = ids_per_byte() * p.size;
      s.cpu_ids.resize(before + most);
      Sink sink{s.cpu_ids.data() + before, most};
      tokenizer.encode({p.data, p.size}, b.flags & ~static_cast<uint32_t>(XC_ENCODE_ADD_SPECIAL), sink);
      if (sink.count > most) throw Error(XC_INTERNAL, "a text has more ids than bytes");
      s.cpu_ids.resize(before + sink.count);
      s.cpu_ends.push_back(s.cpu_ids.size());
      count += sink.count;
      bytes += p.size;
    }
    if (bytes > 0) {
      const std::lock_guard<std::mutex> lock(b.mutex);
      b.stats.texts_on_cpu += s.cpu_ends.size();
      b.stats.bytes_on_cpu += bytes;
    }
    return count;
  }

  // Ids of the device and of the CPU, and those around each text, to their place; `position` is its index.
  void copy_ids(Batch& b, Slot& s, uint32_t* out, size_t position) {
    const uint32_t* const ids = s.ids.data();
    const Model& m = tokenizer.model();
    const bool special = (b.flags & XC_ENCODE_ADD_SPECIAL) != 0;
    uint32_t* const first = out;
    size_t segment = 0, cpu = 0, cpu_at = 0;
    uint32_t from = 0, to = 0;  // ids of the device that are to be copied in one go
    const auto flush = [&] {
      stream_copy(out, ids + from, (to - from) * sizeof(uint32_t));
      out += to - from;
      from = to;
    };
    const auto put = [&](const uint32_t* more, size_t n) {
      flush();
      std::copy_n(more, n, out);
      out += n;
    };
    for (const Part& p : s.plan.parts) {
      if (p.opens) {
        b.out.offsets[p.text] = position + static_cast<size_t>(out - first) + (to - from);
        if (special && !m.prefix.empty()) put(m.prefix.data(), m.prefix.size());
      }
      const bool by_device = p.on_device && !s.flags.data()[segment];
      if (by_device) {
        to = s.segment_ids.data()[segment + 1];
      } else if (p.size > 0) {
        put(s.cpu_ids.data() + cpu_at, s.cpu_ends[cpu] - cpu_at);
        cpu_at = s.cpu_ends[cpu++];
        if (p.on_device) from = to = s.segment_ids.data()[segment + 1];
      }
      segment += p.on_device;
      if (special && p.closes && !m.suffix.empty()) put(m.suffix.data(), m.suffix.size());
    }
    flush();
  }

  const Tokenizer& tokenizer;
  int device;
  EncodeCudaOptions options;
  Tables tables;
  cuda::Stream stream;
  DeviceModel model;
  uint32_t most_parts = 0;
  std::mutex turn;
  std::vector<std::unique_ptr<Slot>> slots;
};

CudaBatchEncoder::CudaBatchEncoder(const Tokenizer& tokenizer, int device, EncodeCudaOptions options) {
  const std::string why_not = gpu::unsupported(tokenizer.model());
  if (!why_not.empty()) throw Error(XC_UNSUPPORTED, "device 'cuda' cannot encode with this tokenizer: " + why_not, "device");
  const cuda::DeviceScope scope(device);
  impl_ = std::make_unique<Impl>(tokenizer, device, options);
}

CudaBatchEncoder::~CudaBatchEncoder() = default;

void CudaBatchEncoder::encode(const xc_text* texts, size_t count, uint32_t flags, const Control& control, EncodedBatch& out, Stats* stats) {
  Impl& i = *impl_;
  const std::lock_guard<std::mutex> turn(i.turn);
  size_t bytes = 0;
  for (size_t t = 0; t < count; ++t) {
    if (texts[t].size >= size_t{1} << 31)
      throw error(XC_LIMIT_EXCEEDED, "texts[" + std::to_string(t) + "]", -1, "the text has %zu bytes; one text may have less than 2 GiB", texts[t].size);
    bytes += texts[t].size;
  }
  const trace::OpTimer timer("tokenizer.encode_batch", cuda_device(i.device), bytes);
  const Model& m = i.tokenizer.model();
  const size_t around = flags & XC_ENCODE_ADD_SPECIAL ? m.prefix.size() + m.suffix.size() : 0;
  out.ids = reserve_ids(bytes * i.ids_per_byte() + count * around);
  const bool parse = (flags & XC_ENCODE_PARSE_SPECIAL) != 0;
  i.model.tidy(i.stream);
  Impl::Batch b{texts, count, flags, control, i.model.tables(flags),
                {i.tables, parse ? i.tables.added : i.tables.added_ordinary, texts, count, bytes, i.options.chunk, 2 * i.slots.size(), i.most_parts},
                {}, out, {}, {}, bytes};
  try {
    const int64_t workers = i.options.workers;
    thread_pool().parallel_for(workers, 1, [&](int64_t begin, int64_t end) {
      for (int64_t w = begin; w < end; ++w) i.work(b, static_cast<size_t>(w));
    });
    control.throw_if_cancelled();
  } catch (...) {
    release_ids(out.ids);
    out.ids = nullptr;
    throw;
  }
  const size_t total = b.order.total();
  out.offsets[count] = total;
  out.ids = shrink_ids(out.ids, total);
  if (stats) *stats = b.stats;
}

}  // namespace xcore::tokenizer
