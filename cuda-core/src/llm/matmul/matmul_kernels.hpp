// The kernels behind matmul_cpu: rows [begin, end) of one product for all tokens. Any type the executors multiply by.
#pragma once

#include "llm/matmul/matmul.hpp"

namespace xcore::llm {

struct MatmulRows {
  const Matrix* w;
  const Activations* x;
  int32_t tokens;
  int32_t begin, end;
  float* out;  // [tokens x w->rows]
};
// Few tokens (weights used in place) and many (weights regrouped once per call, then used for all tokens).
void gemv_rows_avx2(const MatmulRows& job);
void gemm_rows_avx2(const MatmulRows& job);
void gemv_rows_avx512(const MatmulRows& job);
void gemm_rows_avx512(const MatmulRows& job);
// Q8_0 and Q4_0 with at least 16 tokens; hands anything else to gemm_rows_avx512. The bits are the same.
void gemm_rows_amx(const MatmulRows& job);

}  // namespace xcore::llm
