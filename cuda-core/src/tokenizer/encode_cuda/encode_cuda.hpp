// Exact encoding of batches on a GPU, from host memory to host memory, for byte-level models.
//
// A batch is cut into chunks (plan.hpp). Worker threads take them in order; each copies the texts of its chunk into
// page-locked memory, sends them, has the device cut them into pieces, look the pieces up and merge those that are no
// known piece (kernels_cuda.cuh), and copies the ids to their place in the result. Several chunks are under way at
// once, so the copies of the host, both directions of the bus and the kernels overlap.
//
// Segments in which an added token may stand, which NFC might change, or which have a piece of more than kMaxPiece
// bytes are encoded by the CPU engine inside the batch: the ids are those of Tokenizer::encode in all cases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tokenizer/encode/encode_batch.hpp"

namespace xcore::tokenizer {

// "" when `model` can be encoded on a GPU, else why not.
std::string encode_cuda_unsupported(const Model& model);

// From this many bytes on `auto` takes the GPU: where an H200 passes 16 cores, between 4 MiB (gpt2) and 32 MiB (llama3);
// bench/results/bpe-gpu.md. The first batch of a tokenizer also pays for its tables and buffers, 0.2 to 0.3 s.
inline constexpr size_t kEncodeCudaPays = size_t{32} << 20;

struct EncodeCudaOptions {
  uint32_t chunk = 3u << 20;  // bytes of text a chunk
  int workers = 16;           // threads at most; also limited by the threads of the pool
  int depth = 2;              // chunks that a worker has under way at once
};

// The tables of one tokenizer on one device and the memory of its chunks, kept between batches.
// Device memory: tables of 15 to 35 MB, and 24 bytes a byte of the chunks under way: 2.4 GB with the default options and
// 16 threads. Page-locked memory: 6.2 bytes a byte, 0.6 GB. Used from any thread; batches take turns.
class CudaBatchEncoder {
 public:
  // Throws XC_UNSUPPORTED for a model that cannot be encoded there, XC_DEVICE_* and XC_OUT_OF_MEMORY. The tokenizer
  // must outlive the encoder.
  CudaBatchEncoder(const Tokenizer& tokenizer, int device, EncodeCudaOptions options = {});
  ~CudaBatchEncoder();

  struct Stats {
    size_t texts_on_cpu = 0;  // parts that the CPU encoded
    size_t bytes_on_cpu = 0;
    // Seconds of all workers together: copying texts into page-locked memory; waiting for the device; encoding on the
    // CPU; waiting for the ids; waiting for the chunks before to be counted; copying the ids to their place.
    double sending = 0, device = 0, cpu = 0, receiving = 0, order = 0, placing = 0;
  };
  void encode(const xc_text* texts, size_t count, uint32_t flags, const Control& control, EncodedBatch& out, Stats* stats = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xcore::tokenizer
