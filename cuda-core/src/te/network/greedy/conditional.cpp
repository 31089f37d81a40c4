#include "te/network/greedy/conditional.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/thread_pool.hpp"
#include "te/network/ksg/ksg_pairs.hpp"

namespace xcore::te {
namespace {

class ConditionalKsg final : public Conditional {
 public:
  ConditionalKsg(const LaggedColumns& columns, const std::vector<int32_t>& permutations, int32_t k, int32_t theiler, int device)
      : c_(columns), permutations_(permutations), k_(k), theiler_(theiler), device_(device) {}

  Informations operator()(const double* future, const std::vector<std::vector<int32_t>>& candidates, const std::vector<int32_t>& given,
                          bool surrogates, const Control& control) const override {
    Columns one;
    one.variables = static_cast<int32_t>(candidates.size());
    one.targets = 1;
    one.same = false;
    one.n = c_.n;
    one.past_dims = static_cast<int32_t>(given.size());
    one.source_dims = static_cast<int32_t>(candidates[0].size());
    one.future.assign(future, future + c_.n);
    for (const int32_t column : given) one.past.insert(one.past.end(), c_.column(column), c_.column(column) + c_.n);
    one.source.reserve(candidates.size() * candidates[0].size() * c_.n);
    for (const auto& candidate : candidates) {
      bool varies = false;
      for (const int32_t column : candidate) {
        const double* x = c_.column(column);
        one.source.insert(one.source.end(), x, x + c_.n);
        varies = varies || std::any_of(x, x + c_.n, [&](double v) { return v != x[0]; });
      }
      one.constant.push_back(!varies);
    }
    const int32_t count = surrogates ? static_cast<int32_t>(static_cast<int64_t>(permutations_.size()) / c_.n) : 0;
    const KsgPairsProblem problem{&one, k_, theiler_, permutations_.data(), count};
    std::unique_ptr<Pairs> pairs;
#if XCORE_CUDA
    if (device_ >= 0) pairs = ksg_pairs_cuda(device_, problem, false);
#endif
    if (!pairs) pairs = ksg_pairs_cpu(problem);
    Informations out;
    out.value.resize(candidates.size());
    pairs->prepare(0, 1, control);
    pairs->originals(out.value.data(), control);
    if (count > 0) {
      std::vector<Pair> all;
      for (int32_t m = 0; m < one.variables; ++m) all.push_back({m, 0});
      out.surrogates.resize(candidates.size() * count);
      pairs->surrogates(all.data(), one.variables, 0, count, out.surrogates.data(), control);
    }
    return out;
  }

 private:
  const LaggedColumns& c_;
  const std::vector<int32_t>& permutations_;
  const int32_t k_, theiler_;
  const int device_;
};

double dot(const double* a, const double* b, int64_t n) {
  double sum[8] = {};
  int64_t t = 0;
  for (; t + 8 <= n; t += 8)
    for (int l = 0; l < 8; ++l) sum[l] += a[t + l] * b[t + l];
  for (; t < n; ++t) sum[0] += a[t] * b[t];
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

// Partial correlations by an orthonormal basis of (1, Z).
class ConditionalGaussian final : public Conditional {
 public:
  ConditionalGaussian(const LaggedColumns& columns, const std::vector<int32_t>& permutations) : c_(columns), permutations_(permutations) {}

  Informations operator()(const double* future, const std::vector<std::vector<int32_t>>& candidates, const std::vector<int32_t>& given,
                          bool surrogates, const Control& control) const override {
    const int64_t n = c_.n;
    std::vector<std::vector<double>> basis;
    std::vector<double> x(n, 1.0);
    extend(basis, x);
    for (const int32_t column : given) {
      x.assign(c_.column(column), c_.column(column) + n);
      extend(basis, x);
    }
    std::vector<double> f(future, future + n);
    const double whole = dot(f.data(), f.data(), n);
    project_out(basis, f);
    const double left = dot(f.data(), f.data(), n);
    const int32_t count = surrogates ? static_cast<int32_t>(static_cast<int64_t>(permutations_.size()) / n) : 0;
    Informations out;
    out.value.assign(candidates.size(), 0.0);
    out.surrogates.assign(candidates.size() * count, 0.0);
    if (!(left > 1e-12 * whole)) return out;  // Z says it all
    thread_pool().parallel_for(static_cast<int64_t>(candidates.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t m = begin; m < end; ++m) {
        control.throw_if_cancelled();
        out.value[m] = information(basis, f, left, candidates[m], nullptr);
        for (int32_t s = 0; s < count; ++s)
          out.surrogates[m * count + s] = information(basis, f, left, candidates[m], permutations_.data() + s * n);
      }
    });
    return out;
  }

 private:
  using Basis = std::vector<std::vector<double>>;

  void project_out(const Basis& basis, std::vector<double>& x) const {
    for (const auto& q : basis) {
      const double along = dot(q.data(), x.data(), c_.n);
      for (int64_t t = 0; t < c_.n; ++t) x[t] -= along * q[t];
    }
  }
  // Adds what x has beyond the basis; a column that the basis explains adds nothing.
  void extend(Basis& basis, std::vector<double>& x) const {
    const double whole = dot(x.data(), x.data(), c_.n);
    project_out(basis, x);
    project_out(basis, x);  // twice is enough (W. Kahan)
    const double left = dot(x.data(), x.data(), c_.n);
    if (!(left > 1e-12 * whole) || !(whole > 0)) return;
    for (double& v : x) v /= std::sqrt(left);
    basis.push_back(x);
  }
  double information(const Basis& basis, const std::vector<double>& f, double left, const std::vector<int32_t>& candidate,
                     const int32_t* permutation) const {
    Basis own = candidate.size() > 1 ? basis : Basis();
    std::vector<double> x(c_.n);
    double explained = 0;
    for (const int32_t column : candidate) {
      const double* from = c_.column(column);
      for (int64_t t = 0; t < c_.n; ++t) x[t] = from[permutation ? permutation[t] : t];
      const Basis& use = candidate.size() > 1 ? own : basis;
      const double whole = dot(x.data(), x.data(), c_.n);
      project_out(use, x);
      const double rest = dot(x.data(), x.data(), c_.n);
      if (!(rest > 1e-12 * whole) || !(whole > 0)) continue;
      const double along = dot(x.data(), f.data(), c_.n);
      explained += along * along / rest;
      if (candidate.size() > 1) {
        for (double& v : x) v /= std::sqrt(rest);
        own.push_back(x);
      }
    }
    return -0.5 * std::log1p(-std::min(explained / left, 1 - 1e-15));
  }

  const LaggedColumns& c_;
  const std::vector<int32_t>& permutations_;
};

}  // namespace

std::unique_ptr<Conditional> conditional_ksg(const LaggedColumns& columns, const std::vector<int32_t>& permutations, int32_t k,
                                             int32_t theiler, int device) {
  return std::make_unique<ConditionalKsg>(columns, permutations, k, theiler, device);
}
std::unique_ptr<Conditional> conditional_gaussian(const LaggedColumns& columns, const std::vector<int32_t>& permutations) {
  return std::make_unique<ConditionalGaussian>(columns, permutations);
}

}  // namespace xcore::te
