#include "te/binned/binned.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/thread_pool.hpp"
#include "te/estimate/estimator.hpp"
#include "te/gaussian/gaussian.hpp"

namespace xcore::te {
namespace {

// Numbers 0..count-1 in the place of arbitrary codes, equal where those are equal.
struct Labels {
  Scratch<int32_t> of;  // tuple -> label
  int64_t count = 1;
};

// The pairs (a, b) numbered anew.
Labels joined(const int32_t* a, int64_t a_count, const int32_t* b, int64_t b_count, int64_t n) {
  Labels out;
  out.of.resize(n);
  const int64_t cells = a_count * b_count;
  if (cells <= std::max<int64_t>(4096, 4 * n)) {
    Scratch<int32_t> number(cells, -1);
    int32_t next = 0;
    for (int64_t i = 0; i < n; ++i) {
      int32_t& label = number[static_cast<int64_t>(a[i]) * b_count + b[i]];
      if (label < 0) label = next++;
      out.of[i] = label;
    }
    out.count = next;
  } else {
    Scratch<std::pair<int64_t, int32_t>> codes(n);
    for (int64_t i = 0; i < n; ++i) codes[i] = {static_cast<int64_t>(a[i]) * b_count + b[i], static_cast<int32_t>(i)};
    std::sort(codes.begin(), codes.end());
    int32_t next = -1;
    for (int64_t r = 0; r < n; ++r) {
      if (r == 0 || codes[r].first != codes[r - 1].first) ++next;
      out.of[codes[r].second] = next;
    }
    out.count = next + 1;
  }
  return out;
}

Labels labels_of(const double* columns, int32_t dims, int64_t n, int32_t bins) {
  Labels out;
  out.of.assign(n, 0);
  Scratch<int32_t> symbols(n);
  for (int32_t c = 0; c < dims; ++c) {
    for (int64_t i = 0; i < n; ++i) symbols[i] = static_cast<int32_t>(columns[c * n + i]);
    out = joined(out.of.data(), out.count, symbols.data(), bins, n);
  }
  return out;
}

std::vector<int32_t> occupancy(const Labels& labels) {
  std::vector<int32_t> count(labels.count, 0);
  for (const int32_t label : labels.of) ++count[label];
  return count;
}

class Binned : public Estimator {
 public:
  Binned(const Embedding& e, const xc_te_options& o)
      : n_(e.n), bins_(o.bins), source_dims_(e.source.dims), correct_(o.bias_correction != 0),
        past_(labels_of(e.past.values.data(), e.past.dims, n_, bins_)),
        source_(labels_of(e.source.values.data(), e.source.dims, n_, bins_)), logs_(n_ + 1) {
    const Labels future = labels_of(e.future.values.data(), e.future.dims, n_, bins_);
    future_past_ = joined(past_.of.data(), past_.count, future.of.data(), future.count, n_);
    past_count_ = occupancy(past_), future_past_count_ = occupancy(future_past_);
    freedom_ = (std::pow(bins_, e.source.dims) - 1) * (std::pow(bins_, e.future.dims) - 1) * std::pow(bins_, e.past.dims);
    for (int64_t c = 1; c <= n_; ++c) logs_[c] = std::log(static_cast<double>(c));
  }
  double value(double* locals, const Control&) const override { return of(source_.of.data(), source_.count, locals, nullptr); }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    thread_pool().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      Scratch<int32_t> drawn(n_);
      for (int64_t s = begin; s < end; ++s) {
        control.throw_if_cancelled();
        for (int64_t i = 0; i < n_; ++i) drawn[i] = source_.of[rows[s * n_ + i]];
        out[s] = of(drawn.data(), source_.count, nullptr, nullptr);
      }
    });
  }
  double with_source(const double* columns, const Control&) const override {
    const Labels other = labels_of(columns, source_dims_, n_, bins_);
    return of(other.of.data(), other.count, nullptr, nullptr);
  }
  double analytic_p(double te) const override {
    double bias = 0;
    if (correct_) of(source_.of.data(), source_.count, nullptr, &bias);
    return chi_squared_tail(2.0 * static_cast<double>(n_) * (te + bias), freedom_);
  }

 private:
  double of(const int32_t* source, int64_t source_count, double* locals, double* bias_out) const {
    const Labels source_past = joined(past_.of.data(), past_.count, source, source_count, n_);
    const Labels all = joined(future_past_.of.data(), future_past_.count, source, source_count, n_);
    const auto sp = occupancy(source_past), sfp = occupancy(all);
    const double n = static_cast<double>(n_);
    const double bias = !correct_ ? 0 : static_cast<double>(all.count + past_.count - source_past.count - future_past_.count) / (2 * n);
    if (bias_out) *bias_out = bias;
    double sum = 0;
    for (int64_t i = 0; i < n_; ++i) {
      const double local = logs_[sfp[all.of[i]]] + logs_[past_count_[past_.of[i]]] - logs_[sp[source_past.of[i]]] -
                           logs_[future_past_count_[future_past_.of[i]]];
      sum += local;
      if (locals) locals[i] = local - bias;
    }
    return sum / n - bias;
  }

  int64_t n_;
  int32_t bins_, source_dims_;
  bool correct_;
  Labels past_, source_, future_past_;
  std::vector<int32_t> past_count_, future_past_count_;
  Scratch<double> logs_;
  double freedom_ = 0;
};

}  // namespace

Scratch<double> binned_series(const xc_te_series& series, int64_t samples, const xc_te_options& o) {
  Scratch<double> out(static_cast<size_t>(series.variables) * samples, 0.0);
  Scratch<double> there;
  for (int32_t v = 0; v < series.variables; ++v) {
    const double* x = series.values + v * samples;
    double* symbol = out.data() + v * samples;
    there.clear();
    for (int64_t i = 0; i < samples; ++i)
      if (!o.valid || o.valid[i]) there.push_back(x[i]);
    if (there.empty()) continue;
    std::vector<double> cuts;
    double low = 0, width = 0;
    if (o.binning == XC_TE_EQUAL_FREQUENCY) {
      std::sort(there.begin(), there.end());
      const int64_t n = static_cast<int64_t>(there.size());
      for (int64_t b = 0; b < o.bins; ++b) cuts.push_back(there[std::max<int64_t>(0, (b + 1) * n / o.bins - 1)]);
    } else {
      const auto ends = std::minmax_element(there.begin(), there.end());
      low = *ends.first;
      // In halves: the range of finite values may overflow.
      width = (*ends.second / 2 - low / 2) / o.bins * 2;
    }
    for (int64_t i = 0; i < samples; ++i) {
      if (o.valid && !o.valid[i]) continue;
      if (!cuts.empty()) symbol[i] = static_cast<double>(std::lower_bound(cuts.begin(), cuts.end(), x[i]) - cuts.begin());
      else if (width > 0 && std::isfinite(width)) symbol[i] = std::min(std::floor((x[i] - low) / width), static_cast<double>(o.bins - 1));
      else if (width > 0) symbol[i] = std::min(std::floor((x[i] / 2 - low / 2) / (width / 2)), static_cast<double>(o.bins - 1));
      if (!(symbol[i] >= 0 && symbol[i] < o.bins)) symbol[i] = symbol[i] < 0 ? 0 : o.bins - 1;
    }
  }
  return out;
}

std::unique_ptr<Estimator> make_binned(const Embedding& e, const xc_te_options& o) { return std::make_unique<Binned>(e, o); }

}  // namespace xcore::te
