#include "te/kernel/kernel.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "te/surrogates/permutation.hpp"
#include "te/testing_options.hpp"
#include "te/testing_series.hpp"
#include "testing/backend.hpp"

using namespace xcore;
using namespace xcore::te;

namespace {

class Kernel : public xcore::testing::BackendTest {};

TEST_P(Kernel, counts_equal_the_definition_with_ties_windows_and_permutations) {
  for (const double grid : {0.0, 0.5}) {
    for (const int theiler : {0, 4}) {
      for (const int measure : {XC_TE_TRANSFER, XC_TE_MUTUAL}) {
        auto [x, y] = coupled_ar(400, 0.5, 3);
        if (grid > 0)
          for (auto* v : {&x, &y})
            for (double& a : *v) a = std::round(a / grid) * grid;
        auto o = default_options();
        o.estimator = XC_TE_KERNEL, o.theiler = theiler, o.measure = measure, o.target_history = 2;
        const Embedding e = embed(series_of(x, y), given_lags(o, 0), o, Scaling::raw);
        const KernelProblem p = kernel_problem(e, o);
        std::vector<int32_t> rows(e.n);
        permutation(1, 1, e.n, rows.data());
        for (const int32_t* permuted : {static_cast<const int32_t*>(nullptr), static_cast<const int32_t*>(rows.data())}) {
          std::vector<KernelCounts> expected(e.n), got(e.n);
          kernel_counts_ref(p, permuted, expected.data());
          if (on_cuda()) {
#if XCORE_CUDA
            kernel_counts_cuda(0, p, permuted, 1, got.data(), Control());
#endif
          } else {
            kernel_counts_cpu(p, permuted, got.data(), Control());
          }
          for (int64_t i = 0; i < e.n; ++i) {
            ASSERT_EQ(got[i].past, expected[i].past) << i;
            ASSERT_EQ(got[i].source_past, expected[i].source_past) << i;
            ASSERT_EQ(got[i].future_past, expected[i].future_past) << i;
            ASSERT_EQ(got[i].all, expected[i].all) << i;
          }
        }
      }
    }
  }
}
XC_INSTANTIATE_BACKENDS(Kernel);

}  // namespace
