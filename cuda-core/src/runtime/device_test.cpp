#include "runtime/device.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace xcore;

namespace {

struct Heard {
  std::vector<std::string> fallbacks;
  Heard() {
    trace::forget_fallbacks();
    trace::set_listener(XC_EVENT_FALLBACK, [](void* self, const xc_event* e) {
      static_cast<Heard*>(self)->fallbacks.push_back(std::string(e->op) + ": " + e->reason);
    }, this);
  }
  ~Heard() { trace::set_listener(XC_EVENT_FALLBACK, nullptr, nullptr); }
};

TEST(Device, the_cpu_is_always_there_and_always_first) {
  const auto all = devices();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0].device.kind, XC_DEVICE_CPU);
  EXPECT_GT(all[0].processors, 0);
  EXPECT_GT(all[0].memory_total_bytes, 0u);
  EXPECT_EQ(static_cast<int>(all.size()), 1 + cuda_device_count());
}

TEST(Device, auto_takes_the_cpu_for_small_work) { EXPECT_EQ(resolve_device(kAuto, false).kind, XC_DEVICE_CPU); }

TEST(Device, auto_takes_the_gpu_for_large_work_where_there_is_one) {
  const xc_device d = resolve_device(kAuto, true);
  EXPECT_EQ(d.kind, cuda_device_count() > 0 ? XC_DEVICE_CUDA : XC_DEVICE_CPU);
}

TEST(Device, a_cuda_device_that_does_not_exist_is_a_typed_error_with_the_remedy) {
  try {
    resolve_device(cuda_device(4000), true);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.status, XC_DEVICE_UNAVAILABLE);
    EXPECT_EQ(e.field, "device");
    EXPECT_GT(std::string(e.what()).size(), 40u);
  }
}

TEST(Device, an_unknown_kind_is_an_invalid_argument) {
  EXPECT_THROW(resolve_device({17, 0}, true), Error);
}

TEST(Device, auto_finishes_on_the_cpu_when_the_device_fails_and_says_so_once) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
  Heard heard;
  const auto failing = [](int) -> int { throw Error(XC_OUT_OF_MEMORY, "the GPU has no memory left"); };
  EXPECT_EQ(run_on(kAuto, true, "test.op", failing, [] { return 7; }), 7);
  EXPECT_EQ(run_on(kAuto, true, "test.op", failing, [] { return 7; }), 7);
  EXPECT_EQ(heard.fallbacks, (std::vector<std::string>{"test.op: the GPU has no memory left"}));
  EXPECT_THROW(run_on(cuda_device(0), true, "test.op", failing, [] { return 7; }), Error);
}

TEST(Device, a_wrong_argument_is_not_taken_for_a_failing_device) {
  const auto refusing = [](int) -> int { throw Error(XC_INVALID_ARGUMENT, "k must be positive"); };
  const auto also_refusing = []() -> int { throw Error(XC_INVALID_ARGUMENT, "k must be positive"); };
  Heard heard;
  EXPECT_THROW(run_on(kAuto, true, "test.op", refusing, also_refusing), Error);
  EXPECT_TRUE(heard.fallbacks.empty());
}

TEST(Trace, the_same_fallback_is_announced_once_and_another_reason_again) {
  Heard heard;
  trace::emit_fallback("op", cuda_device(0), "lost");
  trace::emit_fallback("op", cuda_device(0), "lost");
  trace::emit_fallback("op", cuda_device(0), "out of memory");
  EXPECT_EQ(heard.fallbacks, (std::vector<std::string>{"op: lost", "op: out of memory"}));
}

TEST(Trace, a_timer_reports_name_duration_and_bytes_only_while_somebody_listens) {
  std::vector<xc_event> events;
  { trace::OpTimer silent("before", kCpu, 1); }
  trace::set_listener(XC_EVENT_TIMING, [](void* v, const xc_event* e) {
    static_cast<std::vector<xc_event>*>(v)->push_back(*e);
  }, &events);
  { trace::OpTimer timed("during", kCpu, 4096); }
  trace::set_listener(XC_EVENT_TIMING, nullptr, nullptr);
  { trace::OpTimer silent("after", kCpu, 1); }
  ASSERT_EQ(events.size(), 1u);
  EXPECT_STREQ(events[0].op, "during");
  EXPECT_EQ(events[0].bytes, 4096u);
  EXPECT_GE(events[0].duration_ms, 0.0);
}

TEST(ErrorBoundary, every_exception_becomes_a_status) {
  xc_error e;
  EXPECT_EQ(guard(&e, [] { throw error(XC_INVALID_FORMAT, "kv.3", 77, "length %d", 9); }), XC_INVALID_FORMAT);
  EXPECT_EQ(e.offset, 77);
  EXPECT_STREQ(e.field, "kv.3");
  EXPECT_STREQ(e.message, "length 9");
  EXPECT_EQ(guard(&e, [] { throw std::bad_alloc(); }), XC_OUT_OF_MEMORY);
  EXPECT_EQ(guard(&e, [] { throw 3; }), XC_INTERNAL);
  EXPECT_EQ(guard(&e, [] {}), XC_OK);
}

TEST(ErrorBoundary, a_long_message_is_cut_between_characters) {
  std::string text(sizeof(xc_error::message) - 2, 'a');
  text += "\xE2\x82\xAC\xE2\x82\xAC";  // euro signs across the limit
  xc_error e;
  guard(&e, [&] { throw Error(XC_INTERNAL, text); });
  const std::string message = e.message;
  EXPECT_EQ(message, std::string(sizeof(xc_error::message) - 2, 'a'));
}

}  // namespace
