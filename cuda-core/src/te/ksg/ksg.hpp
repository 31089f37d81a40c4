// The neighbour counts of the Kraskov-Stoegbauer-Grassberger estimators for a conditional mutual information I(S;F|P),
// and the value they give. A transfer entropy is one with S = the source's past, F = the target's next value, P = the
// target's past; without any column of P it is a mutual information I(S;F).
//
// A. Kraskov, H. Stoegbauer, P. Grassberger, "Estimating mutual information", Phys. Rev. E 69, 066138 (2004);
// conditional form: S. Frenzel, B. Pompe, Phys. Rev. Lett. 99, 204101 (2007); as transfer entropy: M. Wibral et al.,
// "Transfer entropy in magnetoencephalographic data" (2011).
//
// For tuple i let d_ij be the maximum norm over all columns of S, F and P, over the allowed j: those with
// |time_i - time_j| > theiler (so never i itself). eps_i is the k-th smallest d_ij.
//
// Algorithm 1, with strict < over the allowed j:
//   n_P  = #(|P| < eps),   n_SP = #(|P| < eps and |S| < eps),   n_FP = #(|P| < eps and |F| < eps)
//   I = psi(k) + mean_i [ psi(n_P + 1) - psi(n_SP + 1) - psi(n_FP + 1) ]
// Algorithm 2: eps_S, eps_F, eps_P are the largest |S|, |F|, |P| among the k nearest j (of several at exactly eps_i the
// earliest tuples are taken); counts with <=, each block within its own radius:
//   I = psi(k) - 2/k + mean_i [ psi(n_P) - psi(n_SP) - psi(n_FP) + 1/n_SP + 1/n_FP ]
// Without P: n_P = n - 1 (algorithm 1) or n (algorithm 2), and algorithm 2 has -1/k and no terms 1/n.
// All in nats; the estimate is corrected for its bias and may be negative.
//
// Distances are fp64 everywhere, or fp32 everywhere when asked for (columns are centred in fp64 first): counts are
// equal on all backends of one precision, and so is the value to the last bit.
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
  int32_t future_dims = 0, past_dims = 0, source_dims = 0;  // past_dims 0: mutual information
  int32_t k = 4;
  int32_t theiler = 0;            // every tuple must have k allowed neighbours: n > k + 2 theiler suffices
  const int32_t* time = nullptr;  // ascending, of each tuple; NULL: its index. Series that must not meet lie > theiler apart
  int32_t algorithm = 1;          // 1 or 2
  bool single = false;            // distances in fp32
};

struct KsgCounts {
  int32_t past, source_past, future_past;
  friend bool operator==(const KsgCounts& a, const KsgCounts& b) {
    return a.past == b.past && a.source_past == b.source_past && a.future_past == b.future_past;
  }
};

// psi(1..n) by its recurrence; element m is psi(m), element 0 is unused.
std::vector<double> digamma_table(int64_t n);

// The mean above, of the problem's algorithm. `locals`, when not NULL, takes the n summands, constants included.
double ksg_value(const KsgProblem& problem, const KsgCounts* counts, const std::vector<double>& psi, double* locals);

// Counts with the source rows permuted: tuple i has the source of tuple permutation[i]; NULL leaves them.
void ksg_counts_ref(const KsgProblem& problem, const int32_t* permutation, KsgCounts* out);

inline constexpr int32_t kKsgCudaMaxK = 32;
inline constexpr int32_t kKsgCudaMaxDims = 32;
// All `count` permutations (NULL pointer in `permutations`: the identity, count = 1) in few launches; brute force in
// tiles of shared memory. out: count x n. Throws XC_UNSUPPORTED beyond the limits above.
void ksg_counts_cuda(int device, const KsgProblem& problem, const int32_t* permutations, int64_t count, KsgCounts* out,
                     const Control& control);

}  // namespace xcore::te
