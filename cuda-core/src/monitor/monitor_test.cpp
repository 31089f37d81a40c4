// Values, missing functions, lost GPUs and absent drivers, with a scripted NVML; the host's figures from made-up files.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fstream>

#include "monitor/gpu/nvml.hpp"
#include "monitor/host/host.hpp"

using namespace xcore::monitor;

extern "C" const void* xc_monitor_table_v1(void);

namespace {

class FakeNvml : public ::testing::Test {
 protected:
  void script(const char* words) { setenv("FAKE_NVML", words, 1); }
  void TearDown() override { unsetenv("FAKE_NVML"); }
};

TEST_F(FakeNvml, values_arrive_in_base_units) {
  script("gpus=2");
  Nvml nvml(XCORE_FAKE_NVML);
  ASSERT_EQ(nvml.count(), 2) << nvml.reason();
  EXPECT_EQ(nvml.reason(), "");
  EXPECT_EQ(nvml.driver_version(), "999.01");
  xc_monitor_gpu gpu;
  nvml.sample(1, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_OK);
  EXPECT_STREQ(gpu.name, "Fake GPU 1");
  EXPECT_STREQ(gpu.uuid, "GPU-fake-1");
  EXPECT_DOUBLE_EQ(gpu.utilisation, 0.38);
  EXPECT_DOUBLE_EQ(gpu.memory_utilisation, 0.12);
  EXPECT_DOUBLE_EQ(gpu.memory_total_bytes, 16.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(gpu.memory_used_bytes, 3.0 * (1 << 30));  // the v2 call, which leaves out what the driver reserves
  EXPECT_DOUBLE_EQ(gpu.temperature_celsius, 51);
  EXPECT_DOUBLE_EQ(gpu.power_watts, 123.456);
  EXPECT_DOUBLE_EQ(gpu.power_limit_watts, 700);
  EXPECT_DOUBLE_EQ(gpu.energy_joules, 5);
  EXPECT_DOUBLE_EQ(gpu.graphics_clock_hz, 1.5e9);
  EXPECT_DOUBLE_EQ(gpu.sm_clock_hz, 1.515e9);
  EXPECT_DOUBLE_EQ(gpu.memory_clock_hz, 2.619e9);
  EXPECT_DOUBLE_EQ(gpu.pcie_send_bytes_per_second, 2048 * 1024);
  EXPECT_DOUBLE_EQ(gpu.pcie_receive_bytes_per_second, 1024 * 1024);
}

TEST_F(FakeNvml, slow_metrics_are_unknown_in_a_fast_sample) {
  Nvml nvml(XCORE_FAKE_NVML);
  xc_monitor_gpu gpu;
  nvml.sample(0, false, &gpu);
  EXPECT_TRUE(std::isnan(gpu.pcie_send_bytes_per_second));
  EXPECT_FALSE(std::isnan(gpu.power_watts));
}

TEST_F(FakeNvml, unsupported_metrics_are_unknown_and_not_zero) {
  script("bare");
  Nvml nvml(XCORE_FAKE_NVML);
  xc_monitor_gpu gpu;
  nvml.sample(0, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_OK);
  for (double value : {gpu.utilisation, gpu.power_watts, gpu.energy_joules, gpu.sm_clock_hz, gpu.pcie_send_bytes_per_second})
    EXPECT_TRUE(std::isnan(value));
  EXPECT_DOUBLE_EQ(gpu.temperature_celsius, 51);
}

TEST_F(FakeNvml, an_old_driver_falls_back_to_the_first_version_of_a_call) {
  script("memory1");
  Nvml refused(XCORE_FAKE_NVML);
  xc_monitor_gpu gpu;
  refused.sample(0, false, &gpu);
  EXPECT_DOUBLE_EQ(gpu.memory_used_bytes, 4.0 * (1 << 30));
  Nvml missing(XCORE_FAKE_NVML, [](void* library, const char* symbol) -> void* {
    return std::strcmp(symbol, "nvmlDeviceGetMemoryInfo_v2") == 0 ? nullptr : dlsym(library, symbol);
  });
  missing.sample(0, false, &gpu);
  EXPECT_DOUBLE_EQ(gpu.memory_used_bytes, 4.0 * (1 << 30));
}

TEST_F(FakeNvml, missing_optional_functions_leave_only_their_metric_unknown) {
  Nvml nvml(XCORE_FAKE_NVML, [](void* library, const char* symbol) -> void* {
    return std::strstr(symbol, "Power") || std::strstr(symbol, "ErrorString") ? nullptr : dlsym(library, symbol);
  });
  xc_monitor_gpu gpu;
  nvml.sample(0, true, &gpu);
  EXPECT_TRUE(std::isnan(gpu.power_watts));
  EXPECT_TRUE(std::isnan(gpu.power_limit_watts));
  EXPECT_DOUBLE_EQ(gpu.utilisation, 0.37);
}

TEST_F(FakeNvml, a_library_without_the_basics_is_named_and_not_used) {
  Nvml nvml(XCORE_FAKE_NVML, [](void*, const char*) -> void* { return nullptr; });
  EXPECT_EQ(nvml.count(), 0);
  EXPECT_NE(nvml.reason().find("not NVIDIA's management library"), std::string::npos) << nvml.reason();
}

TEST_F(FakeNvml, a_lost_gpu_is_a_status_and_its_neighbour_goes_on) {
  script("gpus=2");
  Nvml nvml(XCORE_FAKE_NVML);
  xc_monitor_gpu gpu;
  script("gpus=2 lost=1");
  nvml.sample(1, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_LOST);
  EXPECT_STREQ(gpu.message, "GPU is lost (15)");
  EXPECT_STREQ(gpu.uuid, "GPU-fake-1");  // still known by its name
  EXPECT_TRUE(std::isnan(gpu.memory_total_bytes));
  nvml.sample(0, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_OK);
  nvml.sample(1, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_LOST);
  script("gpus=2");  // reset by an administrator
  nvml.sample(1, true, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_OK);
  EXPECT_DOUBLE_EQ(gpu.utilisation, 0.38);
}

TEST_F(FakeNvml, a_gpu_lost_before_the_monitor_opened_is_listed_as_lost) {
  script("gpus=2 lost=0");
  Nvml nvml(XCORE_FAKE_NVML);
  ASSERT_EQ(nvml.count(), 2);
  xc_monitor_gpu gpu;
  nvml.sample(0, false, &gpu);
  EXPECT_EQ(gpu.status, XC_MONITOR_GPU_LOST);
}

TEST_F(FakeNvml, no_gpu_and_failed_initialisation_have_reasons) {
  script("gpus=0");
  EXPECT_NE(Nvml(XCORE_FAKE_NVML).reason().find("shows no GPU"), std::string::npos);
  script("init=9");
  Nvml failed(XCORE_FAKE_NVML);
  EXPECT_EQ(failed.count(), 0);
  EXPECT_NE(failed.reason().find("kernel driver is not loaded"), std::string::npos) << failed.reason();
}

TEST(Nvml, an_absent_library_is_a_normal_state_with_a_reason) {
  Nvml nvml("/nowhere/libnvidia-ml.so.1");
  EXPECT_EQ(nvml.count(), 0);
  EXPECT_NE(nvml.reason().find("/nowhere/libnvidia-ml.so.1"), std::string::npos) << nvml.reason();
}

class MadeUpHost : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/xcore-host-XXXXXX";
    root_ = mkdtemp(name);
    for (const char* folder : {"/proc", "/proc/self", "/sys", "/sys/class", "/sys/class/hwmon", "/sys/class/hwmon/hwmon0"})
      mkdir((root_ + folder).c_str(), 0700);
  }
  void TearDown() override { std::system(("rm -r '" + root_ + "'").c_str()); }
  void write(const std::string& path, const std::string& text) { std::ofstream(root_ + path) << text; }
  std::string root_;
};

