// The one thread pool of the process. It is never destroyed: worker threads of Node may end in any order.
//
// parallel_for cuts [0, n) into chunks of at least `grain` and hands them out; the caller works too. Workers spin for
// some microseconds after a job, since the next one often follows at once, and then sleep; a thread that loses its
// core delays only the chunk it holds. A call made while the pool is busy with another caller's job runs serially on
// its own thread, so callers never wait for each other and nesting cannot deadlock.
//
// Determinism: chunk boundaries depend on n and grain alone, never on the number of threads; reduce over chunks in
// index order and the result is the same on any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace xcore {

class ThreadPool {
 public:
  using Body = void (*)(void* context, int64_t begin, int64_t end);

  // Calls body(begin, end) for disjoint ranges that cover [0, n). An exception of a body is rethrown here, after all
  // running bodies have ended; chunks not yet started are then skipped.
  template <class F>
  void parallel_for(int64_t n, int64_t grain, F&& f) {
    // The context is untyped: a const body loses its const on the way in and gets it back in the call.
    run(n, grain, [](void* c, int64_t b, int64_t e) { (*static_cast<std::remove_reference_t<F>*>(c))(b, e); },
        const_cast<void*>(static_cast<const void*>(std::addressof(f))));
  }
  void run(int64_t n, int64_t grain, Body body, void* context);

  int threads() const;
  void set_threads(int threads);  // 1..256

  struct Impl;

 private:
  friend ThreadPool& thread_pool();
  ThreadPool();
  Impl* impl_;
};

// Starts with the number of cores the process may use (affinity and cgroup limit), or XCORE_THREADS.
ThreadPool& thread_pool();

}  // namespace xcore
