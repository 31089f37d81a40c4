// Stands for encode_cuda.cu in a build without CUDA.
#if !XCORE_CUDA
#include "runtime/device.hpp"
#include "tokenizer/encode_cuda/encode_cuda.hpp"
#include "tokenizer/encode_cuda/tables.hpp"

namespace xcore::tokenizer {

struct CudaBatchEncoder::Impl {};

std::string encode_cuda_unsupported(const Model& model) { return gpu::unsupported(model); }

CudaBatchEncoder::CudaBatchEncoder(const Tokenizer&, int device, EncodeCudaOptions) {
  throw error(XC_DEVICE_UNAVAILABLE, "device", -1, "cuda:%d cannot be used: %s", device, cuda_unavailable_reason().c_str());
}
CudaBatchEncoder::~CudaBatchEncoder() = default;
void CudaBatchEncoder::encode(const xc_text*, size_t, uint32_t, const Control&, EncodedBatch&, Stats*) {}

}  // namespace xcore::tokenizer
#endif
