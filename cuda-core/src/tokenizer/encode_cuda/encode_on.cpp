#include "tokenizer/encode_cuda/encode_on.hpp"

#include "runtime/device.hpp"

namespace xcore::tokenizer {

CudaBatchEncoder& CudaEncoders::on(int device, const Tokenizer& tokenizer) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& encoder = encoders_[device];
  if (!encoder) encoder = std::make_unique<CudaBatchEncoder>(tokenizer, device);
  return *encoder;
}

xc_device encode_batch_on(const Tokenizer& tokenizer, CudaEncoders& encoders, xc_device requested, const xc_text* texts, size_t count,
                          uint32_t flags, const Control& control, EncodedBatch& out, const std::function<void()>& cpu) {
  bool pays = false;
  if (requested.kind == XC_DEVICE_CUDA) {
    const std::string why_not = encode_cuda_unsupported(tokenizer.model());
    if (!why_not.empty()) throw Error(XC_UNSUPPORTED, "device 'cuda' cannot encode with this tokenizer: " + why_not, "device");
  } else if (requested.kind == XC_DEVICE_AUTO) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; ++i) bytes += texts[i].size;
    pays = bytes >= kEncodeCudaPays && encode_cuda_unsupported(tokenizer.model()).empty();
  }
  return run_on(
      requested, pays, "tokenizer.encode_batch",
      [&](int device) {
        encoders.on(device, tokenizer).encode(texts, count, flags, control, out);
        return cuda_device(device);
      },
      [&] {
        cpu();
        return kCpu;
      });
}

}  // namespace xcore::tokenizer
