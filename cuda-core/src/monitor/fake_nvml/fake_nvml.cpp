// An NVML that follows a script, for machines without a GPU. FAKE_NVML is a list of words, read at every call:
//   gpus=N   how many GPUs (default 2)
//   init=N   nvmlInit fails with N
//   lost=I   GPU I answers GPU_IS_LOST to every question about it
//   bare     utilisation, power, energy, clocks and PCIe are NOT_SUPPORTED
//   memory1  nvmlDeviceGetMemoryInfo_v2 refuses its argument, as drivers before it do
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr int kSuccess = 0, kInvalidArgument = 2, kNotSupported = 3, kLost = 15;

bool has(const char* word) {
  const char* script = std::getenv("FAKE_NVML");
  return script && (" " + std::string(script) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

int number(const char* key, int otherwise) {
  const char* script = std::getenv("FAKE_NVML");
  const char* at = script ? std::strstr(script, key) : nullptr;
  return at ? std::atoi(at + std::strlen(key)) : otherwise;
}

int devices[16];  // a handle is the address of its entry

int index_of(void* device) { return static_cast<int>(static_cast<int*>(device) - devices); }

int state_of(void* device) { return number("lost=", -1) == index_of(device) ? kLost : kSuccess; }

int optional_state_of(void* device) {
  const int state = state_of(device);
  return state == kSuccess && has("bare") ? kNotSupported : state;
}

int text(const std::string& value, char* out, unsigned capacity) {
  std::snprintf(out, capacity, "%s", value.c_str());
  return kSuccess;
}

}  // namespace

extern "C" {

struct FakeUtilization {
  unsigned gpu, memory;
};
struct FakeMemory {
  unsigned long long total, free, used;
};
struct FakeMemoryV2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};

int nvmlInit_v2() { return number("init=", kSuccess); }
int nvmlShutdown() { return kSuccess; }
const char* nvmlErrorString(int code) { return code == kLost ? "GPU is lost" : "Fake failure"; }
int nvmlSystemGetDriverVersion(char* out, unsigned n) { return text("999.01", out, n); }
int nvmlDeviceGetCount_v2(unsigned* out) {
  *out = static_cast<unsigned>(number("gpus=", 2));
  return kSuccess;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** out) {
  if (index >= static_cast<unsigned>(number("gpus=", 2))) return kInvalidArgument;
  *out = &devices[index];
  return state_of(*out);
}
int nvmlDeviceGetName(void* d, char* out, unsigned n) { return text("Fake GPU " + std::to_string(index_of(d)), out, n); }
int nvmlDeviceGetUUID(void* d, char* out, unsigned n) { return text("GPU-fake-" + std::to_string(index_of(d)), out, n); }
int nvmlDeviceGetUtilizationRates(void* d, FakeUtilization* out) {
  *out = {37u + static_cast<unsigned>(index_of(d)), 12};
  return optional_state_of(d);
}
int nvmlDeviceGetMemoryInfo(void* d, FakeMemory* out) {
  *out = {16ull << 30, 12ull << 30, 4ull << 30};
  return state_of(d);
}
int nvmlDeviceGetMemoryInfo_v2(void* d, FakeMemoryV2* out) {
  if (has("memory1") || out->version != (sizeof(FakeMemoryV2) | (2u << 24))) return kInvalidArgument;
  *out = {out->version, 16ull << 30, 1ull << 30, 12ull << 30, 3ull << 30};
  return state_of(d);
}
int nvmlDeviceGetTemperature(void* d, unsigned, unsigned* out) {
  *out = 51;
  return state_of(d);
}
int nvmlDeviceGetPowerUsage(void* d, unsigned* out) {
  *out = 123456;
  return optional_state_of(d);
}
int nvmlDeviceGetEnforcedPowerLimit(void* d, unsigned* out) {
  *out = 700000;
  return optional_state_of(d);
}
int nvmlDeviceGetTotalEnergyConsumption(void* d, unsigned long long* out) {
  *out = 5000;
  return optional_state_of(d);
}
int nvmlDeviceGetClockInfo(void* d, unsigned type, unsigned* out) {
  const unsigned clocks[] = {1500, 1515, 2619, 0};
  *out = clocks[type & 3];
  return optional_state_of(d);
}
int nvmlDeviceGetPcieThroughput(void* d, unsigned counter, unsigned* out) {
  *out = counter == 0 ? 2048 : 1024;
  return optional_state_of(d);
}

}  // extern "C"
