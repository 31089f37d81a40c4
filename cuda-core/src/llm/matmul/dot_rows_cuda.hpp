// The inner products of a warp: `Rows` weight rows with `Tokens` activation rows, lanes side by side along the columns.
// After dot_rows every lane holds every sum.
#pragma once

#include "llm/device/warp_cuda.hpp"
#include "llm/matmul/matmul_cuda.hpp"

namespace xcore::llm {

struct RowPointers {
  const uint8_t* data;
  const __half* scales;
};

__device__ __forceinline__ RowPointers row_of(const DeviceMatrix& w, int row) {
  return {w.data + row * w.pitch, w.scales + static_cast<int64_t>(row) * w.scale_pitch};
}

__device__ __forceinline__ int dot16(const uint4& w, const int4& x, int sum) {
  sum = __dp4a(static_cast<int>(w.x), x.x, sum);
  sum = __dp4a(static_cast<int>(w.y), x.y, sum);
  sum = __dp4a(static_cast<int>(w.z), x.z, sum);
  return __dp4a(static_cast<int>(w.w), x.w, sum);
}

// Steps along the columns whose loads a lane issues together: enough to keep memory busy, few enough for the registers.
template <int Rows, int Tokens>
inline constexpr int kInFlight = Rows * Tokens >= 8 ? 1 : 8 / (Rows * Tokens);

// A lane takes 16 bytes of quants: half a block of Q8_0. (Half a block's sum is as exact as a whole one's.)
template <int Rows, int Tokens>
__device__ __forceinline__ void dot_q8_0(const RowPointers (&w)[Rows], const Activations& x, int columns, int tokens,
                                         float (&sum)[Rows][Tokens]) {
  const int lane = threadIdx.x % kWarp;
  const int halves = columns / 16, blocks = columns / 32;
#pragma unroll kInFlight<Rows, Tokens>
  for (int h = lane; h < halves; h += kWarp) {
    uint4 q[Rows];
    float d[Rows];
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      q[r] = load_weights(reinterpret_cast<const uint4*>(w[r].data) + h);
      d[r] = __half2float(w[r].scales[h >> 1]);
    }
#pragma unroll
    for (int t = 0; t < Tokens; ++t) {
      const int64_t row = min(t, tokens - 1);
      const int4 xq = reinterpret_cast<const int4*>(x.quantized.q + row * columns)[h];
      const float xd = x.quantized.scale[row * blocks + (h >> 1)];
#pragma unroll
      for (int r = 0; r < Rows; ++r) sum[r][t] += (d[r] * xd) * static_cast<float>(dot16(q[r], xq, 0));
    }
  }
}

// 16 bytes of quants are a whole block of Q4_0. Its integer sum comes out 16 times too large, without a remainder.
template <int Rows, int Tokens>
__device__ __forceinline__ void dot_q4_0(const RowPointers (&w)[Rows], const Activations& x, int columns, int tokens,
                                         float (&sum)[Rows][Tokens]) {
  constexpr uint32_t kHigh = 0xF0F0F0F0u;
  const int lane = threadIdx.x % kWarp;
  const int blocks = columns / 32;
#pragma unroll kInFlight<Rows, Tokens>
  for (int b = lane; b < blocks; b += kWarp) {
    uint4 low[Rows], high[Rows];
    float d[Rows];
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const uint4 q = load_weights(reinterpret_cast<const uint4*>(w[r].data) + b);
      low[r] = make_uint4(q.x << 4 & kHigh, q.y << 4 & kHigh, q.z << 4 & kHigh, q.w << 4 & kHigh);
      high[r] = make_uint4(q.x & kHigh, q.y & kHigh, q.z & kHigh, q.w & kHigh);
      d[r] = __half2float(w[r].scales[b]);
    }
#pragma unroll
    for (int t = 0; t < Tokens; ++t) {
      const int64_t row = min(t, tokens - 1);
      const int4* xq = reinterpret_cast<const int4*>(x.quantized.q + row * columns) + b * 2;
      const int4 first = xq[0], second = xq[1];
      const float xd = x.quantized.scale[row * blocks + b];
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        const int sixteenfold = dot16(high[r], second, dot16(low[r], first, 0));
        sum[r][t] += (d[r] * xd) * static_cast<float>(sixteenfold >> 4);
      }
    }
  }
}

// Four activations from column c on; `aligned` when every row of x starts at a multiple of 16 bytes.
__device__ __forceinline__ float4 load_four(const float* x, int c, bool aligned) {
  if (aligned) return *reinterpret_cast<const float4*>(x + c);
  return make_float4(x[c], x[c + 1], x[c + 2], x[c + 3]);
}

