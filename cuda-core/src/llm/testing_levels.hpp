// Tests over the instruction sets of this processor; those it lacks are skipped aloud.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "runtime/cpu_features.hpp"

namespace xcore::llm::testing {

inline std::string level_name(CpuLevel level) {
  static const char* const names[] = {"portable", "avx2", "avx512", "amx"};
  return names[static_cast<int>(level)];
}

class LevelTest : public ::testing::TestWithParam<CpuLevel> {
 protected:
  void SetUp() override {
    if (GetParam() > cpu_features().level) GTEST_SKIP() << "SKIPPED LEVEL " << level_name(GetParam()) << ": this processor does not have it";
  }
  CpuLevel level() const { return GetParam(); }
};

}  // namespace xcore::llm::testing

#define XC_INSTANTIATE_LEVELS(Suite)                                                                                      \
  INSTANTIATE_TEST_SUITE_P(Level, Suite,                                                                                  \
                           ::testing::Values(CpuLevel::portable, CpuLevel::avx2, CpuLevel::avx512, CpuLevel::amx), \
                           [](const auto& info) { return ::xcore::llm::testing::level_name(info.param); })
