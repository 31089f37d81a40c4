#include <cstdio>
#include <vector>

#include "llm/bench_cuda.hpp"
#include "llm/device/warp_cuda.hpp"
#include "llm/matmul/matmul_cuda.hpp"
#include "runtime/device.hpp"

namespace xcore::llm {

namespace {

using gguf::TensorType;

// Reads everything, writes next to nothing: four 16-byte loads in flight a thread.
__global__ void read_kernel(const uint4* data, int64_t count, uint32_t* out) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * blockDim.x;
  uint32_t mixed = 0;
#pragma unroll 4
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += threads) {
    const uint4 v = load_weights(data + i);
    mixed ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  if (mixed == 0x12345678u) *out = mixed;
}

// Milliseconds of one run of `work`, captured as a graph so that launches do not count.
template <class Work>
double milliseconds(const cuda::Stream& stream, Work&& work) {
  work();
  stream.synchronize();
  cudaGraph_t graph;
  cudaGraphExec_t exec;
  XC_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  work();
  XC_CUDA(cudaStreamEndCapture(stream, &graph));
  XC_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  cuda::Event start, end;
  double best = 1e30;
  for (int repeat = 0; repeat < 6; ++repeat) {
    start.record(stream);
    XC_CUDA(cudaGraphLaunch(exec, stream));
    end.record(stream);
    end.synchronize();
    best = std::min<double>(best, cuda::Event::elapsed_ms(start, end));
  }
  cudaGraphExecDestroy(exec);
  cudaGraphDestroy(graph);
  return best;
}

}  // namespace

void bench_cuda_gemv(int, char**) {
  if (cuda_device_count() == 0) {
    std::printf("SKIPPED cuda: %s\n", cuda_unavailable_reason().c_str());
    return;
  }
  const cuda::DeviceScope scope(0);
  const cuda::Stream stream(0);
  constexpr size_t kBytes = size_t{1} << 30;  // far beyond L2: every matrix comes from device memory
  cuda::Buffer<uint8_t> arena(kBytes, stream);
  XC_CUDA(cudaMemsetAsync(arena.data(), 0x11, kBytes, stream));
  cuda::Buffer<uint32_t> sink(1, stream);
  int processors = 0;
  XC_CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0));
  const double read_ms = milliseconds(stream, [&] {
    read_kernel<<<processors * 16, 256, 0, stream>>>(reinterpret_cast<const uint4*>(arena.data()), kBytes / 16, sink.data());
  });
  const double ceiling = kBytes / read_ms / 1e6;
  std::printf("read-only stream %.0f GB/s\n", ceiling);
  std::printf("%-5s %7s %8s %7s %9s %9s %7s\n", "type", "rows", "columns", "tokens", "us", "GB/s", "share");

  constexpr int kColumnsMost = 14336;
  cuda::Buffer<float> x(static_cast<size_t>(kGemvTokens) * kColumnsMost, stream), scale(x.size() / 32, stream);
  cuda::Buffer<int8_t> q(x.size(), stream);
  cuda::Buffer<float> out(static_cast<size_t>(kGemvTokens) * 32000, stream);
  XC_CUDA(cudaMemsetAsync(x.data(), 0, x.size() * 4, stream));
  XC_CUDA(cudaMemsetAsync(scale.data(), 0, scale.size() * 4, stream));
  XC_CUDA(cudaMemsetAsync(q.data(), 1, q.size(), stream));
  const Activations activations{x.data(), {q.data(), scale.data()}};
  struct Shape {
    int rows, columns;
  };
  for (const TensorType type : {TensorType::q4_0, TensorType::q8_0, TensorType::f16})
    for (const Shape shape : {Shape{4096, 4096}, Shape{11008, 4096}, Shape{4096, 11008}, Shape{14336, 4096}, Shape{4096, 14336}, Shape{32000, 4096}})
      for (const int tokens : {1, 4}) {
        const gguf::TypeTraits& traits = *gguf::type_traits(static_cast<uint32_t>(type));
        Matrix host;
        host.type = type;
        host.rows = shape.rows;
        host.columns = shape.columns;
        host.row_bytes = static_cast<uint64_t>(shape.columns) / traits.block_size * traits.block_bytes;
        const size_t bytes = device_bytes(host);
        // The planes as the uploader lays them out, filled with whatever the arena holds.
        DeviceMatrix w;
        w.type = type;
        w.rows = shape.rows;
        w.columns = shape.columns;
        const bool blocks = takes_quantized(type);
        w.pitch = blocks ? shape.columns / 32 * (type == TensorType::q8_0 ? 32 : 16) : shape.columns * 2;
        w.scale_pitch = blocks ? (shape.columns / 32 + 1) / 2 * 2 : 0;
        const size_t copies = kBytes / bytes;
        const double ms = milliseconds(stream, [&] {
          for (size_t i = 0; i < copies; ++i) {
            w.data = arena.data() + i * bytes;
            w.scales = reinterpret_cast<const __half*>(w.data + static_cast<size_t>(w.pitch) * w.rows);
            matmul_cuda(w, activations, tokens, out.data(), Store::set, stream);
          }
        });
        const double each = ms / static_cast<double>(copies), rate = static_cast<double>(bytes) / each / 1e6;
        std::printf("%-5s %7d %8d %7d %9.2f %9.0f %6.0f%%\n", traits.name, shape.rows, shape.columns, tokens, each * 1e3, rate, 100 * rate / ceiling);
      }
}

}  // namespace xcore::llm