TEST_F(MadeUpHost, utilisation_is_what_happened_between_two_samples) {
  write("/proc/stat", "cpu 100 0 100 800 0 0 0 0 0 0\ncpu0 50 0 50 400 0 0 0 0\ncpu1 50 0 50 400 0 0 0 0\nintr 5\n");
  HostSampler sampler(root_);
  write("/proc/stat", "cpu 140 0 110 840 10 0 0 0 0 0\ncpu0 90 0 60 400 0 0 0 0\ncpu1 50 0 50 440 10 0 0 0\nintr 6\n");
  write("/proc/meminfo", "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n");
  write("/proc/loadavg", "1.50 0.75 0.25 2/300 12345\n");
  write("/proc/self/statm", "1000 25 3 4 5 6 7\n");
  write("/sys/class/hwmon/hwmon0/name", "coretemp\n");
  write("/sys/class/hwmon/hwmon0/temp1_input", "48000\n");
  xc_monitor_host host;
  std::vector<double> cores;
  sampler.sample(&host, &cores);
  EXPECT_DOUBLE_EQ(host.cpu_utilisation, 0.5);  // 50 busy of 100; waiting for a disk is not busy
  ASSERT_EQ(cores.size(), 2u);
  EXPECT_DOUBLE_EQ(cores[0], 1.0);
  EXPECT_DOUBLE_EQ(cores[1], 0.0);
  EXPECT_DOUBLE_EQ(host.memory_total_bytes, 1000 * 1024);
  EXPECT_DOUBLE_EQ(host.memory_used_bytes, 600 * 1024);
  EXPECT_DOUBLE_EQ(host.load_1, 1.5);
  EXPECT_DOUBLE_EQ(host.load_15, 0.25);
  EXPECT_GT(host.process_memory_bytes, 0.0);
  EXPECT_TRUE(std::isnan(host.temperature_celsius));  // the sensor appeared after the sampler looked for sensors
  HostSampler later(root_);
  later.sample(&host, &cores);
  EXPECT_DOUBLE_EQ(host.temperature_celsius, 48.0);
  EXPECT_TRUE(std::isnan(host.cpu_utilisation));  // no tick has passed
}

