#include "runtime/trace.hpp"

#include <mutex>
#include <set>
#include <utility>

namespace xcore::trace {

std::atomic<bool> timing_enabled{false};

namespace {
struct Slot {
  Listener listener = nullptr;
  void* user = nullptr;
};
// Held while a listener runs, so that set_listener(nullptr) returns only when no call is under way.
std::mutex mutex;
Slot fallback_slot, timing_slot;
std::set<std::pair<std::string, std::string>>& announced() {
  static auto* set = new std::set<std::pair<std::string, std::string>>();
  return *set;
}
}  // namespace

void set_listener(int32_t kind, Listener listener, void* user) {
  std::lock_guard<std::mutex> lock(mutex);
  (kind == XC_EVENT_TIMING ? timing_slot : fallback_slot) = {listener, user};
  if (kind == XC_EVENT_TIMING) timing_enabled.store(listener != nullptr, std::memory_order_relaxed);
}

void emit_timing(const char* op, xc_device device, double duration_ms, uint64_t bytes) noexcept {
  try {
    std::lock_guard<std::mutex> lock(mutex);
    if (!timing_slot.listener) return;
    const xc_event event{XC_EVENT_TIMING, device, op, "", duration_ms, bytes};
    timing_slot.listener(timing_slot.user, &event);
  } catch (...) {
    // A listener without memory loses this timing; the work itself goes on.
  }
}

void emit_fallback(const char* op, xc_device from, const std::string& reason) noexcept {
  try {
    std::lock_guard<std::mutex> lock(mutex);
    // Without a listener nothing was said yet: the announcement is kept for the first listener's next occasion.
    if (!fallback_slot.listener || !announced().insert({op, reason}).second) return;
    const xc_event event{XC_EVENT_FALLBACK, from, op, reason.c_str(), 0.0, 0};
    fallback_slot.listener(fallback_slot.user, &event);
  } catch (...) {
    // Telling is best effort; the work itself goes on.
  }
}

void forget_fallbacks() {
  std::lock_guard<std::mutex> lock(mutex);
  announced().clear();
}

}  // namespace xcore::trace
