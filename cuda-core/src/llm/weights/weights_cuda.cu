#include "llm/weights/weights_cuda.hpp"

#include <algorithm>
#include <cstring>

#include "llm/device/warp_cuda.hpp"
#include "llm/rope/rope.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {

using gguf::TensorType;

namespace {

constexpr size_t kSlotBytes = size_t{32} << 20;
constexpr size_t kAlignment = 256;
constexpr int kThreads = 256;

size_t aligned(size_t bytes, size_t to = kAlignment) { return (bytes + to - 1) / to * to; }
bool in_blocks(TensorType type) { return type == TensorType::q8_0 || type == TensorType::q4_0; }
size_t block_bytes(TensorType type) { return type == TensorType::q8_0 ? 34 : 18; }
size_t quant_bytes(TensorType type) { return type == TensorType::q8_0 ? 32 : 16; }

int64_t pitch_of(const Matrix& m) {
  if (in_blocks(m.type)) return static_cast<int64_t>(m.columns / 32) * static_cast<int64_t>(quant_bytes(m.type));
  return static_cast<int64_t>(aligned(static_cast<size_t>(m.columns) * (m.type == TensorType::f32 ? 4 : 2), 16));
}
int32_t scale_pitch_of(const Matrix& m) { return in_blocks(m.type) ? (m.columns / 32 + 1) / 2 * 2 : 0; }

// A thread a block of the file. `Quants`: 16-byte words of quants a block (2 for Q8_0, 1 for Q4_0).
template <int Quants>
__global__ void repack_kernel(const uint16_t* source, int64_t first, int64_t count, int blocks_per_row,
                              int scale_pitch, uint4* quants, __half* scales) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= count) return;
  constexpr int kShorts = 1 + Quants * 8;
  const uint16_t* in = source + i * kShorts;
  const int64_t block = first + i;
  scales[block / blocks_per_row * scale_pitch + block % blocks_per_row] = __ushort_as_half(in[0]);
  const uint32_t flip = Quants == 1 ? 0x88888888u : 0u;
#pragma unroll
  for (int w = 0; w < Quants; ++w) {
    uint32_t word[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const uint32_t low = in[1 + w * 8 + j * 2], high = in[1 + w * 8 + j * 2 + 1];
      word[j] = (low | high << 16) ^ flip;
    }
    quants[block * Quants + w] = make_uint4(word[0], word[1], word[2], word[3]);
  }
}

}  // namespace

size_t device_bytes(const Matrix& m) {
  return aligned(static_cast<size_t>(pitch_of(m)) * m.rows) +
         aligned(static_cast<size_t>(scale_pitch_of(m)) * m.rows * sizeof(__half));
}

Uploader::Slot::Slot(const cuda::Stream& stream) : host(kSlotBytes), device(kSlotBytes, stream) {}

Uploader::Uploader(const cuda::Stream& stream) : stream_(stream), slots_{Slot(stream), Slot(stream)} {}

Uploader::Slot& Uploader::fill(const void* source, size_t bytes) {
  Slot& slot = slots_[next_];
  next_ ^= 1;
  if (slot.used) slot.done.synchronize();
  slot.used = true;
  thread_pool().parallel_for(static_cast<int64_t>(bytes), 1 << 20, [&](int64_t begin, int64_t end) {
    std::memcpy(slot.host.data() + begin, static_cast<const uint8_t*>(source) + begin, static_cast<size_t>(end - begin));
  });
  return slot;
}

void Uploader::floats(const float* host, size_t count, float* destination) {
  for (size_t done = 0; done < count;) {
    const size_t part = std::min(count - done, kSlotBytes / sizeof(float));
    Slot& slot = fill(host + done, part * sizeof(float));
    XC_CUDA(cudaMemcpyAsync(destination + done, slot.host.data(), part * sizeof(float), cudaMemcpyHostToDevice, stream_));
    slot.done.record(stream_);
    done += part;
  }
}

