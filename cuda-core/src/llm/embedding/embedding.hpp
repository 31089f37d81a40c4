// out[t] = row ids[t] of the table as fp32 [count][columns]. Types: F32, F16, Q8_0, Q4_0; exact for all of them (a
// product of a binary16 scale and an int8 fits fp32). Ids are in [0, rows).
#pragma once

#include <cstdint>

#include "llm/model.hpp"

namespace xcore::llm {

// Also the definition of what a block's values are.
void embedding_ref(const Matrix& table, const int32_t* ids, int32_t count, float* out);
void embedding_cpu(const Matrix& table, const int32_t* ids, int32_t count, float* out);

}  // namespace xcore::llm
