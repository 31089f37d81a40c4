#include "thermo/assignment/ejection_search.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/cpu_features.hpp"

namespace xcore::thermo {
namespace {

constexpr int kDepth = 7;  // fills of one chain
constexpr int kBreadthMost = 8;
constexpr int kBreadth[kDepth] = {8, 5, 3, 2, 2, 1, 1};
constexpr size_t kPool = 12, kFirst = 5;
constexpr int kCycle = 6000;  // hops of a cycle
constexpr double kHot = 0.25, kCold = 0.1;  // temperatures of a cycle, in typical second best reduced costs
constexpr int kHops = 64;     // between looks at the clock and at the price of excess

int32_t chain_step(const ChainStep& step) {
#if defined(__x86_64__)
  static const CpuLevel level = cpu_features().level;
  if (level >= CpuLevel::avx512) return chain_step_avx512(step);
  if (level >= CpuLevel::avx2) return chain_step_avx2(step);
#endif
  return chain_step_portable(step);
}

bool better(const Elite& a, const Elite& b) {
  return a.violation != b.violation ? a.violation < b.violation : a.cost < b.cost;
}

}  // namespace

void ElitePool::offer(const AssignmentModel& model, const std::vector<int32_t>& agent_of) {
  const Evaluation e = evaluate(model, agent_of.data());
  Elite elite{agent_of, e.cost, e.violation};
  if (elites_.size() == capacity_ && !better(elite, elites_.back())) return;
  for (const Elite& other : elites_)
    if (other.cost == elite.cost && other.agent_of == elite.agent_of) return;
  elites_.insert(std::upper_bound(elites_.begin(), elites_.end(), elite, better), std::move(elite));
  if (elites_.size() > capacity_) elites_.pop_back();
}

EjectionSearch::EjectionSearch(const ReducedModel& reduced, uint64_t seed, int number)
    : reduced_(reduced), m_(*reduced.model), seed_(seed), number_(number), pool_(kPool), random_(seed, number),
      agent_of_(m_.jobs), order_(m_.jobs), touched_(m_.agents, 0), slack_(m_.rows), over_(m_.rows), reduced_now_(m_.jobs),
      use_now_(static_cast<size_t>(m_.layers) * m_.jobs), reduced_in_hand_(m_.agents),
      use_in_hand_(static_cast<size_t>(m_.layers) * m_.agents), barred_(m_.jobs, 0),
      open_(static_cast<size_t>(kDepth) * m_.jobs), closed_(m_.jobs), layers_(m_.layers) {
  std::iota(order_.begin(), order_.end(), 0);
  price();
  for (int s = 0; s < m_.layers; ++s) {
    const int r = m_.row(s, 0);
    layers_[s] = {nullptr, &use_now_[static_cast<size_t>(s) * m_.jobs], &use_in_hand_[static_cast<size_t>(s) * m_.agents],
                  &slack_[r], &reduced_.left[r], &over_[r], s >= m_.resources};
  }
}

void EjectionSearch::price() {
  for (int r = 0; r < m_.rows; ++r) over_[r] = factor_ * reduced_.over[r];
}

void EjectionSearch::load(const std::vector<int32_t>& agent_of) {
  slack_ = reduced_.limit;
  for (int j = 0; j < m_.jobs; ++j) {
    const int i = agent_of_[j] = agent_of[j];
    reduced_now_[j] = reduced_.reduced_of(i)[j];
    for (int s = 0; s < m_.layers; ++s) {
      const double u = reduced_.use_of(s, i)[j];
      use_now_[static_cast<size_t>(s) * m_.jobs + j] = u;
      slack_[m_.row(s, i)] -= u;
    }
  }
}

void EjectionSearch::move(int j, int to) {
  const int from = agent_of_[j];
  log_.push_back({j, from});
  for (int s = 0; s < m_.layers; ++s) {
    double& now = use_now_[static_cast<size_t>(s) * m_.jobs + j];
    slack_[m_.row(s, from)] += now;
    now = reduced_.use_of(s, to)[j];
    slack_[m_.row(s, to)] -= now;
  }
  agent_of_[j] = to;
  reduced_now_[j] = reduced_.reduced_of(to)[j];
}

// Change of energy when the job in hand goes to this agent.
double EjectionSearch::insertion(int i) const {
  double delta = reduced_in_hand_[i];
  for (int s = 0; s < m_.layers; ++s) {
    const int r = m_.row(s, i);
    delta += row(r, slack_[r] - use_in_hand_[static_cast<size_t>(s) * m_.agents + i]) - row(r, slack_[r]);
  }
  return delta;
}

bool EjectionSearch::feasible() const {
  for (int r = 0; r < m_.rows; ++r)
    if (slack_[r] < -AssignmentModel::slack_of(m_.limit[r])) return false;
  return true;
}

// Looks for chains that start by taking `job` in hand; carries out the first that lowers the energy.
//
// A chain goes on only while what it gained for good, the gap's rows left out, is a gain: every improving cycle has a
// job to start from where this holds at each step (S. Lin, B. Kernighan, Operations Research 21, 1973). Near a good
// solution few jobs fit a gap so closely, so that a deep and fairly wide tree of chains is cheap.
bool EjectionSearch::improve_from(int job) {
  const int home = agent_of_[job];
  double energy = -reduced_now_[job], gain = energy;
  for (int s = 0; s < m_.layers; ++s) {
    const int r = m_.row(s, home);
    const double before = row(r, slack_[r]), after = row(r, slack_[r] + use_now_[static_cast<size_t>(s) * m_.jobs + job]);
    energy += after - before;
    gain += (s < m_.resources ? 0 : after) - before;
  }
  work_ += m_.agents;
  if (gain >= enough()) return false;
  const size_t logged = log_.size();
  for (int i = 0; i < m_.agents; ++i) reduced_in_hand_[i] = reduced_.reduced_of(i)[job];
  for (int s = 0; s < m_.layers; ++s) {
    for (int i = 0; i < m_.agents; ++i) use_in_hand_[static_cast<size_t>(s) * m_.agents + i] = reduced_.use_of(s, i)[job];
    slack_[m_.row(s, home)] += use_now_[static_cast<size_t>(s) * m_.jobs + job];
  }
  barred_[job] = 1e30;
  target_ = -1;
  const bool found = extend(job, home, energy, 0);
  barred_[job] = 0;
  // The job in hand goes down: where the chain closed, or home.
  for (int s = 0; s < m_.layers; ++s) slack_[m_.row(s, home)] -= use_now_[static_cast<size_t>(s) * m_.jobs + job];
  if (found) {
    move(job, target_);
    touch(home);
    for (size_t k = logged; k < log_.size(); ++k) touch(agent_of_[log_[k].first]);
  } else {
    log_.resize(logged);  // what was tried was taken back
  }
  return found;
}

// `energy` is that of the solution without the job in hand, relative to the solution the chain started from.
bool EjectionSearch::extend(int job, int gap, double energy, int depth) {
  double best = enough();
  for (int i = 0; i < m_.agents; ++i) {
    const double total = energy + insertion(i);
    if (total < best && i != agent_of_[job]) best = total, target_ = i;
  }
  if (best < enough()) return true;
  if (depth == kDepth) return false;
  double* open = &open_[static_cast<size_t>(depth) * m_.jobs];
  for (int s = 0; s < m_.layers; ++s) layers_[s].use_here = reduced_.use_of(s, gap);
  const ChainStep step{m_.jobs, m_.agents, gap, m_.layers, layers_.data(), reduced_.reduced_of(gap), reduced_now_.data(),
                       reduced_in_hand_.data(), barred_.data(), agent_of_.data(), open, closed_.data()};
  const int closing = chain_step(step);
  work_ += m_.jobs;
  if (energy + closed_[closing] < enough()) {
    target_ = agent_of_[closing];
    move(closing, gap);
    return true;
  }
  // The best few that leave a gain, best first.
  int best_jobs[kBreadthMost], count = 0;
  const double threshold = enough() - energy;
  for (int j = 0; j < m_.jobs; ++j) {
    if (!(open[j] < threshold)) continue;
    if (count == kBreadth[depth] && !(open[j] < open[best_jobs[count - 1]])) continue;
    int at = count < kBreadth[depth] ? count++ : count - 1;
    for (; at > 0 && open[j] < open[best_jobs[at - 1]]; --at) best_jobs[at] = best_jobs[at - 1];
    best_jobs[at] = j;
  }
  for (int k = 0; k < count; ++k) {
    const int next = best_jobs[k];
    const double gain = energy + open[next];
    const int came_from = agent_of_[next];
    double with_gap = gain;
    for (int s = 0; s < m_.resources; ++s) {
      const int r = m_.row(s, came_from);
      with_gap += row(r, slack_[r] + use_now_[static_cast<size_t>(s) * m_.jobs + next]);
    }
    move(next, gap);
    barred_[next] = 1e30;
    const bool found = extend(job, came_from, with_gap, depth + 1);
    barred_[next] = 0;
    if (found) return true;
    move(next, came_from);
  }
  return false;
}

void EjectionSearch::descend(const std::function<bool()>& stop) {
  for (int i = m_.jobs - 1; i > 0; --i) std::swap(order_[i], order_[random_.below(i + 1)]);
  int since = 0, polled = 0;
  for (int at = 0; since < m_.jobs; at = at + 1 == m_.jobs ? 0 : at + 1) {
    since = improve_from(order_[at]) ? 0 : since + 1;
    if (++polled % 2 == 0 && (work_ > 4 * work_limit_ || stop())) return;
  }
}

// Walks from the current solution towards another by this share of their distance, the cheapest of a few next.
void EjectionSearch::relink(const std::vector<int32_t>& target, double share) {
  std::vector<int32_t> differing;
  for (int j = 0; j < m_.jobs; ++j)
    if (agent_of_[j] != target[j]) differing.push_back(j);
  const auto delta = [&](int j) {
    const int from = agent_of_[j], to = target[j];
    double d = reduced_.reduced_of(to)[j] - reduced_now_[j];
    for (int s = 0; s < m_.layers; ++s) {
      const double u = use_now_[static_cast<size_t>(s) * m_.jobs + j], v = reduced_.use_of(s, to)[j];
      const int p = m_.row(s, from), q = m_.row(s, to);
      if (p == q) {
        d += row(p, slack_[p] + u - v) - row(p, slack_[p]);
      } else {
        d += row(p, slack_[p] + u) - row(p, slack_[p]) + row(q, slack_[q] - v) - row(q, slack_[q]);
      }
    }
    return d;
  };
  for (int left = static_cast<int>(std::ceil(share * differing.size())); left > 0 && !differing.empty(); --left) {
    size_t best = 0;
    double least = 1e300;
    for (size_t k = 0; k < differing.size(); ++k) {
      const double d = delta(differing[k]);
      if (d < least) least = d, best = k;
    }
    work_ += static_cast<int64_t>(differing.size());
    move(differing[best], target[differing[best]]);
    differing[best] = differing.back();
    differing.pop_back();
  }
}

void EjectionSearch::shake(int moves) {
  log_.clear();
  for (int k = 0; k < moves; ++k) {
    const int j = random_.below(m_.jobs);
    // Of a few random agents the one of least reduced cost.
    int best = -1;
    for (int t = 0; t < 3; ++t) {
      const int i = random_.below(m_.agents);
      if (i == agent_of_[j] || reduced_.reduced_of(i)[j] >= ReducedModel::kForbidden) continue;
      if (best < 0 || reduced_.reduced_of(i)[j] < reduced_.reduced_of(best)[j]) best = i;
    }
    if (best >= 0) move(j, best);
  }
}

double EjectionSearch::energy() const {
  double e = 0;
  for (int j = 0; j < m_.jobs; ++j) e += reduced_now_[j];
  for (int r = 0; r < m_.rows; ++r) e += row(r, slack_[r]);
  return e;
}

// Chains from all agents that were touched, until none improves.
void EjectionSearch::settle(const std::function<bool()>& stop) {
  for (bool any = true; any && work_ <= 4 * work_limit_;) {
    any = false;
    order_.clear();
    for (int j = 0; j < m_.jobs; ++j)
      if (touched_[agent_of_[j]]) order_.push_back(j);
    std::fill(touched_.begin(), touched_.end(), 0);
    for (int k = static_cast<int>(order_.size()) - 1; k > 0; --k) std::swap(order_[k], order_[random_.below(k + 1)]);
    for (const int j : order_) {
      const int64_t before = work_;
      any = improve_from(j) || any;
      // A start that was given up at once costs less than a look at the clock.
      if (work_ > 4 * work_limit_ || (work_ - before > 4 * m_.jobs && stop())) break;
    }
    work_ += m_.jobs / 4;
  }
  std::fill(touched_.begin(), touched_.end(), 0);
}

void EjectionSearch::hop(double temperature, const std::function<bool()>& stop) {
  log_.clear();
  for (int k = 1 + random_.below(3); k > 0; --k) {
    const int j = random_.below(m_.jobs);
    int best = -1;
    for (int t = 0; t < 3; ++t) {
      const int i = random_.below(m_.agents);
      if (i == agent_of_[j] || reduced_.reduced_of(i)[j] >= ReducedModel::kForbidden) continue;
      if (best < 0 || reduced_.reduced_of(i)[j] < reduced_.reduced_of(best)[j]) best = i;
    }
    if (best < 0) continue;
    touch(agent_of_[j]);
    touch(best);
    move(j, best);
  }
  settle(stop);
  work_ += m_.jobs;
  const double next = energy();
  const bool fits = feasible();
  feasible_hops_ += fits;
  if (fits && next < best_energy_ + enough()) {
    best_energy_ = next;
    cycle_best_ = agent_of_;
  }
  if (next <= energy_ || random_.uniform() < std::exp((energy_ - next) / temperature)) {
    energy_ = next;
    return;
  }
  for (size_t k = log_.size(); k-- > 0;) {
    const auto [job, from] = log_[k];
    move(job, from);
    log_.pop_back();
  }
}

void EjectionSearch::run(int64_t round, int64_t work, const std::function<bool()>& stop) {
  random_ = FastRandom(seed_, static_cast<uint64_t>(round) * 256 + static_cast<uint64_t>(number_));
  work_ = 0;
  work_limit_ = work;
  price();
  std::vector<int32_t> start(m_.jobs);
  while (work_ < work && !stop()) {
    const auto& elites = pool_.elites();
    if (elites.size() < kFirst || elites.front().violation > 0) {
      first_solutions(start, stop);
      continue;
    }
    if (cycle_at_ < 0 || cycle_at_ >= kCycle) {
      if (cycle_at_ > 0 && best_energy_ < 1e299) pool_.offer(m_, cycle_best_);
      const int a = random_.below(static_cast<int32_t>(elites.size()));
      int b = random_.below(static_cast<int32_t>(elites.size()) - 1);
      if (b >= a) ++b;
      load(elites[a].agent_of);
      relink(elites[b].agent_of, 0.1 + 0.5 * random_.uniform());
      std::fill(touched_.begin(), touched_.end(), 1);
      log_.clear();
      settle(stop);
      energy_ = energy();
      best_energy_ = 1e300;
      cycle_at_ = 0;
    }
    // Sums drift by rounding, and the price of excess has changed.
    start = agent_of_;
    load(start);
    price();
    energy_ = energy();
    if (best_energy_ < 1e299 && cycle_at_ == 0) best_energy_ = 1e300;
    const double hot = kHot * reduced_.typical, cold = kCold * reduced_.typical;
    feasible_hops_ = 0;
    int done = 0;
    for (; done < kHops && work_ < work && !stop(); ++done, ++cycle_at_)
      hop(hot * std::pow(cold / hot, std::min(1.0, cycle_at_ / (0.9 * kCycle))), stop);
    if (done > 8) factor_ = std::clamp(feasible_hops_ < 0.3 * done ? factor_ * 1.05 : feasible_hops_ > 0.6 * done ? factor_ * 0.97 : factor_, 0.5, 1e4);
  }
  if (best_energy_ < 1e299 && !cycle_best_.empty()) pool_.offer(m_, cycle_best_);
}

// From the relaxation's cheapest agents, or a member of the pool, shaken: descend, and make excess dearer until it is gone.
void EjectionSearch::first_solutions(std::vector<int32_t>& start, const std::function<bool()>& stop) {
  const auto& elites = pool_.elites();
  order_.resize(m_.jobs);
  std::iota(order_.begin(), order_.end(), 0);
  if (elites.empty()) {
    for (int j = 0; j < m_.jobs; ++j) {
      int best = 0;
      for (int i = 1; i < m_.agents; ++i)
        if (reduced_.reduced_of(i)[j] < reduced_.reduced_of(best)[j]) best = i;
      start[j] = best;
    }
    load(start);
  } else {
    load(elites[random_.below(static_cast<int32_t>(elites.size()))].agent_of);
    shake(std::max(2, m_.jobs / 8));
  }
  const double kept = factor_;
  for (int attempt = 0; attempt < 6; ++attempt) {
    descend(stop);
    log_.clear();
    if (feasible()) break;
    factor_ *= 1.5;
    price();
  }
  const bool fits = feasible();
  factor_ = fits ? kept : std::min(kept * 1.1, 1e4);
  price();
  pool_.offer(m_, agent_of_);
}

}  // namespace xcore::thermo
