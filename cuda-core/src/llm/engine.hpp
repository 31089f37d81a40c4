// A model that can be asked: its weights, and the executors that compute with them.
//
// The engine applies the project's device rule to something that lives longer than one call: the executor of an `auto`
// model may fail in the middle of a conversation, and the conversation then goes on with the CPU's. Sessions ask
// `executor()` when they start and `fall_back()` when a step failed.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "llm/executor.hpp"

namespace xcore::llm {

// Weights from which `auto` takes a GPU. Below it a CPU decodes a token in some ten milliseconds, while the first use
// of a GPU costs a context (about 0.3 s and several hundred MB of device memory) and every token some hundred launches:
// a reply of usual length is over before that has paid.
inline constexpr uint64_t kGpuPaysBytes = 256ull << 20;

// Capacity of a session when nobody asked: models made for 128 k positions would want some 16 GB of keys and values.
inline constexpr int32_t kDefaultContext = 4096;

using MakeExecutor = std::function<std::unique_ptr<Executor>(std::shared_ptr<const Model>)>;

class Engine {
 public:
  // Maps and checks the file and prepares an executor by the device rule. default_context: 0 for the model's own.
  static std::shared_ptr<Engine> open(const std::string& path, xc_device requested, int32_t default_context,
                                      const Control& control);
  // `executor` runs new sequences; `make_cpu` is called when it fails and `requested` was auto.
  Engine(std::shared_ptr<const Model> model, xc_device requested, int32_t default_context,
         std::shared_ptr<Executor> executor, MakeExecutor make_cpu = make_cpu_executor);

  const Model& model() const { return *model_; }
  int32_t default_context() const { return default_context_; }
  // Capacity of a session that asks for `wanted` positions (0: the default).
  int32_t checked_capacity(int32_t wanted) const;
  void check_ids(const int32_t* ids, int32_t count, const char* field) const;

  // Where new sequences should live.
  std::shared_ptr<Executor> executor();
  // Called inside a catch: the executor to go on with, or nullptr when the error is the caller's to see. Running out of
  // memory moves the one sequence; a failed device moves all that start later.
  std::shared_ptr<Executor> fall_back(const Executor& failed, const Error& error);

  // out[count][vocabulary]
  void logits(const int32_t* ids, int32_t count, float* out, const Control& control);

 private:
  std::shared_ptr<const Model> model_;
  xc_device requested_;
  int32_t default_context_;
  MakeExecutor make_cpu_;
  std::mutex mutex_;
  std::shared_ptr<Executor> cpu_;
  std::shared_ptr<Executor> preferred_;
};

}  // namespace xcore::llm
