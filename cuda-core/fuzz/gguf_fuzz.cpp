// Any bytes as a GGUF file: parsing and loading give a model or an Error, and never touch what is not there. The bytes
// that a model refers to are read once, so that the sanitizer sees a weight that lies outside.
#include <cstdint>
#include <cstdlib>

#include "llm/model.hpp"

using namespace xcore;

static uint32_t sum_of(const llm::Matrix& m) {
  uint32_t sum = 0;
  for (uint64_t i = 0; i < static_cast<uint64_t>(m.rows) * m.row_bytes; ++i) sum += m.data[i];
  return sum;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  volatile uint32_t sum = 0;
  std::shared_ptr<const gguf::File> file;
  try {
    file = gguf::File::from_bytes(data, size);
    for (const gguf::Tensor& t : file->tensors()) {
      if (t.data < data || t.bytes > size || static_cast<size_t>(t.data - data) > size - t.bytes) std::abort();
      if (file->find_tensor(t.name) != &t) std::abort();
    }
  } catch (const Error& e) {
    if (e.status != XC_INVALID_FORMAT && e.status != XC_UNSUPPORTED) std::abort();
    return 0;
  }
  try {
    const auto model = llm::load_model(file);
    sum = sum + sum_of(model->embedding) + sum_of(model->output);
    for (const llm::Layer& l : model->layers)
      for (const llm::Matrix* m : {&l.q, &l.k, &l.v, &l.output, &l.gate, &l.up, &l.down}) sum = sum + sum_of(*m);
    float norms = 0;
    for (int32_t i = 0; i < model->width; ++i) norms += model->output_norm[i] + model->layers[0].attention_norm[i];
    sum = sum + (norms > 0);
  } catch (const Error& e) {
    if (e.status != XC_INVALID_FORMAT && e.status != XC_UNSUPPORTED) std::abort();
  }
  return 0;
}
