#include "thermo/assignment/rounding.hpp"

#include <algorithm>
#include <cmath>

namespace xcore::thermo {
namespace {

class Rounding {
 public:
  Rounding(const ReducedModel& reduced, const std::function<bool()>& stop)
      : reduced_(reduced), m_(*reduced.model), stop_(stop), agent_of_(m_.jobs, 0), used_(m_.rows, 0) {
    for (int j = 0; j < m_.jobs; ++j) {
      for (int i = 1; i < m_.agents; ++i)
        if (reduced_.reduced_of(i)[j] < reduced_.reduced_of(agent_of_[j])[j]) agent_of_[j] = i;
      for (int s = 0; s < m_.layers; ++s) used_[m_.row(s, agent_of_[j])] += m_.use_of(s, j, agent_of_[j]);
    }
  }

  std::vector<int32_t> run() {
    mend();
    for (int pass = 0; pass < 4 && improve() && !stop_(); ++pass) {
    }
    return std::move(agent_of_);
  }

 private:
  double excess(int r, double used) const {
    return used > m_.limit[r] + AssignmentModel::slack_of(m_.limit[r]) ? (used - m_.limit[r]) / std::max(m_.limit[r], 1.0) : 0;
  }
  // Change of the sum of excesses when a job moves.
  double excess_change(int j, int to) const {
    const int from = agent_of_[j];
    double change = 0;
    for (int s = 0; s < m_.layers; ++s) {
      const int p = m_.row(s, from), q = m_.row(s, to);
      const double out = m_.use_of(s, j, from), in = m_.use_of(s, j, to);
      if (p == q) {
        change += excess(p, used_[p] - out + in) - excess(p, used_[p]);
      } else {
        change += excess(p, used_[p] - out) - excess(p, used_[p]) + excess(q, used_[q] + in) - excess(q, used_[q]);
      }
    }
    return change;
  }
  void move(int j, int to) {
    for (int s = 0; s < m_.layers; ++s) {
      used_[m_.row(s, agent_of_[j])] -= m_.use_of(s, j, agent_of_[j]);
      used_[m_.row(s, to)] += m_.use_of(s, j, to);
    }
    agent_of_[j] = to;
  }

  // Every job's move of the best price per excess mended, all of a round in order of price: ties of thousands of equal
  // jobs are settled in one round.
  void mend() {
    struct Move {
      double price;
      int job, to;
    };
    std::vector<Move> moves;
    for (int round = 0; round < 200 && !stop_(); ++round) {
      moves.clear();
      for (int j = 0; j < m_.jobs; ++j) {
        const int from = agent_of_[j];
        bool concerned = false;
        for (int s = 0; s < m_.layers && !concerned; ++s) concerned = excess(m_.row(s, from), used_[m_.row(s, from)]) > 0;
        if (!concerned) continue;
        Move best{1e300, j, -1};
        for (int i = 0; i < m_.agents; ++i) {
          if (i == from || reduced_.reduced_of(i)[j] >= ReducedModel::kForbidden) continue;
          const double change = excess_change(j, i);
          if (change >= -1e-12) continue;
          const double price = (reduced_.reduced_of(i)[j] - reduced_.reduced_of(from)[j]) / -change;
          if (price < best.price) best.price = price, best.to = i;
        }
        if (best.to >= 0) moves.push_back(best);
      }
      if (moves.empty()) return;
      std::stable_sort(moves.begin(), moves.end(), [](const Move& a, const Move& b) { return a.price < b.price; });
      bool any = false;
      for (const Move& move_ : moves) {
        const double change = excess_change(move_.job, move_.to);
        if (change >= -1e-12) continue;
        const double price = (reduced_.reduced_of(move_.to)[move_.job] - reduced_.reduced_of(agent_of_[move_.job])[move_.job]) / -change;
        // What others did may have made this move much worse than it was: then it waits for the next round.
        if (any && price > 1.5 * move_.price + 1e-12) continue;
        move(move_.job, move_.to);
        any = true;
      }
    }
  }

  bool improve() {
    bool any = false;
    for (int j = 0; j < m_.jobs; ++j) {
      const double* cost = m_.costs_of(j);
      int best = -1;
      for (int i = 0; i < m_.agents; ++i)
        if (cost[i] < cost[best < 0 ? agent_of_[j] : best] && excess_change(j, i) <= 0) best = i;
      if (best >= 0) {
        move(j, best);
        any = true;
      }
    }
    return any;
  }

  const ReducedModel& reduced_;
  const AssignmentModel& m_;
  const std::function<bool()>& stop_;
  std::vector<int32_t> agent_of_;
  std::vector<double> used_;
};

}  // namespace

std::vector<int32_t> round_relaxation(const ReducedModel& reduced, const std::function<bool()>& stop) {
  return Rounding(reduced, stop).run();
}

}  // namespace xcore::thermo
