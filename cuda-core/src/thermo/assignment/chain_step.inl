// The loops of chain_step, compiled once per instruction set. No fused products (-ffp-contract=off) and no sums across
// jobs: all instruction sets give the same bits.
#include <algorithm>

#include "thermo/assignment/chain_step.hpp"

namespace xcore::thermo {
namespace {

inline double row_energy(double slack, double left, double over) { return std::max(left * slack, -over * slack); }

// The first of the least scores.
[[maybe_unused]] inline int32_t least(const double* score, int32_t n) {
  // Four strands hide the latency of the comparisons.
  double best[4];
  int32_t at[4];
  for (int k = 0; k < 4; ++k) best[k] = 1e300, at[k] = 0;
  int32_t j = 0;
  for (; j + 4 <= n; j += 4)
    for (int k = 0; k < 4; ++k)
      if (score[j + k] < best[k]) best[k] = score[j + k], at[k] = j + k;
  for (; j < n; ++j)
    if (score[j] < best[0]) best[0] = score[j], at[0] = j;
  int which = 0;
  for (int k = 1; k < 4; ++k)
    if (best[k] < best[which] || (best[k] == best[which] && at[k] < at[which])) which = k;
  return at[which];
}

[[maybe_unused]] int32_t chain_step(const ChainStep& c) {
  const int32_t n = c.jobs;
  double *__restrict open = c.open, *__restrict closed = c.closed;
  for (int32_t j = 0; j < n; ++j) {
    const double move = c.reduced_here[j] - c.reduced_now[j] + c.barred[j] + (c.agent_of[j] == c.here ? 1e30 : 0.0);
    open[j] = move;
    closed[j] = move + c.reduced_in_hand[c.agent_of[j]];
  }
  for (int32_t s = 0; s < c.layers; ++s) {
    const ChainLayer& l = c.layer[s];
    const double *__restrict here = l.use_here, *__restrict now = l.use_now;
    if (l.budget) {
      const double slack = l.slack[0], left = l.left[0], over = l.over[0], before = row_energy(slack, left, over);
      for (int32_t j = 0; j < n; ++j) {
        const double after = slack - here[j] + now[j];
        open[j] += row_energy(after, left, over) - before;
        closed[j] += row_energy(after - l.use_in_hand[c.agent_of[j]], left, over) - before;
      }
    } else {
      const double slack = l.slack[c.here], left = l.left[c.here], over = l.over[c.here];
      const double before = row_energy(slack, left, over);
      for (int32_t j = 0; j < n; ++j) {
        const int32_t i = c.agent_of[j];
        const double fill = row_energy(slack - here[j], left, over) - before;
        const double there = l.slack[i], left_there = l.left[i], over_there = l.over[i];
        const double there_before = row_energy(there, left_there, over_there);
        open[j] += fill - there_before;
        closed[j] += fill + row_energy(there + now[j] - l.use_in_hand[i], left_there, over_there) - there_before;
      }
    }
  }
  return least(closed, n);
}

}  // namespace
}  // namespace xcore::thermo
