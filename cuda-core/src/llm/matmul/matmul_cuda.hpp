// matmul.hpp on the GPU. Up to kGemvTokens tokens the weights are streamed by warps that own rows (gemv_*.cu); beyond
// that tiles go through shared memory (gemm_*.cu), int8 tensor cores for Q8_0 and Q4_0. The arithmetic per block is that
// of the reference: an exact integer sum, times (scale_w * scale_x), accumulated in fp32.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "llm/matmul/matmul.hpp"
#include "llm/weights/weights_cuda.hpp"

namespace xcore::llm {

inline constexpr int kGemvTokens = 8;

struct DeviceProduct {
  const DeviceMatrix* w;
  float* out;  // [tokens x w->rows]
};
enum class Store { set, add };  // add: out += product, for residuals

// All products have the same number of columns. Activations are device memory: `quantized` for Q8_0 and Q4_0, `x` for
// F32 and F16; rows of x and of quantized.q start at multiples of 16 bytes from an aligned base when columns allow it.
void matmul_cuda(const DeviceProduct* products, int count, const Activations& x, int32_t tokens, Store store,
                 cudaStream_t stream);
inline void matmul_cuda(const DeviceMatrix& w, const Activations& x, int32_t tokens, float* out, Store store,
                        cudaStream_t stream) {
  const DeviceProduct product{&w, out};
  matmul_cuda(&product, 1, x, tokens, store, stream);
}

// Where rotated queries, keys and values of a layer go.
struct RopeCache {
  const float* cos_sin;     // of position 0, 1, ...: [position][pairs][2], as rope_table lays it out
  int32_t pairs;            // rotated pairs of each head
  int32_t head_dim;
  int32_t cache_head_dim;   // head_dim rounded up to 8: heads in the cache start at multiples of 16 bytes
  int32_t cache_stride;     // binary16 values from position to position: kv_heads * cache_head_dim
  const int32_t* position;  // of the first token; on the device
  __half* k;                // of position 0
  __half* v;
};

// q = rope(Wq x) to q_out, rope(Wk x) and Wv x to the cache, in one launch. Only where qkv_fits.
bool qkv_fits(const DeviceMatrix& q, const DeviceMatrix& k, const DeviceMatrix& v, int32_t tokens, int32_t head_dim);
void qkv_rope_cuda(const DeviceMatrix& q, const DeviceMatrix& k, const DeviceMatrix& v, const Activations& x,
                   int32_t tokens, const RopeCache& rope, float* q_out, cudaStream_t stream);

// swiglu(Wgate x, Wup x), written to `out` unless nullptr and to `quantized` unless its q is nullptr (rows then a
// multiple of 32). Only where swiglu_fits.
bool swiglu_fits(const DeviceMatrix& gate, const DeviceMatrix& up, int32_t tokens);
void swiglu_matmul_cuda(const DeviceMatrix& gate, const DeviceMatrix& up, const Activations& x, int32_t tokens,
                        float* out, QuantizedRows quantized, cudaStream_t stream);

// The tiled halves, for more tokens than a warp holds sums of.
void gemm_quantized_cuda(const DeviceMatrix& w, QuantizedRows x, int32_t tokens, float* out, Store store,
                         cudaStream_t stream);
void gemm_float_cuda(const DeviceMatrix& w, const float* x, int32_t tokens, float* out, Store store,
                     cudaStream_t stream);

}  // namespace xcore::llm
