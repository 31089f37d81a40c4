// The neighbour counts of the Kraskov-Stoegbauer-Grassberger estimator, algorithm 1, for a conditional mutual
// information I(S;F|P), and the transfer entropy they give.
//
// A. Kraskov, H. Stoegbauer, P. Grassberger, "Estimating mutual information", Phys. Rev. E 69, 066138 (2004);
// conditional form: S. Frenzel, B. Pompe, Phys. Rev. Lett. 99, 204101 (2007); as transfer entropy: M. Wibral et al.,
// "Transfer entropy in magnetoencephalographic data" (2011).
//
// For tuple i let d_ij be the maximum norm over all columns of S, F and P, over all j with |i - j| > theiler (so never
// i itself), and eps_i the k-th smallest d_ij. With strict <, over the same j:
//   n_P  = #(|P| < eps),   n_SP = #(|P| < eps and |S| < eps),   n_FP = #(|P| < eps and |F| < eps)
//   TE = psi(k) + mean_i [ psi(n_P + 1) - psi(n_SP + 1) - psi(n_FP + 1) ]     (nats; may be negative)
//
// Distances are fp64 everywhere: counts are equal on all backends, and so is TE to the last bit.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/control.hpp"

namespace xcore::te {

struct KsgProblem {
  int64_t n = 0;
  const double* future = nullptr;  // column-major, n rows
  const double* past = nullptr;
  const double* source = nullptr;
  int32_t future_dims = 0, past_dims = 0, source_dims = 0;  // past_dims >= 1
  int32_t k = 4;
  int32_t theiler = 0;  // n > k + 2 theiler, so every tuple has k neighbours
};

struct KsgCounts {
  int32_t past, source_past, future_past;
  friend bool operator==(const KsgCounts& a, const KsgCounts& b) {
    return a.past == b.past && a.source_past == b.source_past && a.future_past == b.future_past;
  }
};

// psi(1..n) by its recurrence; element m is psi(m), element 0 is unused.
std::vector<double> digamma_table(int64_t n);

// The mean above. `locals`, when not NULL, takes the n summands, psi(k) included.
double ksg_value(const KsgCounts* counts, int64_t n, int32_t k, const std::vector<double>& psi, double* locals);

// Counts with the source rows permuted: tuple i has the source of tuple permutation[i]; NULL leaves them.
void ksg_counts_ref(const KsgProblem& problem, const int32_t* permutation, KsgCounts* out);

// On the CPU: tuples sorted by one column of P, so that neighbours and counts lie in a window around each tuple, which
// vector instructions scan. O(n w) with the window w ~ n^(2/3) for three columns. One preparation serves the
// estimate and all surrogates, since they leave P and F alone.
class KsgCpu {
 public:
  explicit KsgCpu(const KsgProblem& problem);
  // From any thread, also concurrently. Deterministic: each count depends on the data alone.
  void counts(const int32_t* permutation, KsgCounts* out, const Control& control) const;

 private:
  KsgProblem problem_;
  std::vector<int32_t> order_;   // rank -> tuple
  std::vector<int32_t> rank_of_;
  std::vector<double> columns_;  // P (the sorted column first), then F, in order of rank
};

inline constexpr int32_t kKsgCudaMaxK = 32;
inline constexpr int32_t kKsgCudaMaxDims = 32;
// All `count` permutations (NULL pointer in `permutations`: the identity, count = 1) in few launches; brute force in
// tiles of shared memory. out: count x n. Throws XC_UNSUPPORTED beyond the limits above.
void ksg_counts_cuda(int device, const KsgProblem& problem, const int32_t* permutations, int64_t count, KsgCounts* out,
                     const Control& control);

}  // namespace xcore::te
