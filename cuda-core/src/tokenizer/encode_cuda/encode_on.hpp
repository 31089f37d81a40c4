// Batches where the caller, or the size of the batch, wants them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "tokenizer/encode_cuda/encode_cuda.hpp"

namespace xcore::tokenizer {

// The encoders of one tokenizer, one a device, made when first needed. From any thread.
class CudaEncoders {
 public:
  CudaBatchEncoder& on(int device, const Tokenizer& tokenizer);

 private:
  std::mutex mutex_;
  std::map<int, std::unique_ptr<CudaBatchEncoder>> encoders_;
};

// Encodes on the GPU or calls `cpu`, which then fills `out`; says where it was. auto takes the GPU for batches of
// kEncodeCudaPays bytes and more of models that it can do. Throws XC_UNSUPPORTED when cuda is asked for by name and the
// model is none of those.
xc_device encode_batch_on(const Tokenizer& tokenizer, CudaEncoders& encoders, xc_device requested, const xc_text* texts, size_t count,
                          uint32_t flags, const Control& control, EncodedBatch& out, const std::function<void()>& cpu);

}  // namespace xcore::tokenizer
