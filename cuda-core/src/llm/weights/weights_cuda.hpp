// Weights on the GPU, in the layout the kernels read.
//
// Q8_0 and Q4_0 blocks of the file (34 and 18 bytes, aligned to 2) become two planes: quants, 32 or 16 bytes a block
// without gaps, and binary16 scales, [rows][scale_pitch] with scale_pitch = blocks a row rounded up to 2 (the odd one is
// zero). Nibbles of Q4_0 are stored as two's complement (nibble ^ 8), so that (word << 4) & 0xF0F0F0F0 and
// word & 0xF0F0F0F0 are four int8 of 16 times the value each. F32 and F16 rows start at multiples of 16 bytes.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "llm/model.hpp"
#include "runtime/cuda.hpp"

namespace xcore::llm {

struct DeviceMatrix {
  gguf::TensorType type = gguf::TensorType::f32;
  int32_t rows = 0;
  int32_t columns = 0;
  const uint8_t* data = nullptr;    // quants, or the rows of F32 and F16
  const __half* scales = nullptr;   // Q8_0, Q4_0
  int64_t pitch = 0;                // bytes from row to row of `data`
  int32_t scale_pitch = 0;          // scales from row to row
};

// Bytes of device memory that a matrix takes, a multiple of 256.
size_t device_bytes(const Matrix& matrix);

// Copies file bytes to the GPU through two page-locked buffers: while one travels, the other is filled.
class Uploader {
 public:
  explicit Uploader(const cuda::Stream& stream);
  // `destination` is 256-byte aligned and has device_bytes(matrix).
  DeviceMatrix matrix(const Matrix& matrix, uint8_t* destination);
  void floats(const float* host, size_t count, float* destination);
  void finish() { stream_.synchronize(); }

 private:
  struct Slot {
    explicit Slot(const cuda::Stream& stream);
    cuda::PinnedBuffer<uint8_t> host;
    cuda::Buffer<uint8_t> device;
    cuda::Event done;
    bool used = false;
  };
  Slot& fill(const void* source, size_t bytes);
  const cuda::Stream& stream_;
  Slot slots_[2];
  int next_ = 0;
};

struct DeviceLayer {
  const float* attention_norm;
  DeviceMatrix q, k, v, output;
  const float* ffn_norm;
  DeviceMatrix gate, up, down;
};

// All of a model in one allocation, shared by its sequences.
struct DeviceModel {
  DeviceModel(std::shared_ptr<const Model> model, int device);
  ~DeviceModel();
  DeviceModel(const DeviceModel&) = delete;
  DeviceModel& operator=(const DeviceModel&) = delete;

  std::shared_ptr<const Model> host;
  int device;
  int processors;  // streaming multiprocessors
  DeviceMatrix embedding, output;
  const float* output_norm;
  std::vector<DeviceLayer> layers;
  const double* frequencies;       // [rope_dims / 2]

 private:
  std::unique_ptr<cuda::Stream> stream_;
  cuda::Buffer<uint8_t> arena_;
};

}  // namespace xcore::llm
