#include "te/network/columns/columns.hpp"

#include <algorithm>

#include "runtime/thread_pool.hpp"

namespace xcore::te {

Columns embed_all(const double* values, int32_t variables, int64_t samples, const xc_te_options& o) {
  const auto shape = embedding_shape(samples, o);
  Columns c;
  c.variables = c.targets = variables;
  c.n = shape.tuples;
  c.first = shape.first;
  c.past_dims = o.target_history;
  c.source_dims = o.source_history;
  c.future.resize(static_cast<size_t>(variables) * c.n);
  c.past.resize(static_cast<size_t>(variables) * c.past_dims * c.n);
  c.source.resize(static_cast<size_t>(variables) * c.source_dims * c.n);
  c.constant.resize(variables);
  thread_pool().parallel_for(variables, 1, [&](int64_t begin, int64_t end) {
    for (int64_t v = begin; v < end; ++v) {
      const xc_te_series one{values + v * samples, 1, 0};
      const Embedding e = embed(one, one, {nullptr, 0, 0}, samples, o);
      std::copy(e.future.values.begin(), e.future.values.end(), c.future.begin() + v * c.n);
      std::copy(e.past.values.begin(), e.past.values.end(), c.past.begin() + v * c.past_dims * c.n);
      std::copy(e.source.values.begin(), e.source.values.end(), c.source.begin() + v * c.source_dims * c.n);
      c.constant[v] = e.source_constant;
    }
  });
  return c;
}

}  // namespace xcore::te
