// Couplings and fields as small integers, for the kernels that count in integers.
#pragma once

#include "thermo/ising/model/model.hpp"

namespace xcore::thermo::ising {

struct IntegerModel {
  int32_t n = 0;
  std::vector<int64_t> offsets;
  std::vector<int32_t> neighbours;
  std::vector<int32_t> couplings;  // 0 where a weight was rounded away
  std::vector<int32_t> fields;
  double unit = 1;     // energy of one
  bool exact = true;   // couplings * unit are the model's own
};

// The unit of which all weights are whole multiples with quotients up to `largest`; 0 when there is none.
double exact_unit(const Model& model, int32_t largest);

// The exact integers when the weights are whole multiples of a common unit with quotients up to `largest`; otherwise
// weights rounded to the largest weight / `largest` (for a heuristic that compares in the true weights afterwards).
IntegerModel to_integers(const Model& model, int32_t largest);

}  // namespace xcore::thermo::ising
