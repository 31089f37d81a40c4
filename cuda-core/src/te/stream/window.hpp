// The newest samples of all variables, contiguous in time for each: a buffer of twice the window that is moved down when
// it is full.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "xcore/te.h"

namespace xcore::te {

class SampleWindow {
 public:
  SampleWindow(int32_t variables, int64_t window)
      : variables_(variables), window_(window), capacity_(2 * window), values_(static_cast<size_t>(variables) * capacity_) {}

  void push(const double* sample_of_each, int64_t stride) {
    if (end_ == capacity_) {
      for (int32_t v = 0; v < variables_; ++v)
        std::memmove(row(v), row(v) + capacity_ - window_, static_cast<size_t>(window_) * sizeof(double));
      end_ = window_;
    }
    for (int32_t v = 0; v < variables_; ++v) row(v)[end_] = sample_of_each[v * stride];
    ++end_;
    ++seen_;
  }
  int64_t seen() const { return seen_; }
  bool full() const { return seen_ >= window_; }
  // Sample `back` before the newest one; 0 is the newest.
  double at(int32_t v, int64_t back) const { return values_[v * capacity_ + end_ - 1 - back]; }
  // The window of each variable, laid out like xc_te_series.
  std::vector<double> copy() const {
    std::vector<double> out;
    for (int32_t v = 0; v < variables_; ++v) {
      const double* x = values_.data() + v * capacity_ + end_ - window_;
      out.insert(out.end(), x, x + window_);
    }
    return out;
  }
  bool constant() const {
    for (int32_t v = 0; v < variables_; ++v)
      for (int64_t back = 1; back < window_; ++back)
        if (at(v, back) != at(v, 0)) return false;
    return true;
  }
  int32_t variables() const { return variables_; }

 private:
  double* row(int32_t v) { return values_.data() + v * capacity_; }
  int32_t variables_;
  int64_t window_, capacity_, end_ = 0, seen_ = 0;
  std::vector<double> values_;
};

}  // namespace xcore::te
