#include "llm/engine.hpp"

#include <algorithm>

namespace xcore::llm {

Engine::Engine(std::shared_ptr<const Model> model, xc_device requested, int32_t default_context,
               std::shared_ptr<Executor> executor, MakeExecutor make_cpu)
    : model_(std::move(model)),
      requested_(requested),
      default_context_(std::min(model_->context_length, kDefaultContext)),
      make_cpu_(std::move(make_cpu)),
      preferred_(std::move(executor)) {
  default_context_ = checked_capacity(default_context);
  if (preferred_->device().kind == XC_DEVICE_CPU) cpu_ = preferred_;
}

static std::unique_ptr<Executor> make_on_gpu(std::shared_ptr<const Model> model, int device) {
#if XCORE_CUDA
  return make_cuda_executor(std::move(model), device);
#else
  static_cast<void>(model);
  throw error(XC_DEVICE_UNAVAILABLE, "device", -1, "cuda:%d cannot be used: this core was built without CUDA", device);
#endif
}

std::shared_ptr<Engine> Engine::open(const std::string& path, xc_device requested, int32_t default_context,
                                     const Control& control) {
  // An impossible device is told before a large file is read.
  if (requested.kind != XC_DEVICE_AUTO) resolve_device(requested, true, "llm.load");
  control.throw_if_cancelled();
  double bytes = 0;
  auto model = naming_file(path, [&] {
    auto file = gguf::File::open(path);
    bytes = static_cast<double>(file->size_bytes());
    control.progress(0, bytes);
    return load_model(std::move(file));
  });
  control.throw_if_cancelled();
  std::shared_ptr<Executor> executor = run_on(
      requested, model->weight_bytes() >= kGpuPaysBytes, "llm.load",
      [&](int device) { return make_on_gpu(model, device); }, [&] { return make_cpu_executor(model); });
  control.throw_if_cancelled();
  auto engine = std::make_shared<Engine>(std::move(model), requested, default_context, std::move(executor));
  control.progress(bytes, bytes);
  return engine;
}

int32_t Engine::checked_capacity(int32_t wanted) const {
  if (wanted == 0) return default_context_;
  if (wanted < 0 || wanted > model_->context_length)
    throw invalid_argument("contextSize", "contextSize is %d; this model's context holds 1 to %d tokens", wanted,
                           model_->context_length);
  return wanted;
}

void Engine::check_ids(const int32_t* ids, int32_t count, const char* field) const {
  if (count < 1) throw invalid_argument(field, "%s is empty; at least one token is needed", field);
  for (int32_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || ids[i] >= model_->vocabulary)
      throw invalid_argument(field, "%s[%d] is %d; this model's token ids are 0 to %d", field, i, ids[i],
                             model_->vocabulary - 1);
  }
}

std::shared_ptr<Executor> Engine::executor() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return preferred_;
}

std::shared_ptr<Executor> Engine::fall_back(const Executor& failed, const Error& error) {
  const bool device_fault = error.status == XC_OUT_OF_MEMORY || error.status == XC_DEVICE_FAILED ||
                            error.status == XC_DEVICE_UNAVAILABLE;
  if (requested_.kind != XC_DEVICE_AUTO || failed.device().kind == XC_DEVICE_CPU || !device_fault) return nullptr;
  trace::emit_fallback("llm.forward", failed.device(), error.what());
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!cpu_) cpu_ = make_cpu_(model_);
  if (error.status != XC_OUT_OF_MEMORY) preferred_ = cpu_;
  return cpu_;
}

void Engine::logits(const int32_t* ids, int32_t count, float* out, const Control& control) {
  check_ids(ids, count, "ids");
  if (count > model_->context_length)
    throw error(XC_LIMIT_EXCEEDED, "ids", -1, "%d tokens were passed; this model's context holds %d", count,
                model_->context_length);
  for (auto executor = this->executor();;) {
    try {
      executor->forward(*executor->create_sequence(count), ids, count, Logits::all, out, control);
      return;
    } catch (const Error& e) {
      auto next = fall_back(*executor, e);
      if (!next) throw;
      executor = std::move(next);
    }
  }
}

}  // namespace xcore::llm
