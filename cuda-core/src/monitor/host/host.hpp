// The host's figures from /proc and /sys (Linux). Anything that cannot be read is NaN.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "xcore/monitor.h"

namespace xcore::monitor {

class HostSampler {
 public:
  // `root` stands before /proc and /sys: "" for this machine, a folder in tests.
  explicit HostSampler(std::string root = "");
  // Utilisations are over the time since the previous call (the first: since construction).
  void sample(xc_monitor_host* host, std::vector<double>* core_utilisation);

 private:
  struct Ticks {
    double busy = 0.0, total = 0.0;
  };
  struct CpuTimes {
    Ticks all;
    std::vector<Ticks> cores;
    bool known = false;
  };
  CpuTimes read_cpu() const;
  double read_process_seconds() const;
  double read_temperature() const;

  std::string root_;
  std::vector<std::string> temperature_files_;
  CpuTimes previous_;
  double previous_process_seconds_;
  std::chrono::steady_clock::time_point previous_time_;
};

}  // namespace xcore::monitor