TEST_F(MadeUpHost, what_cannot_be_read_is_unknown) {
  write("/proc/stat", "cpu garbage\ncpu0\n");
  write("/proc/meminfo", "MemTotal: many kB\n");
  HostSampler sampler(root_);
  xc_monitor_host host;
  std::vector<double> cores;
  sampler.sample(&host, &cores);
  for (double value : {host.cpu_utilisation, host.load_1, host.memory_total_bytes, host.memory_used_bytes,
                       host.process_memory_bytes, host.process_cpu, host.temperature_celsius})
    EXPECT_TRUE(std::isnan(value));
}

TEST(Monitor, the_table_samples_this_machine) {
  const auto& table = *static_cast<const xc_monitor_table*>(xc_monitor_table_v1());
  xc_monitor* monitor = nullptr;
  xc_error error;
  ASSERT_EQ(table.open(&monitor, &error), XC_OK) << error.message;
  xc_monitor_host host;
  std::vector<double> cores(4096);
  std::vector<xc_monitor_gpu> gpus(table.gpu_count(monitor));
  ASSERT_EQ(table.sample(monitor, 0, &host, cores.data(), 4096, gpus.data(), static_cast<int32_t>(gpus.size()), &error), XC_OK);
  EXPECT_GE(host.cores, 1);
  EXPECT_GT(host.memory_total_bytes, host.memory_used_bytes);
  EXPECT_GT(host.process_memory_bytes, 0.0);
  if (gpus.empty()) EXPECT_STRNE(table.gpu_reason(monitor), "");
  else EXPECT_STREQ(table.gpu_reason(monitor), "");
  // Less room than cores is a shorter copy, not an overrun.
  ASSERT_EQ(table.sample(monitor, 0, &host, nullptr, 0, nullptr, 0, &error), XC_OK);
  table.release(monitor);
}

}  // namespace
