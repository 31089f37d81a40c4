#include <algorithm>
#include <vector>

#include "llm/half/half.hpp"
#include "llm/matmul/matmul_kernels.hpp"
#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

using gguf::TensorType;

bool matmul_supports(TensorType type) {
  return type == TensorType::f32 || type == TensorType::f16 || takes_quantized(type);
}

static float dot_f32(const uint8_t* row, const float* x, int32_t columns) {
  float sum = 0;
  for (int32_t c = 0; c < columns; ++c) {
    float weight;
    std::memcpy(&weight, row + static_cast<size_t>(c) * 4, 4);
    sum += weight * x[c];
  }
  return sum;
}

static float dot_f16(const uint8_t* row, const float* x, int32_t columns) {
  float sum = 0;
  for (int32_t c = 0; c < columns; ++c) {
    uint16_t half;
    std::memcpy(&half, row + static_cast<size_t>(c) * 2, 2);
    sum += float_from_half(half) * x[c];
  }
  return sum;
}

static float dot_q8_0(const uint8_t* row, const int8_t* q, const float* scale, int32_t columns) {
  float sum = 0;
  for (int32_t b = 0; b < columns / kBlock; ++b, row += sizeof(BlockQ8_0), q += kBlock) {
    BlockQ8_0 block;
    std::memcpy(&block, row, sizeof block);
    int32_t dot = 0;
    for (int i = 0; i < kBlock; ++i) dot += block.q[i] * q[i];
    sum += float_from_half(block.scale) * scale[b] * static_cast<float>(dot);
  }
  return sum;
}

static float dot_q4_0(const uint8_t* row, const int8_t* q, const float* scale, int32_t columns) {
  float sum = 0;
  for (int32_t b = 0; b < columns / kBlock; ++b, row += sizeof(BlockQ4_0), q += kBlock) {
    BlockQ4_0 block;
    std::memcpy(&block, row, sizeof block);
    int32_t dot = 0;
    for (int i = 0; i < 16; ++i) dot += ((block.q[i] & 15) - 8) * q[i] + ((block.q[i] >> 4) - 8) * q[i + 16];
    sum += float_from_half(block.scale) * scale[b] * static_cast<float>(dot);
  }
  return sum;
}

static void matmul_rows_portable(const MatmulRows& job) {
  const Matrix& w = *job.w;
  for (int32_t r = job.begin; r < job.end; ++r) {
    const uint8_t* row = w.data + static_cast<uint64_t>(r) * w.row_bytes;
    for (int64_t t = 0; t < job.tokens; ++t) {
      const float* x = job.x->x + t * w.columns;
      const int8_t* q = job.x->quantized.q + t * w.columns;
      const float* scale = job.x->quantized.scale + t * (w.columns / kBlock);
      job.out[t * w.rows + r] = w.type == TensorType::f32    ? dot_f32(row, x, w.columns)
                                : w.type == TensorType::f16  ? dot_f16(row, x, w.columns)
                                : w.type == TensorType::q8_0 ? dot_q8_0(row, q, scale, w.columns)
                                                             : dot_q4_0(row, q, scale, w.columns);
    }
  }
}

// Rows are handed out in whole groups, so that kernels see full tiles.
constexpr int32_t kRowGroup = 16;
// From here on regrouping the weights pays.
constexpr int32_t kManyTokens = 4;
// Less work than this is done by the caller alone: waking the others costs a few microseconds.
constexpr int64_t kBytesWorthSharing = 64 << 10;

void matmul_cpu(std::initializer_list<Product> products, const Activations& x, int32_t tokens, CpuLevel level) {
  auto kernel = matmul_rows_portable;
#if defined(__x86_64__)
  const bool many = tokens >= kManyTokens;
  if (level >= CpuLevel::amx && many)
    kernel = gemm_rows_amx;
  else if (level >= CpuLevel::avx512)
    kernel = many ? gemm_rows_avx512 : gemv_rows_avx512;
  else if (level >= CpuLevel::avx2)
    kernel = many ? gemm_rows_avx2 : gemv_rows_avx2;
#endif
  int64_t groups = 0;
  uint64_t bytes = 0;
  for (const Product& p : products) {
    groups += (p.w->rows + kRowGroup - 1) / kRowGroup;
    bytes += static_cast<uint64_t>(p.w->rows) * p.w->row_bytes;
  }
  const trace::OpTimer timer("llm.matmul", kCpu, bytes);
  // Work grows with the tokens, since each weight is used once for each.
  const int64_t group_work = std::max<int64_t>(1, static_cast<int64_t>(bytes) * tokens / groups);
  thread_pool().parallel_for(groups, std::max<int64_t>(1, kBytesWorthSharing / group_work), [&](int64_t begin, int64_t end) {
    int64_t first = 0;  // group at which the product starts
    for (const Product& p : products) {
      const int64_t count = (p.w->rows + kRowGroup - 1) / kRowGroup;
      const int64_t from = std::max(begin, first) - first, to = std::min(end, first + count) - first;
      if (from < to)
        kernel({p.w, &x, tokens, static_cast<int32_t>(from * kRowGroup),
                static_cast<int32_t>(std::min<int64_t>(to * kRowGroup, p.w->rows)), p.out});
      first += count;
    }
  });
}

void matmul_cpu(const Matrix& w, const float* x, int32_t tokens, float* out, CpuLevel level) {
  std::vector<int8_t> q;
  std::vector<float> scale;
  Activations activations{x, {}};
  if (takes_quantized(w.type)) {
    q.resize(static_cast<size_t>(tokens) * static_cast<size_t>(w.columns));
    scale.resize(q.size() / kBlock);
    activations.quantized = {q.data(), scale.data()};
    quantize_rows_cpu(x, tokens, w.columns, activations.quantized, level);
  }
  matmul_cpu({{&w, out}}, activations, tokens, level);
}

}  // namespace xcore::llm
