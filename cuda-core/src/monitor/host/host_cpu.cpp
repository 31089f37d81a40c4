#include <dirent.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "monitor/host/host.hpp"

namespace xcore::monitor {

namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

double share(double part, double whole) { return whole > 0.0 ? std::min(1.0, std::max(0.0, part / whole)) : kUnknown; }

std::vector<std::string> entries(const std::string& folder, const char* prefix) {
  std::vector<std::string> out;
  DIR* dir = opendir(folder.c_str());
  if (!dir) return out;
  while (const dirent* entry = readdir(dir)) {
    if (std::strncmp(entry->d_name, prefix, std::strlen(prefix)) == 0) out.push_back(folder + "/" + entry->d_name);
  }
  closedir(dir);
  std::sort(out.begin(), out.end());
  return out;
}

std::string first_line(const std::string& path) {
  const std::string text = read_file(path);
  return text.substr(0, text.find('\n'));
}

// Sensors that speak of the CPU, found once: hwmon drivers of CPUs, else thermal zones of the package.
std::vector<std::string> cpu_temperature_files(const std::string& root) {
  std::vector<std::string> out;
  for (const std::string& device : entries(root + "/sys/class/hwmon", "hwmon")) {
    const std::string driver = first_line(device + "/name");
    if (driver != "coretemp" && driver != "k10temp" && driver != "zenpower" && driver != "cpu_thermal") continue;
    for (const std::string& file : entries(device, "temp")) {
      if (file.size() > 6 && file.compare(file.size() - 6, 6, "_input") == 0) out.push_back(file);
    }
  }
  if (!out.empty()) return out;
  for (const std::string& zone : entries(root + "/sys/class/thermal", "thermal_zone")) {
    const std::string type = first_line(zone + "/type");
    if (type == "x86_pkg_temp" || type.rfind("cpu", 0) == 0) out.push_back(zone + "/temp");
  }
  return out;
}

}  // namespace

HostSampler::HostSampler(std::string root)
    : root_(std::move(root)),
      temperature_files_(cpu_temperature_files(root_)),
      previous_(read_cpu()),
      previous_process_seconds_(read_process_seconds()),
      previous_time_(std::chrono::steady_clock::now()) {}

HostSampler::CpuTimes HostSampler::read_cpu() const {
  CpuTimes out;
  std::istringstream stat(read_file(root_ + "/proc/stat"));
  for (std::string line; std::getline(stat, line);) {
    if (line.rfind("cpu", 0) != 0) continue;
    double v[8] = {};  // user nice system idle iowait irq softirq steal; guest time is part of user
    std::istringstream fields(line);
    std::string name;
    fields >> name;
    for (double& x : v) fields >> x;
    Ticks ticks;
    for (double x : v) ticks.total += x;
    ticks.busy = ticks.total - v[3] - v[4];
    if (name == "cpu") {
      out.all = ticks;
      out.known = ticks.total > 0.0;
    } else {
      out.cores.push_back(ticks);
    }
  }
  return out;
}

double HostSampler::read_process_seconds() const {
  const std::string stat = read_file(root_ + "/proc/self/stat");
  const size_t name_end = stat.rfind(')');  // the name may hold spaces and parentheses
  if (name_end == std::string::npos) return kUnknown;
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state .. cmajflt
  double user = 0.0, system = 0.0;
  if (!(fields >> user >> system)) return kUnknown;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double HostSampler::read_temperature() const {
  double hottest = kUnknown;
  for (const std::string& file : temperature_files_) {
    const std::string text = read_file(file);
    char* end = nullptr;
    const double celsius = std::strtod(text.c_str(), &end) / 1000.0;
    if (end != text.c_str() && celsius > -50.0 && celsius < 200.0 && !(hottest >= celsius)) hottest = celsius;
  }
  return hottest;
}

void HostSampler::sample(xc_monitor_host* host, std::vector<double>* core_utilisation) {
  const auto now = std::chrono::steady_clock::now();
  const CpuTimes times = read_cpu();
  const double process_seconds = read_process_seconds();
  const double elapsed = std::chrono::duration<double>(now - previous_time_).count();
  *host = {};
  host->cpu_utilisation = times.known ? share(times.all.busy - previous_.all.busy, times.all.total - previous_.all.total) : kUnknown;
  core_utilisation->assign(times.cores.size(), kUnknown);
  for (size_t i = 0; i < times.cores.size() && i < previous_.cores.size(); ++i)
    (*core_utilisation)[i] =
        share(times.cores[i].busy - previous_.cores[i].busy, times.cores[i].total - previous_.cores[i].total);
  host->cores = static_cast<int32_t>(times.cores.size());
  host->process_cpu = elapsed > 0.0 ? std::max(0.0, (process_seconds - previous_process_seconds_) / elapsed) : kUnknown;
  if (std::isnan(process_seconds)) host->process_cpu = kUnknown;  // max() drops a NaN
  host->temperature_celsius = read_temperature();

  host->load_1 = host->load_5 = host->load_15 = kUnknown;
  const std::string load = read_file(root_ + "/proc/loadavg");
  double l[3];
  if (std::sscanf(load.c_str(), "%lf %lf %lf", &l[0], &l[1], &l[2]) == 3) {
    host->load_1 = l[0];
    host->load_5 = l[1];
    host->load_15 = l[2];
  }

  host->memory_total_bytes = host->memory_used_bytes = kUnknown;
  double total = kUnknown, available = kUnknown;
  std::istringstream memory(read_file(root_ + "/proc/meminfo"));
  for (std::string line; std::getline(memory, line);) {
    double kib = 0.0;
    if (std::sscanf(line.c_str(), "MemTotal: %lf kB", &kib) == 1) total = kib * 1024.0;
    if (std::sscanf(line.c_str(), "MemAvailable: %lf kB", &kib) == 1) available = kib * 1024.0;
  }
  host->memory_total_bytes = total;
  host->memory_used_bytes = total - available;

  host->process_memory_bytes = kUnknown;
  double size = 0.0, resident = 0.0;
  if (std::sscanf(read_file(root_ + "/proc/self/statm").c_str(), "%lf %lf", &size, &resident) == 2)
    host->process_memory_bytes = resident * static_cast<double>(sysconf(_SC_PAGESIZE));

  // Samples in quick succession fall into one tick of the kernel's clock: keep the older base until it moves.
  if (times.all.total > previous_.all.total) previous_ = times;
  previous_process_seconds_ = process_seconds;
  previous_time_ = now;
}

}  // namespace xcore::monitor
