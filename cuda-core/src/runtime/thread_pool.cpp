#include "runtime/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/error.hpp"

namespace xcore {
namespace {

inline void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// How long a worker looks for the next job before it sleeps: enough to bridge the gap between two ops of a decoder
// step (a few microseconds), short enough that an idle process costs nothing.
constexpr auto kSpin = std::chrono::microseconds(40);
constexpr int kMaxChunks = 64;

// cgroup v2 quota, rounded up; 0 when there is none.
int cgroup_limit() {
  int result = 0;
  if (std::FILE* f = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
    long long quota, period;
    if (std::fscanf(f, "%lld %lld", &quota, &period) == 2 && quota > 0 && period > 0)
      result = static_cast<int>((quota + period - 1) / period);
    std::fclose(f);
  }
  return result;
}

int usable_cores() {
  if (const char* text = std::getenv("XCORE_THREADS")) {
    const int n = std::atoi(text);
    if (n >= 1) return std::min(n, 256);
  }
  int n = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
#endif
  if (const int limit = cgroup_limit()) n = std::min(n, limit);
  return std::clamp(n, 1, 256);
}

}  // namespace

struct ThreadPool::Impl {
  struct Job {
    Body body;
    void* context;
    int64_t n, chunk;
    int64_t chunks;
  };

  std::mutex submit;  // held by the caller whose job runs
  std::atomic<int> wanted{1};

  std::mutex mutex;  // guards everything below that is not atomic
  std::condition_variable wake;
  std::vector<std::thread> workers;
  Job job{};
  std::atomic<uint64_t> generation{0};  // odd while a job is open to workers
  std::atomic<int64_t> next{0};
  std::atomic<int> inside{0};           // workers that may still touch the job
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  int sleeping = 0;

  void work_on(const Job& j) {
    for (;;) {
      const int64_t i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= j.chunks) return;
      if (failed.load(std::memory_order_relaxed)) continue;
      try {
        j.body(j.context, i * j.chunk, std::min(j.n, (i + 1) * j.chunk));
      } catch (...) {
        std::lock_guard<std::mutex> lock(mutex);
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
  }

  void worker(int index) {
    uint64_t seen = 0;
    for (;;) {
      // Wait for an odd generation not seen yet, and for this worker to be within the wanted number.
      const auto deadline = std::chrono::steady_clock::now() + kSpin;
      uint64_t g = generation.load(std::memory_order_acquire);
      for (int spin = 0; !(g != seen && (g & 1)); ++spin) {
        pause_briefly();
        if ((spin & 63) == 63 && std::chrono::steady_clock::now() > deadline) {
          std::unique_lock<std::mutex> lock(mutex);
          ++sleeping;
          wake.wait(lock, [&] {
            g = generation.load(std::memory_order_acquire);
            return g != seen && (g & 1);
          });
          --sleeping;
          break;
        }
        g = generation.load(std::memory_order_acquire);
      }
      seen = g;
      // Enter: announce, then check that this very job is still open, so that its fields cannot change under us.
      inside.fetch_add(1, std::memory_order_seq_cst);
      if (generation.load(std::memory_order_seq_cst) == g && index < wanted.load(std::memory_order_relaxed)) {
        const Job j = job;
        work_on(j);
      }
      inside.fetch_sub(1, std::memory_order_release);
    }
  }

  void ensure_workers(int count) {
    std::lock_guard<std::mutex> lock(mutex);
    while (static_cast<int>(workers.size()) < count) {
      const int index = static_cast<int>(workers.size()) + 1;
      try {
        workers.emplace_back([this, index] { worker(index); });
      } catch (const std::system_error&) {
        return;  // the system gives no more threads: the work is done by those there are
      }
      workers.back().detach();
    }
  }
};

ThreadPool::ThreadPool() : impl_(new Impl()) { impl_->wanted = usable_cores(); }

int ThreadPool::threads() const { return impl_->wanted.load(); }

void ThreadPool::set_threads(int threads) {
  if (threads < 1 || threads > 256) throw invalid_argument("threads", "threads must be 1..256, not %d", threads);
  impl_->wanted = threads;
}

void ThreadPool::run(int64_t n, int64_t grain, Body body, void* context) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  // A function of n and grain alone: at most kMaxChunks chunks, each of at least `grain`.
  const int64_t chunks = std::clamp<int64_t>(n / grain, 1, kMaxChunks);
  const int64_t chunk = (n + chunks - 1) / chunks;
  const Impl::Job job{body, context, n, chunk, (n + chunk - 1) / chunk};
  Impl& pool = *impl_;
  const int threads = pool.wanted.load(std::memory_order_relaxed);

  std::unique_lock<std::mutex> turn(pool.submit, std::defer_lock);
  if (job.chunks == 1 || threads == 1 || !turn.try_lock()) {
    for (int64_t i = 0; i < job.chunks; ++i) body(context, i * chunk, std::min(n, (i + 1) * chunk));
    return;
  }
  pool.ensure_workers(threads - 1);
  pool.job = job;
  pool.failed.store(false, std::memory_order_relaxed);
  pool.failure = nullptr;
  pool.next.store(0, std::memory_order_relaxed);
  bool anyone_asleep;
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    pool.generation.fetch_add(1, std::memory_order_seq_cst);  // odd: open
    anyone_asleep = pool.sleeping > 0;
  }
  if (anyone_asleep) pool.wake.notify_all();
  pool.work_on(job);
  pool.generation.fetch_add(1, std::memory_order_seq_cst);  // even: closed to newcomers
  // Only workers inside a chunk are left; one that lost its core delays us by its chunk, so give way while waiting.
  for (int spin = 0; pool.inside.load(std::memory_order_acquire) != 0; ++spin) {
    if (spin < 2000) {
      pause_briefly();
    } else {
      std::this_thread::yield();
    }
  }
  if (pool.failed.load(std::memory_order_relaxed)) std::rethrow_exception(pool.failure);
}

ThreadPool& thread_pool() {
  static ThreadPool* pool = new ThreadPool();  // never destroyed, see the header
  return *pool;
}

}  // namespace xcore
