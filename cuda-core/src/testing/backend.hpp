// One table of cases for all backends: tests are TEST_P over backends() and skip loudly where a backend is absent.
//
//   class RmsNorm : public xcore::testing::BackendTest {};
//   TEST_P(RmsNorm, matches_the_reference_on_odd_widths) { ... if (on_cuda()) rms_norm_cuda(...); else rms_norm_cpu(...); }
//   XC_INSTANTIATE_BACKENDS(RmsNorm);
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "runtime/device.hpp"

namespace xcore::testing {

class BackendTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (on_cuda() && cuda_device_count() == 0) {
      GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
    }
  }
  bool on_cuda() const { return GetParam() == "cuda"; }
  xc_device device() const { return on_cuda() ? cuda_device(0) : kCpu; }
};

// Path inside the reference data ($X_REFERENCE_DIR, else ../shared beside the repository), or "" when it is absent.
// With X_REQUIRE_REFERENCE=1 absence is a test failure.
std::string reference_path(const std::string& relative);

}  // namespace xcore::testing

#define XC_INSTANTIATE_BACKENDS(Suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(Backend, Suite, ::testing::Values(std::string("cpu"), "cuda"), \
                           [](const auto& info) { return info.param; })

#define XC_REFERENCE_OR_SKIP(variable, relative)                        \
  const std::string variable = ::xcore::testing::reference_path(relative); \
  if (variable.empty()) GTEST_SKIP() << "SKIPPED reference data absent: " << relative
