// Cancellation and progress of one long call.
#pragma once

#include "runtime/error.hpp"

namespace xcore {

class Control {
 public:
  Control() = default;
  explicit Control(const xc_control* control) : control_(control) {}

  bool cancelled() const {
    return control_ && control_->cancel && __atomic_load_n(control_->cancel, __ATOMIC_RELAXED) != 0;
  }
  void throw_if_cancelled() const {
    if (cancelled()) throw Error(XC_CANCELLED, "the call was cancelled by its caller");
  }
  void progress(double done, double total) const {
    if (control_ && control_->progress) control_->progress(control_->user, done, total);
  }

 private:
  const xc_control* control_ = nullptr;
};

}  // namespace xcore
