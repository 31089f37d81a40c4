#include "runtime/thread_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "runtime/error.hpp"

using namespace xcore;

namespace {

// Runs the body with a given number of threads and restores the former number.
class ThreadPoolTest : public ::testing::Test {
 protected:
  ~ThreadPoolTest() override { thread_pool().set_threads(before_); }
  int before_ = thread_pool().threads();
};

TEST_F(ThreadPoolTest, every_index_is_visited_exactly_once) {
  for (const int threads : {1, 2, 5}) {
    thread_pool().set_threads(threads);
    for (const int64_t n : {0, 1, 2, 63, 64, 65, 1000, 4097}) {
      std::vector<std::atomic<int>> visits(n);
      thread_pool().parallel_for(n, 3, [&](int64_t b, int64_t e) {
        for (int64_t i = b; i < e; ++i) ++visits[i];
      });
      for (const auto& v : visits) ASSERT_EQ(v.load(), 1);
    }
  }
}

TEST_F(ThreadPoolTest, chunks_depend_on_the_work_and_not_on_the_threads) {
  const auto chunks = [](int threads) {
    thread_pool().set_threads(threads);
    std::mutex mutex;
    std::set<std::pair<int64_t, int64_t>> out;
    thread_pool().parallel_for(10007, 16, [&](int64_t b, int64_t e) {
      std::lock_guard<std::mutex> lock(mutex);
      out.insert({b, e});
    });
    return out;
  };
  EXPECT_EQ(chunks(1), chunks(7));
}

TEST_F(ThreadPoolTest, an_exception_of_a_body_reaches_the_caller_and_the_pool_goes_on) {
  thread_pool().set_threads(4);
  for (int repeat = 0; repeat < 50; ++repeat) {
    EXPECT_THROW(thread_pool().parallel_for(1000, 1, [](int64_t b, int64_t) {
      if (b > 300) throw Error(XC_INTERNAL, "planned");
    }), Error);
  }
  std::atomic<int64_t> sum{0};
  thread_pool().parallel_for(100, 1, [&](int64_t b, int64_t e) {
    for (int64_t i = b; i < e; ++i) sum += i;
  });
  EXPECT_EQ(sum.load(), 4950);
}

TEST_F(ThreadPoolTest, nested_and_concurrent_callers_all_finish) {
  thread_pool().set_threads(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        thread_pool().parallel_for(16, 1, [&](int64_t b, int64_t e) {
          thread_pool().parallel_for(e - b, 1, [&](int64_t b2, int64_t e2) { total += e2 - b2; });
        });
      }
    });
  }
  for (auto& t : callers) t.join();
  EXPECT_EQ(total.load(), 4 * 200 * 16);
}

TEST_F(ThreadPoolTest, many_short_jobs_in_a_row_are_all_complete_when_run_returns) {
  thread_pool().set_threads(2);
  std::vector<int> data(256);
  for (int repeat = 0; repeat < 20000; ++repeat) {
    thread_pool().parallel_for(256, 8, [&](int64_t b, int64_t e) {
      for (int64_t i = b; i < e; ++i) data[i] = repeat + static_cast<int>(i);
    });
    ASSERT_EQ(data[255], repeat + 255);
    ASSERT_EQ(data[0], repeat);
  }
}

TEST_F(ThreadPoolTest, refuses_a_number_of_threads_out_of_range) {
  EXPECT_THROW(thread_pool().set_threads(0), Error);
  EXPECT_THROW(thread_pool().set_threads(257), Error);
}

TEST_F(ThreadPoolTest, takes_a_const_body) {
  std::atomic<int64_t> sum{0};
  const auto body = [&](int64_t begin, int64_t end) { sum += end - begin; };
  thread_pool().parallel_for(1000, 1, body);
  EXPECT_EQ(sum, 1000);
}

}  // namespace