__device__ __forceinline__ float dot4(const float4& w, const float4& x, float sum) {
  return fmaf(w.w, x.w, fmaf(w.z, x.z, fmaf(w.y, x.y, fmaf(w.x, x.x, sum))));
}

// F16 and F32: 16 bytes a lane, and the columns that do not fill 16 bytes one by one.
template <bool Half, int Rows, int Tokens>
__device__ __forceinline__ void dot_floats(const RowPointers (&w)[Rows], const Activations& x, int columns, int tokens,
                                           float (&sum)[Rows][Tokens]) {
  constexpr int kWide = Half ? 8 : 4;
  const int lane = threadIdx.x % kWarp;
  const bool aligned = columns % 4 == 0;
  const int chunks = columns / kWide;
#pragma unroll kInFlight<Rows, Tokens>
  for (int c = lane; c < chunks; c += kWarp) {
    float4 first[Rows], second[Rows];
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const uint4 bits = load_weights(reinterpret_cast<const uint4*>(w[r].data) + c);
      if (Half) {
        const float2 a = floats_of(bits.x);
        const float2 b = floats_of(bits.y);
        const float2 e = floats_of(bits.z);
        const float2 f = floats_of(bits.w);
        first[r] = make_float4(a.x, a.y, b.x, b.y);
        second[r] = make_float4(e.x, e.y, f.x, f.y);
      } else {
        first[r] = make_float4(__uint_as_float(bits.x), __uint_as_float(bits.y), __uint_as_float(bits.z),
                               __uint_as_float(bits.w));
      }
    }
#pragma unroll
    for (int t = 0; t < Tokens; ++t) {
      const float* row = x.x + static_cast<int64_t>(min(t, tokens - 1)) * columns;
      const float4 a = load_four(row, c * kWide, aligned);
      float4 b = a;
      if (Half) b = load_four(row, c * kWide + 4, aligned);
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        sum[r][t] = dot4(first[r], a, sum[r][t]);
        if (Half) sum[r][t] = dot4(second[r], b, sum[r][t]);
      }
    }
  }
  for (int c = chunks * kWide + lane; c < columns; c += kWarp) {
#pragma unroll
    for (int r = 0; r < Rows; ++r) {
      const float weight = Half ? __half2float(reinterpret_cast<const __half*>(w[r].data)[c])
                                : reinterpret_cast<const float*>(w[r].data)[c];
#pragma unroll
      for (int t = 0; t < Tokens; ++t)
        sum[r][t] = fmaf(weight, x.x[static_cast<int64_t>(min(t, tokens - 1)) * columns + c], sum[r][t]);
    }
  }
}

template <gguf::TensorType Type, int Rows, int Tokens>
__device__ __forceinline__ void dot_rows(const RowPointers (&w)[Rows], const Activations& x, int columns, int tokens,
                                         float (&sum)[Rows][Tokens]) {
#pragma unroll
  for (int r = 0; r < Rows; ++r)
#pragma unroll
    for (int t = 0; t < Tokens; ++t) sum[r][t] = 0;
  if constexpr (Type == gguf::TensorType::q8_0)
    dot_q8_0(w, x, columns, tokens, sum);
  else if constexpr (Type == gguf::TensorType::q4_0)
    dot_q4_0(w, x, columns, tokens, sum);
  else
    dot_floats<Type == gguf::TensorType::f16>(w, x, columns, tokens, sum);
#pragma unroll
  for (int r = 0; r < Rows; ++r)
#pragma unroll
    for (int t = 0; t < Tokens; ++t) sum[r][t] = warp_sum(sum[r][t]);
}

// Calls f with the type and the number of tokens (1, 2, 4 or 8, at least `tokens`) as compile-time constants.
template <gguf::TensorType Type>
struct TypeConstant {
  static constexpr gguf::TensorType value = Type;
};
template <int N>
struct IntConstant {
  static constexpr int value = N;
};

template <class Type, class F>
void for_tokens(Type type, int tokens, F&& f) {
  if (tokens <= 1) return f(type, IntConstant<1>{});
  if (tokens <= 2) return f(type, IntConstant<2>{});
  if (tokens <= 4) return f(type, IntConstant<4>{});
  return f(type, IntConstant<8>{});
}
template <class F>
void for_type_and_tokens(gguf::TensorType type, int tokens, F&& f) {
  using T = gguf::TensorType;
  if (type == T::q4_0) return for_tokens(TypeConstant<T::q4_0>{}, tokens, f);
  if (type == T::q8_0) return for_tokens(TypeConstant<T::q8_0>{}, tokens, f);
  if (type == T::f16) return for_tokens(TypeConstant<T::f16>{}, tokens, f);
  return for_tokens(TypeConstant<T::f32>{}, tokens, f);
}

}  // namespace xcore::llm
