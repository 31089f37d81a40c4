// One step of an ejection chain: all jobs at once as candidates to fill the gap that the chain left at an agent.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xcore::thermo {

// One layer of rows as a chain step sees it. `slack`, `left` and `over` are per agent for a resource; a budget has one
// row, at [0], and gathers with stride 0.
struct ChainLayer {
  const double* use_here;      // [jobs] use of each job at the agent with the gap
  const double* use_now;       // [jobs] use of each job where it is
  const double* use_in_hand;   // [agents] use of the job in hand at every agent
  const double* slack;         // [agents or 1]
  const double* left;          // [agents or 1] price of a unit that is left
  const double* over;          // [agents or 1] price of a unit above, with the search's factor
  bool budget;
};
struct ChainStep {
  int32_t jobs, agents, here;   // `here` is the agent with the gap
  int32_t layers;
  const ChainLayer* layer;
  const double* reduced_here;     // [jobs]
  const double* reduced_now;      // [jobs]
  const double* reduced_in_hand;  // [agents]
  const double* barred;           // [jobs] added to both scores: 0, or large for jobs that must stay
  const int32_t* agent_of;        // [jobs]
  // [jobs] changes of energy. closed: fill the gap and put the job in hand where the filler came from. open: fill the
  // gap and go on, the new gap's rows left out of the account (before and after): what the chain has gained for good.
  double *open, *closed;
};

// Both scores of all jobs; returns the job of the least closed score, the first of equals. jobs is at least 1.
int32_t chain_step_portable(const ChainStep& step);
int32_t chain_step_avx2(const ChainStep& step);
int32_t chain_step_avx512(const ChainStep& step);

}  // namespace xcore::thermo
