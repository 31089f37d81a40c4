#include <algorithm>
#include <cmath>

#include "runtime/device.hpp"
#include "runtime/thread_pool.hpp"
#include "te/kernel/kernel.hpp"
#include "te/ksg/ranked_column.hpp"

namespace xcore::te {
namespace {

constexpr int64_t kGrain = 64;
constexpr int64_t kBatch = 256;

// One byte for each j of a batch: whether all columns lie within their widths. Written so that the compiler makes vectors.
void mark(const Scratch<double>& columns, int64_t n, const std::vector<double>& widths, int64_t own, int64_t begin, int64_t count,
          uint8_t* in) {
  for (size_t c = 0; c < widths.size(); ++c) {
    const double* x = columns.data() + static_cast<int64_t>(c) * n + begin;
    const double at = columns[static_cast<int64_t>(c) * n + own], width = widths[c];
    for (int64_t j = 0; j < count; ++j) in[j] = static_cast<uint8_t>(in[j] & static_cast<uint8_t>(std::fabs(x[j] - at) <= width));
  }
}

Scratch<double> gathered(const std::vector<const double*>& columns, int64_t n, const Scratch<int32_t>& order, const int32_t* permutation) {
  Scratch<double> out(columns.size() * static_cast<size_t>(n));
  for (size_t c = 0; c < columns.size(); ++c)
    for (int64_t r = 0; r < n; ++r) out[c * n + r] = columns[c][permutation ? permutation[order[r]] : order[r]];
  return out;
}

class KernelOnCpu : public Estimator {
 public:
  explicit KernelOnCpu(KernelProblem problem) : problem_(std::move(problem)) {}
  double value(double* locals, const Control& control) const override { return of(problem_, nullptr, locals, control); }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    thread_pool().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t s = begin; s < end; ++s) out[s] = of(problem_, rows + s * problem_.n, nullptr, control);
    });
  }
  double with_source(const double* columns, const Control& control) const override {
    KernelProblem other = problem_;
    for (size_t c = 0; c < other.source.size(); ++c) other.source[c] = columns + static_cast<int64_t>(c) * other.n;
    return of(other, nullptr, nullptr, control);
  }

 private:
  static double of(const KernelProblem& p, const int32_t* rows, double* locals, const Control& control) {
    Scratch<KernelCounts> counts(p.n);
    kernel_counts_cpu(p, rows, counts.data(), control);
    return kernel_value(counts.data(), p.n, locals);
  }
  KernelProblem problem_;
};

#if XCORE_CUDA
class KernelOnCuda : public Estimator {
 public:
  KernelOnCuda(KernelProblem problem, int device) : problem_(std::move(problem)), device_(device) {}
  double value(double* locals, const Control& control) const override {
    Scratch<KernelCounts> counts(problem_.n);
    kernel_counts_cuda(device_, problem_, nullptr, 1, counts.data(), control);
    return kernel_value(counts.data(), problem_.n, locals);
  }
  void permuted(const int32_t* rows, int64_t count, double* out, const Control& control) const override {
    Scratch<KernelCounts> counts(static_cast<size_t>(count) * problem_.n);
    kernel_counts_cuda(device_, problem_, rows, count, counts.data(), control);
    for (int64_t s = 0; s < count; ++s) out[s] = kernel_value(counts.data() + s * problem_.n, problem_.n, nullptr);
  }
  double with_source(const double* columns, const Control& control) const override {
    KernelProblem other = problem_;
    for (size_t c = 0; c < other.source.size(); ++c) other.source[c] = columns + static_cast<int64_t>(c) * other.n;
    return KernelOnCuda(std::move(other), device_).value(nullptr, control);
  }
  xc_device device() const override { return cuda_device(device_); }

 private:
  KernelProblem problem_;
  int device_;
};
#endif

}  // namespace

void kernel_counts_cpu(const KernelProblem& p, const int32_t* permutation, KernelCounts* out, const Control& control) {
  const int64_t n = p.n;
  // Sorted by the first column of P; without P by the first of F, whose width then bounds nothing but F.
  const bool conditional = !p.past.empty();
  RankedColumn<double> key;
  rank_column(conditional ? p.past[0] : p.future[0], n, key);
  const auto past = gathered(p.past, n, key.order, nullptr), future = gathered(p.future, n, key.order, nullptr),
             source = gathered(p.source, n, key.order, permutation);
  thread_pool().parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    uint8_t in_past[kBatch], in_future[kBatch], in_source[kBatch];
    for (int64_t r = begin; r < end; ++r) {
      if (r % kGrain == 0) control.throw_if_cancelled();
      const int32_t i = key.order[r];
      int64_t low = 0, high = n;
      if (conditional) {
        const double at = key.sorted[r], width = p.past_width[0];
        low = std::partition_point(key.sorted.begin(), key.sorted.begin() + r, [&](double v) { return !(at - v <= width); }) - key.sorted.begin();
        high = std::partition_point(key.sorted.begin() + r, key.sorted.end(), [&](double v) { return v - at <= width; }) - key.sorted.begin();
      }
      KernelCounts c{0, 0, 0, 0};
      for (int64_t j = low; j < high; j += kBatch) {
        const int64_t count = std::min(kBatch, high - j);
        std::fill_n(in_past, count, uint8_t{1});
        mark(past, n, p.past_width, r, j, count, in_past);
        std::copy_n(in_past, count, in_future);
        std::copy_n(in_past, count, in_source);
        mark(future, n, p.future_width, r, j, count, in_future);
        mark(source, n, p.source_width, r, j, count, in_source);
        int32_t np = 0, nf = 0, ns = 0, all = 0;
        for (int64_t q = 0; q < count; ++q) np += in_past[q], nf += in_future[q], ns += in_source[q], all += in_future[q] & in_source[q];
        c.past += np, c.future_past += nf, c.source_past += ns, c.all += all;
      }
      if (p.theiler > 0) {
        const auto time = [&](int64_t t) { return p.time ? p.time[t] : static_cast<int32_t>(t); };
        const auto take_out = [&](int64_t t) {
          const int64_t j = key.rank[t];
          uint8_t np = 1;
          mark(past, n, p.past_width, r, j, 1, &np);
          uint8_t nf = np, ns = np;
          mark(future, n, p.future_width, r, j, 1, &nf);
          mark(source, n, p.source_width, r, j, 1, &ns);
          c.past -= np, c.future_past -= nf, c.source_past -= ns, c.all -= nf & ns;
        };
        for (int64_t t = i - 1; t >= 0 && time(i) - time(t) <= p.theiler; --t) take_out(t);
        for (int64_t t = i + 1; t < n && time(t) - time(i) <= p.theiler; ++t) take_out(t);
      }
      out[i] = c;
    }
  });
}

std::unique_ptr<Estimator> make_kernel(const Embedding& e, const xc_te_options& o) {
  return std::make_unique<KernelOnCpu>(kernel_problem(e, o));
}
#if XCORE_CUDA
std::unique_ptr<Estimator> make_kernel_cuda(const Embedding& e, const xc_te_options& o, int device) {
  return std::make_unique<KernelOnCuda>(kernel_problem(e, o), device);
}
#endif

}  // namespace xcore::te
