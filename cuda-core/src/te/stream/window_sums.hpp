// What a sliding window keeps of its tuples: a new tuple takes the slot of the oldest, `n` slots in all.
#pragma once

#include <memory>
#include <vector>

#include "te/embedding/embedding.hpp"

namespace xcore::te {

struct Blocks {
  int32_t past, source, future;  // columns of each, in this order
  int32_t total() const { return past + source + future; }
};

class WindowSums {
 public:
  virtual ~WindowSums() = default;
  // All tuples anew, oldest first; columns: total x n.
  virtual void fill(const double* columns) = 0;
  // The oldest tuple leaves, this one (total values) comes.
  virtual void slide(const double* tuple) = 0;
  virtual double value() const = 0;
};

std::unique_ptr<WindowSums> make_ksg_window(int64_t n, const Blocks& blocks, const xc_te_options& options);
std::unique_ptr<WindowSums> make_gaussian_window(int64_t n, const Blocks& blocks, const xc_te_options& options);
// Columns of symbols 0..bins-1. NULL when the cells have no 63-bit numbers.
std::unique_ptr<WindowSums> make_binned_window(int64_t n, const Blocks& blocks, const xc_te_options& options);

}  // namespace xcore::te
