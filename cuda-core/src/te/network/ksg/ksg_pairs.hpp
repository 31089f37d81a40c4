// KSG transfer entropy (algorithm 1, see te/ksg/ksg.hpp) of many pairs that share targets.
//
// What depends on the target alone is done once and serves every source and every surrogate: for each tuple i the list of
// its nearest tuples by D_Y(i,j) = max(|F_i - F_j|, |P_i - P_j|), ascending. A source then walks that list, keeps the k
// least of max(D_Y, |S_i - S_j|) and stops where D_Y reaches the k-th: no tuple behind can be nearer. This is exact; the
// mean walk is 29 steps instead of 1000 samples. The stop is n_FP; n_P is a range of ranks of P, found by a table of cells;
// n_SP counts the tuples in a range of P and in one of S, by tables on a GPU, 32 at a time on a CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "te/network/pairs.hpp"

namespace xcore::te {

struct KsgPairsProblem {
  const Columns* columns = nullptr;
  int32_t k = 4;
  int32_t theiler = 0;
  // surrogate rows: permutation s is permutations[s * n .. (s + 1) * n); source tuple i becomes permutation[i]
  const int32_t* permutations = nullptr;
  int32_t surrogates = 0;
};

// The definition: ksg_counts_ref of every pair.
std::unique_ptr<Pairs> ksg_pairs_ref(const KsgPairsProblem& problem);
// fp64; equal to the definition to the last bit of the counts. Deterministic on any number of threads.
std::unique_ptr<Pairs> ksg_pairs_cpu(const KsgPairsProblem& problem);

inline constexpr int32_t kKsgPairsCudaMaxK = 32;
inline constexpr int32_t kKsgPairsCudaMaxDims = 16;  // of P and of S
// `single`: distances in fp32, and again in fp64 where rounding could decide a comparison; else fp64. Counts are those of the
// definition either way; values differ from it by the fixed point of their sums, 1e-12.
std::unique_ptr<Pairs> ksg_pairs_cuda(int device, const KsgPairsProblem& problem, bool single);

}  // namespace xcore::te
