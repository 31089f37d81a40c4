// Conditional information I(F; C | Z) of many candidates C given one F and Z, with surrogates; what greedy inference asks for.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/control.hpp"

namespace xcore::te {

// The lagged columns of all variables over one range of tuples: column c is values[c * n .. (c + 1) * n), mean 0, and
// deviation 1 unless constant.
struct LaggedColumns {
  int64_t n = 0;
  std::vector<double> values;
  const double* column(int32_t c) const { return values.data() + c * n; }
};

struct Informations {
  std::vector<double> value;       // of each candidate, nats
  std::vector<double> surrogates;  // [candidate][surrogates]
};

class Conditional {
 public:
  virtual ~Conditional() = default;
  // Candidates are sets of columns of equal size; `given` is not empty. Surrogates permute a candidate's rows together.
  virtual Informations operator()(const double* future, const std::vector<std::vector<int32_t>>& candidates,
                                  const std::vector<int32_t>& given, bool surrogates, const Control& control) const = 0;
};

// permutations: [count][n]. device < 0: the CPU.
std::unique_ptr<Conditional> conditional_ksg(const LaggedColumns& columns, const std::vector<int32_t>& permutations, int32_t k,
                                             int32_t theiler, int device);
std::unique_ptr<Conditional> conditional_gaussian(const LaggedColumns& columns, const std::vector<int32_t>& permutations);

}  // namespace xcore::te
