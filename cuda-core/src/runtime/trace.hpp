// The timing hook of every op, and the announcement of fallbacks. While nobody listens an OpTimer is one relaxed load.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "xcore/core.h"

namespace xcore::trace {

using Listener = void (*)(void* user, const xc_event*);
void set_listener(int32_t kind, Listener listener, void* user);

extern std::atomic<bool> timing_enabled;
void emit_timing(const char* op, xc_device device, double duration_ms, uint64_t bytes) noexcept;

// Announces that `op` was moved from `from` to the CPU. The same (op, reason) is announced once a process.
void emit_fallback(const char* op, xc_device from, const std::string& reason) noexcept;
// Tests only: lets the same fallback be announced again.
void forget_fallbacks();

class OpTimer {
 public:
  // `op` must outlive the timer (a literal). For CUDA the caller synchronises before the timer ends.
  OpTimer(const char* op, xc_device device, uint64_t bytes = 0)
      : enabled_(timing_enabled.load(std::memory_order_relaxed)), op_(op), device_(device), bytes_(bytes) {
    if (enabled_) start_ = std::chrono::steady_clock::now();
  }
  ~OpTimer() {
    if (enabled_) {
      const auto end = std::chrono::steady_clock::now();
      emit_timing(op_, device_, std::chrono::duration<double, std::milli>(end - start_).count(), bytes_);
    }
  }
  OpTimer(const OpTimer&) = delete;
  OpTimer& operator=(const OpTimer&) = delete;

 private:
  bool enabled_;
  const char* op_;
  xc_device device_;
  uint64_t bytes_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace xcore::trace
