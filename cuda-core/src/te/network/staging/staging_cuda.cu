#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "runtime/thread_pool.hpp"
#include "te/network/staging/staging.hpp"

namespace xcore::te::staging {
namespace {

constexpr size_t kSlot = 4 << 20;
constexpr int kSlots = 4;

// The locked memory of the process, made at the first use; a second caller at the same time goes without.
struct Locked {
  std::mutex busy;
  std::unique_ptr<cuda::PinnedBuffer<char>> memory;
  bool refused = false;
};
Locked& locked() {
  static Locked* l = new Locked();  // never destroyed: the driver may be gone before static destructors run
  return *l;
}

char* slots(std::unique_lock<std::mutex>& lock) {
  Locked& l = locked();
  lock = std::unique_lock<std::mutex>(l.busy, std::try_to_lock);
  if (!lock.owns_lock() || l.refused) return nullptr;
  if (!l.memory) {
    try {
      l.memory = std::make_unique<cuda::PinnedBuffer<char>>(kSlot * kSlots);
    } catch (const Error&) {
      l.refused = true;
      return nullptr;
    }
  }
  return l.memory->data();
}

void copy(char* to, const char* from, size_t bytes) {
  thread_pool().parallel_for(static_cast<int64_t>(bytes), 1 << 17, [&](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

}  // namespace

void upload(void* device, const void* host, size_t bytes, const cuda::Stream& stream) {
  std::unique_lock<std::mutex> lock;
  char* memory = bytes > (1 << 16) ? slots(lock) : nullptr;
  if (!memory) {
    XC_CUDA(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream));
    stream.synchronize();
    return;
  }
  cuda::Event done[kSlots];
  size_t at = 0;
  for (int round = 0; at < bytes; ++round) {
    const int slot = round % kSlots;
    if (round >= kSlots) done[slot].synchronize();
    const size_t many = std::min(kSlot, bytes - at);
    copy(memory + slot * kSlot, static_cast<const char*>(host) + at, many);
    XC_CUDA(cudaMemcpyAsync(static_cast<char*>(device) + at, memory + slot * kSlot, many, cudaMemcpyHostToDevice, stream));
    done[slot].record(stream);
    at += many;
  }
  stream.synchronize();  // the slots are the next caller's
}

void download(void* host, const void* device, size_t bytes, const cuda::Stream& stream) {
  std::unique_lock<std::mutex> lock;
  char* memory = bytes > (1 << 16) ? slots(lock) : nullptr;
  if (!memory) {
    XC_CUDA(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream));
    stream.synchronize();
    return;
  }
  cuda::Event done[kSlots];
  const size_t rounds = (bytes + kSlot - 1) / kSlot;
  const auto part = [&](size_t round) { return std::min(kSlot, bytes - round * kSlot); };
  const auto request = [&](size_t round) {
    const int slot = static_cast<int>(round % kSlots);
    XC_CUDA(cudaMemcpyAsync(memory + slot * kSlot, static_cast<const char*>(device) + round * kSlot, part(round), cudaMemcpyDeviceToHost, stream));
    done[slot].record(stream);
  };
  for (size_t round = 0; round < std::min<size_t>(kSlots, rounds); ++round) request(round);
  for (size_t round = 0; round < rounds; ++round) {
    const int slot = static_cast<int>(round % kSlots);
    done[slot].synchronize();
    copy(static_cast<char*>(host) + round * kSlot, memory + slot * kSlot, part(round));
    if (round + kSlots < rounds) request(round + kSlots);
  }
}

}  // namespace xcore::te::staging
