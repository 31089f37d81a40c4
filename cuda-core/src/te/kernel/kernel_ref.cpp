#include <cmath>
#include <cstdlib>

#include "te/kernel/kernel.hpp"

namespace xcore::te {
namespace {

double width_of(const double* x, int64_t n, const xc_te_options& o) {
  if (!o.normalise) return o.kernel_width;
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  return o.kernel_width * std::sqrt(squares / static_cast<double>(n - 1));
}

bool near(const std::vector<const double*>& columns, const std::vector<double>& widths, int64_t i, int64_t j) {
  for (size_t c = 0; c < columns.size(); ++c)
    if (!(std::fabs(columns[c][i] - columns[c][j]) <= widths[c])) return false;
  return true;
}

}  // namespace

KernelProblem kernel_problem(const Embedding& e, const xc_te_options& o) {
  KernelProblem p;
  p.n = e.n, p.time = e.times(), p.theiler = o.theiler;
  const auto take = [&](const Block& block, std::vector<const double*>& columns, std::vector<double>& widths) {
    for (int32_t c = 0; c < block.dims; ++c) {
      columns.push_back(block.values.data() + c * e.n);
      widths.push_back(width_of(columns.back(), e.n, o));
    }
  };
  take(e.past, p.past, p.past_width);
  take(e.future, p.future, p.future_width);
  take(e.source, p.source, p.source_width);
  if (!p.past.empty()) p.future_width.assign(p.future.size(), p.past_width[0]);
  return p;
}

double kernel_value(const KernelCounts* counts, int64_t n, double* locals) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const KernelCounts& c = counts[i];
    const double local = std::log((static_cast<double>(c.all) / c.source_past) / (static_cast<double>(c.future_past) / c.past));
    sum += local;
    if (locals) locals[i] = local;
  }
  return sum / static_cast<double>(n);
}

void kernel_counts_ref(const KernelProblem& p, const int32_t* permutation, KernelCounts* out) {
  for (int64_t i = 0; i < p.n; ++i) {
    KernelCounts c{0, 0, 0, 0};
    for (int64_t j = 0; j < p.n; ++j) {
      const int64_t apart = p.time ? std::llabs(int64_t{p.time[i]} - p.time[j]) : std::llabs(i - j);
      if ((j != i && apart <= p.theiler) || !near(p.past, p.past_width, i, j)) continue;
      const bool f = near(p.future, p.future_width, i, j);
      const bool s = near(p.source, p.source_width, permutation ? permutation[i] : i, permutation ? permutation[j] : j);
      ++c.past, c.future_past += f, c.source_past += s, c.all += f && s;
    }
    out[i] = c;
  }
}

}  // namespace xcore::te
