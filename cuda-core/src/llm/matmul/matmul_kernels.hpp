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
void matmul_rows_avx2(const MatmulRows& job);
void matmul_rows_avx512(const MatmulRows& job);

}  // namespace xcore::llm