DeviceMatrix Uploader::matrix(const Matrix& m, uint8_t* destination) {
  DeviceMatrix out;
  out.type = m.type;
  out.rows = m.rows;
  out.columns = m.columns;
  out.data = destination;
  out.pitch = pitch_of(m);
  out.scale_pitch = scale_pitch_of(m);
  if (!in_blocks(m.type)) {
    if (m.row_bytes > kSlotBytes)
      throw error(XC_UNSUPPORTED, "", -1, "a matrix with rows of %llu bytes cannot be used on a GPU; the limit is %zu",
                  static_cast<unsigned long long>(m.row_bytes), kSlotBytes);
    const int64_t rows_at_once = static_cast<int64_t>(kSlotBytes / m.row_bytes);
    for (int64_t row = 0; row < m.rows; row += rows_at_once) {
      const size_t rows = static_cast<size_t>(std::min<int64_t>(rows_at_once, m.rows - row));
      Slot& slot = fill(m.data + static_cast<uint64_t>(row) * m.row_bytes, rows * m.row_bytes);
      XC_CUDA(cudaMemcpy2DAsync(destination + row * out.pitch, static_cast<size_t>(out.pitch), slot.host.data(),
                                m.row_bytes, m.row_bytes, rows, cudaMemcpyHostToDevice, stream_));
      slot.done.record(stream_);
    }
    return out;
  }
  uint8_t* scales = destination + aligned(static_cast<size_t>(out.pitch) * m.rows);
  out.scales = reinterpret_cast<const __half*>(scales);
  XC_CUDA(cudaMemsetAsync(scales, 0, static_cast<size_t>(out.scale_pitch) * m.rows * sizeof(__half), stream_));
  const int blocks_per_row = m.columns / 32;
  const int64_t blocks = static_cast<int64_t>(blocks_per_row) * m.rows;
  const int64_t at_once = static_cast<int64_t>(kSlotBytes / block_bytes(m.type));
  for (int64_t first = 0; first < blocks; first += at_once) {
    const int64_t count = std::min(at_once, blocks - first);
    const size_t bytes = static_cast<size_t>(count) * block_bytes(m.type);
    Slot& slot = fill(m.data + static_cast<size_t>(first) * block_bytes(m.type), bytes);
    XC_CUDA(cudaMemcpyAsync(slot.device.data(), slot.host.data(), bytes, cudaMemcpyHostToDevice, stream_));
    const auto kernel = m.type == TensorType::q8_0 ? repack_kernel<2> : repack_kernel<1>;
    kernel<<<ceil_div(count, kThreads), kThreads, 0, stream_>>>(
        reinterpret_cast<const uint16_t*>(slot.device.data()), first, count, blocks_per_row, out.scale_pitch,
        reinterpret_cast<uint4*>(destination), reinterpret_cast<__half*>(scales));
    XC_CUDA_LAUNCHED("repack");
    slot.done.record(stream_);
  }
  return out;
}

DeviceModel::DeviceModel(std::shared_ptr<const Model> model, int index) : host(std::move(model)), device(index) {
  const cuda::DeviceScope scope(device);
  XC_CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
  stream_ = std::make_unique<cuda::Stream>(device);
  const Model& m = *host;
  const bool tied = m.output.data == m.embedding.data;
  const std::vector<double> host_frequencies =
      rope_frequencies({m.rope_dims, m.rope_base, m.rope_scale, m.rope_factors});

  size_t bytes = device_bytes(m.embedding) + (tied ? 0 : device_bytes(m.output));
  const size_t norm_bytes = aligned(static_cast<size_t>(m.width) * sizeof(float));
  const size_t frequency_bytes = aligned(std::max<size_t>(1, host_frequencies.size()) * sizeof(double));
  bytes += norm_bytes + frequency_bytes;
  for (const Layer& l : m.layers) {
    bytes += 2 * norm_bytes;
    for (const Matrix* w : {&l.q, &l.k, &l.v, &l.output, &l.gate, &l.up, &l.down}) bytes += device_bytes(*w);
  }
  arena_ = cuda::Buffer<uint8_t>(bytes, *stream_);

  uint8_t* next = arena_.data();
  auto take = [&](size_t size) { return std::exchange(next, next + size); };
  Uploader uploader(*stream_);
  auto matrix = [&](const Matrix& w) { return uploader.matrix(w, take(device_bytes(w))); };
  auto norm = [&](const float* weights) {
    float* out = reinterpret_cast<float*>(take(norm_bytes));
    uploader.floats(weights, static_cast<size_t>(m.width), out);
    return out;
  };
  embedding = matrix(m.embedding);
  output = tied ? embedding : matrix(m.output);
  output_norm = norm(m.output_norm);
  double* table = reinterpret_cast<double*>(take(frequency_bytes));
  XC_CUDA(cudaMemcpyAsync(table, host_frequencies.data(), host_frequencies.size() * sizeof(double), cudaMemcpyHostToDevice, *stream_));
  frequencies = table;
  for (const Layer& l : m.layers) {
    DeviceLayer d;
    d.attention_norm = norm(l.attention_norm);
    d.q = matrix(l.q);
    d.k = matrix(l.k);
    d.v = matrix(l.v);
    d.output = matrix(l.output);
    d.ffn_norm = norm(l.ffn_norm);
    d.gate = matrix(l.gate);
    d.up = matrix(l.up);
    d.down = matrix(l.down);
    layers.push_back(d);
  }
  uploader.finish();
}

DeviceModel::~DeviceModel() {
  // Sequences hold a share of the model, so that nothing computes with it any more. Gigabytes go back to the driver.
  int previous = 0;
  cudaGetDevice(&previous);
  cudaSetDevice(device);
  arena_.reset();
  cudaStreamSynchronize(*stream_);
  cudaMemPool_t pool;
  if (cudaDeviceGetDefaultMemPool(&pool, device) == cudaSuccess) cudaMemPoolTrimTo(pool, 0);
  stream_.reset();
  cudaSetDevice(previous);
}

}  // namespace xcore::llm
