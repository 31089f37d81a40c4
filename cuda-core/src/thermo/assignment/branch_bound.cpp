#include "thermo/assignment/branch_bound.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xcore::thermo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kTableEntries = 4e6;  // of one knapsack: 32 MB
constexpr int32_t kFinestGrid = 20000;
constexpr int kRootIterations = 1200, kNodeIterations = 25, kPartIterations = 40;

double grid_limit(const AssignmentModel& m) { return std::min<double>(kFinestGrid, kTableEntries / (m.jobs + 1.0)); }

}  // namespace

bool BranchBound::suits(const AssignmentModel& m) {
  return grid_limit(m) >= 200 && static_cast<double>(m.agents) * m.jobs * std::min(grid_limit(m), 2000.0) <= 2e8;
}

BranchBound::BranchBound(const AssignmentModel& model, const std::vector<double>& multipliers, double bound, Aim aim,
                         const std::vector<double>& prices)
    : m_(model), aim_(aim), bound_(model.round_up(bound)), best_cost_(kInfinity), root_bound_(bound), multipliers_(multipliers) {
  const size_t pairs = static_cast<size_t>(m_.agents) * m_.jobs;
  weight_.resize(pairs);
  allowed_.resize(pairs);
  pair_cost_.resize(pairs);
  share_.assign(pairs, 0);
  choices_.assign(m_.jobs, 0);
  agent_of_.assign(m_.jobs, -1);
  times_taken_.resize(m_.jobs);
  taken_by_.resize(m_.jobs);
  row_use_.resize(m_.rows);
  items_.resize(m_.agents);
  capacity_.resize(m_.agents);
  // Whole loads that fit the grid stay exact. Else loads and capacity are scaled and rounded down, which relaxes the
  // knapsack: what fits in truth fits on the grid.
  const double finest = grid_limit(m_);
  for (int i = 0; i < m_.agents; ++i) {
    bool whole = true;
    double total = 0;
    for (int j = 0; j < m_.jobs; ++j) {
      const double u = m_.use_of(0, j, i);
      total += u;
      whole = whole && u == std::floor(u);
    }
    const double limit = m_.limit[m_.row(0, i)];
    const double effective = limit + AssignmentModel::slack_of(limit);
    if (total <= effective) {
      capacity_[i] = -1;
      continue;
    }
    const double scale = whole && effective <= finest ? 1 : finest / effective;
    capacity_[i] = static_cast<int32_t>(std::floor(effective * scale));
    for (int j = 0; j < m_.jobs; ++j)
      weight_[static_cast<size_t>(i) * m_.jobs + j] = static_cast<int32_t>(std::floor(m_.use_of(0, j, i) * scale * (1 - 1e-15)));
    if (scale == 1)
      for (int j = 0; j < m_.jobs; ++j)
        weight_[static_cast<size_t>(i) * m_.jobs + j] = static_cast<int32_t>(m_.use_of(0, j, i));
  }
  room_ = capacity_;
  double size = 0;
  prices_.resize(m_.jobs);
  for (int j = 0; j < m_.jobs; ++j) {
    double least = kInfinity, dearest = -kInfinity;
    for (int i = 0; i < m_.agents; ++i) {
      const double c = m_.costs_of(j)[i];
      const bool possible = c != kInfinity;
      allowed_[static_cast<size_t>(i) * m_.jobs + j] = possible;
      if (!possible) continue;
      ++choices_[j];
      double e = c;
      for (int s = 0; s < m_.layers; ++s) e += multipliers_[m_.row(s, i)] * m_.use_of(s, j, i);
      least = std::min(least, e);
      dearest = std::max(dearest, c);
    }
    prices_[j] = least;
    worst_cost_ += dearest;
    size += std::fabs(dearest);
  }
  tolerance_ = m_.cost_unit > 0 ? 1e-6 * m_.cost_unit + 1e-11 * size : 1e-11 * size;
  if (!prices.empty()) prices_ = prices;
  // The first resource is in the knapsacks.
  for (int i = 0; i < m_.agents; ++i) multipliers_[m_.row(0, i)] = 0;
  root_prices_ = prices_;
  root_multipliers_ = multipliers_;
}

void BranchBound::price_pairs() {
  for (int i = 0; i < m_.agents; ++i)
    for (int j = 0; j < m_.jobs; ++j) {
      double c = m_.costs_of(j)[i];
      for (int s = 1; s < m_.layers; ++s) c += multipliers_[m_.row(s, i)] * m_.use_of(s, j, i);
      pair_cost_[static_cast<size_t>(i) * m_.jobs + j] = c;
    }
}

// The Lagrangian at prices_ and multipliers_; fills times_taken_, taken_by_ and row_use_.
double BranchBound::evaluate(const std::function<bool()>& stop, bool* stopped) {
  if (m_.layers > 1 || nodes_ == 0) price_pairs();
  double value = 0;
  std::fill(times_taken_.begin(), times_taken_.end(), 0);
  std::fill(row_use_.begin(), row_use_.end(), 0.0);
  for (int r = 0; r < m_.rows; ++r)
    if (multipliers_[r] > 0) value -= multipliers_[r] * m_.limit[r];
  const auto take = [&](int i, int j) {
    ++times_taken_[j];
    taken_by_[j] = i;
    for (int s = 1; s < m_.layers; ++s) row_use_[m_.row(s, i)] += m_.use_of(s, j, i);
  };
  for (int j = 0; j < m_.jobs; ++j) {
    if (agent_of_[j] >= 0) {
      value += pair_cost(agent_of_[j], j);
      take(agent_of_[j], j);
    } else {
      value += prices_[j];
    }
  }
  for (int i = 0; i < m_.agents; ++i) {
    auto& items = items_[i];
    items.clear();
    const size_t at = static_cast<size_t>(i) * m_.jobs;
    for (int j = 0; j < m_.jobs; ++j) {
      if (!allowed_[at + j] || agent_of_[j] >= 0) continue;
      const double profit = prices_[j] - pair_cost_[at + j];
      share_[at + j] *= 0.9f;
      if (profit > 0) items.push_back({profit, weight_[at + j], j});
    }
    const auto chosen = [&](int j) {
      take(i, j);
      share_[at + j] += 0.1f;
    };
    if (capacity_[i] < 0) {
      for (const auto& item : items) value -= item.profit, chosen(item.job);
      continue;
    }
    value -= knapsack_.solve(items, room_[i]);
    knapsack_.taken(chosen);
    if (stop()) {
      *stopped = true;
      return -kInfinity;
    }
  }
  return value;
}

bool BranchBound::remove(int agent, int job) {
  char& allowed = allowed_[static_cast<size_t>(agent) * m_.jobs + job];
  if (!allowed) return true;
  allowed = 0;
  trail_.push_back({agent, job, false});
  if (--choices_[job] == 1 && agent_of_[job] < 0) queue_.push_back(job);
  return choices_[job] > 0;
}

// Fixes a job to its one agent that is left.
bool BranchBound::fix(int job) {
  if (agent_of_[job] >= 0) return true;
  int agent = 0;
  while (agent < m_.agents && !allowed_[static_cast<size_t>(agent) * m_.jobs + job]) ++agent;
  if (agent == m_.agents) return false;
  agent_of_[job] = agent;
  trail_.push_back({agent, job, true});
  if (capacity_[agent] < 0) return true;
  room_[agent] -= weight_[static_cast<size_t>(agent) * m_.jobs + job];
  if (room_[agent] < 0) return false;
  for (int j = 0; j < m_.jobs; ++j)
    if (agent_of_[j] < 0 && weight_[static_cast<size_t>(agent) * m_.jobs + j] > room_[agent] && !remove(agent, j)) return false;
  return true;
}

bool BranchBound::propagate() {
  bool possible = true;
  while (possible && !queue_.empty()) {
    const int job = queue_.back();
    queue_.pop_back();
    possible = fix(job);
  }
  queue_.clear();
  return possible;
}

void BranchBound::undo(size_t mark) {
  while (trail_.size() > mark) {
    const Undo u = trail_.back();
    trail_.pop_back();
    const size_t at = static_cast<size_t>(u.agent) * m_.jobs + u.job;
    if (u.fixed) {
      agent_of_[u.job] = -1;
      if (capacity_[u.agent] >= 0) room_[u.agent] += weight_[at];
    } else {
      allowed_[at] = 1;
      ++choices_[u.job];
    }
  }
}

bool BranchBound::fix_by_reduced_costs(double bound, const std::function<bool()>& stop, int* removed) {
  std::vector<char> positive(m_.jobs);
  for (int i = 0; i < m_.agents; ++i) {
    const size_t at = static_cast<size_t>(i) * m_.jobs;
    auto& items = items_[i];
    std::vector<std::pair<int, bool>> decided;  // job, in
    std::fill(positive.begin(), positive.end(), 0);
    for (const auto& item : items) positive[item.job] = 1;
    if (capacity_[i] >= 0) knapsack_.solve(items, room_[i]);
    const double best = capacity_[i] >= 0 ? knapsack_.within(room_[i]) : 0;
    for (int j = 0; j < m_.jobs; ++j) {
      if (!allowed_[at + j] || agent_of_[j] >= 0 || positive[j]) continue;
      double loss = pair_cost_[at + j] - prices_[j];
      if (capacity_[i] >= 0) loss += best - knapsack_.within(room_[i] - weight_[at + j]);
      if (hopeless(bound + loss)) decided.push_back({j, false});
    }
    if (capacity_[i] >= 0) {
      knapsack_.losses([&](size_t k, double in, double out) {
        if (hopeless(bound + in)) decided.push_back({items[k].job, false});
        else if (hopeless(bound + out)) decided.push_back({items[k].job, true});
      });
    } else {
      for (const auto& item : items)
        if (hopeless(bound + item.profit)) decided.push_back({item.job, true});
    }
    for (const auto& [job, in] : decided) {
      ++*removed;
      if (!in) {
        if (!remove(i, job)) return false;
      } else {
        for (int other = 0; other < m_.agents; ++other)
          if (other != i && !remove(other, job)) return false;
        if (!allowed_[at + job]) return false;
      }
    }
    if (stop()) break;
  }
  return propagate();
}

void BranchBound::found(const std::vector<int32_t>& agent_of) {
  const Evaluation e = thermo::evaluate(m_, agent_of.data());
  if (!e.feasible || e.cost >= best_cost_) return;
  best_ = agent_of;
  upper(e.cost);
}

void BranchBound::upper(double cost) {
  if (cost >= best_cost_) return;
  best_cost_ = cost;
  const double last = cost - (m_.cost_unit > 0 ? m_.cost_unit : 1e-10 * std::max(1.0, std::fabs(cost)));
  target_ = std::min(target_, last);
  if (bound_ >= cost - 1e-9 * std::max(1.0, std::fabs(cost))) {
    bound_ = std::min(bound_, cost);
    done_ = true;
  }
}

// Ascends the Lagrangian at the node, removes pairs, and says what is left to do.
BranchBound::Fate BranchBound::process(int iterations, const std::function<bool()>& stop) {
  bool stopped = false;
  std::vector<double> direction(m_.jobs, 0), row_direction(m_.rows, 0), best_prices = prices_, best_multipliers = multipliers_;
  double best = -kInfinity, theta = at_root_ ? 1.2 : 0.8;
  int idle = 0;
  // At the root the ascent aims at what a solution may cost, below it at what prunes.
  double aim = target_ + std::max(m_.cost_unit, 1e-4 * std::fabs(target_) / 10);
  if (at_root_) aim = best_cost_ < kInfinity ? best_cost_ : root_bound_ + 0.02 * std::fabs(root_bound_) + m_.cost_unit;
  for (int k = 0; k < iterations; ++k) {
    const double value = evaluate(stop, &stopped);
    if (stopped) return Fate::stopped;
    bool assigned = true;
    double norm = 0, along = 0, length = 0;
    for (int j = 0; j < m_.jobs; ++j) {
      if (agent_of_[j] >= 0) continue;
      const double g = 1 - times_taken_[j];
      assigned = assigned && g == 0;
      along += g * direction[j];
      length += direction[j] * direction[j];
    }
    if (assigned) found(taken_by_);
    if (value > best) {
      if (value > best + 1e-3 * std::max(aim - best, 0.0)) idle = 0;
      best = value;
      best_prices = prices_;
      best_multipliers = multipliers_;
    }
    if (at_root_) {
      root_bound_ = std::max(root_bound_, best);
      bound_ = std::max(bound_, std::min(m_.round_up(best), best_cost_));
    }
    if (hopeless(best)) return Fate::pruned;
    // An assigned solution without other rows is the best of this node: its cost is the bound.
    if (assigned && m_.layers == 1) break;
    if (++idle >= (at_root_ ? 20 : 6)) {
      idle = 0;
      theta *= 0.6;
      if (theta < 0.01) break;
      prices_ = best_prices;
      multipliers_ = best_multipliers;
      std::fill(direction.begin(), direction.end(), 0.0);
      std::fill(row_direction.begin(), row_direction.end(), 0.0);
      continue;
    }
    const double mix = length > 0 ? std::max(0.0, -1.5 * along / length) : 0;
    for (int j = 0; j < m_.jobs; ++j) {
      if (agent_of_[j] >= 0) {
        direction[j] = 0;
        continue;
      }
      direction[j] = (1 - times_taken_[j]) + mix * direction[j];
      norm += direction[j] * direction[j];
    }
    // Rows in units of their limits, so that budgets and prices move alike.
    for (int r = m_.agents; r < m_.rows; ++r) {
      if (std::isinf(m_.limit[r])) continue;
      const double unit = std::max(m_.limit[r], 1e-9);
      double g = (row_use_[r] - m_.limit[r]) / unit * m_.agents;
      if (multipliers_[r] <= 0 && g < 0) g = 0;
      row_direction[r] = g;
      norm += g * g;
    }
    if (!(norm > 0)) break;
    const double stride = theta * std::max(aim - value, 1e-3 * (1 + std::fabs(aim - best))) / norm;
    for (int j = 0; j < m_.jobs; ++j) prices_[j] += stride * direction[j];
    for (int r = m_.agents; r < m_.rows; ++r)
      if (!std::isinf(m_.limit[r]))
        multipliers_[r] = std::max(0.0, multipliers_[r] + stride * row_direction[r] * m_.agents / std::max(m_.limit[r], 1e-9));
  }
  prices_ = best_prices;
  multipliers_ = best_multipliers;
  const double value = evaluate(stop, &stopped);
  if (stopped) return Fate::stopped;
  int removed = 0;
  if (!fix_by_reduced_costs(value, stop, &removed)) return Fate::pruned;
  return Fate::branch;
}

void BranchBound::branch() {
  // The job whose agent is the least clear.
  int job = -1;
  double clearest = 2;
  for (int j = 0; j < m_.jobs; ++j) {
    if (agent_of_[j] >= 0) continue;
    double most = 0;
    for (int i = 0; i < m_.agents; ++i)
      if (allowed_[static_cast<size_t>(i) * m_.jobs + j]) most = std::max<double>(most, share_[static_cast<size_t>(i) * m_.jobs + j]);
    most += 1e-3 * choices_[j];
    if (job < 0 || most < clearest) clearest = most, job = j;
  }
  if (job < 0) {
    found(agent_of_);
    return;
  }
  Frame f;
  f.job = job;
  for (int i = 0; i < m_.agents; ++i)
    if (allowed_[static_cast<size_t>(i) * m_.jobs + job]) f.agents.push_back(i);
  std::stable_sort(f.agents.begin(), f.agents.end(), [&](int a, int b) {
    const float x = share_[static_cast<size_t>(a) * m_.jobs + job], y = share_[static_cast<size_t>(b) * m_.jobs + job];
    return x != y ? x > y : pair_cost(a, job) < pair_cost(b, job);
  });
  f.trail = trail_.size();
  f.prices = prices_;
  f.multipliers = multipliers_;
  frames_.push_back(std::move(f));
}

// The tree to the target is exhausted: the bound rises, and the next target is set.
void BranchBound::next_target() {
  const double unit = m_.cost_unit;
  const double last = best_cost_ - (unit > 0 ? unit : 1e-10 * std::max(1.0, std::fabs(best_cost_)));
  if (tree_open_) {
    if (target_ >= worst_cost_ && best_cost_ == kInfinity) {
      bound_ = kInfinity;
      done_ = true;
      return;
    }
    bound_ = std::max(bound_, std::min(unit > 0 ? m_.round_up(target_ + 0.5 * unit) : target_, best_cost_));
    if (target_ >= last - tolerance_) bound_ = best_cost_;
  }
  tree_open_ = true;
  if (best_cost_ < kInfinity && bound_ >= best_cost_ - 1e-10 * std::max(1.0, std::fabs(best_cost_))) {
    bound_ = best_cost_;
    done_ = true;
    return;
  }
  if (best_cost_ < kInfinity && aim_ == Aim::improve) {
    target_ = last;
  } else if (best_cost_ < kInfinity) {
    // Unit by unit; real costs by quarters of what is open, and all of it when that is little.
    const double open = best_cost_ - bound_;
    target_ = unit > 0 ? bound_ : open < 1e-6 * std::max(1.0, std::fabs(best_cost_)) ? last : bound_ + 0.25 * open;
    target_ = std::min(target_, last);
  } else {
    step_ = step_ > 0 ? 2 * step_ : unit > 0 ? unit : std::max(1e-9, 1e-4 * (worst_cost_ - bound_));
    target_ = step_ >= worst_cost_ - bound_ ? std::max(worst_cost_, bound_) : bound_ + step_ - unit;
  }
}

void BranchBound::run(int nodes, const std::function<bool()>& stop) {
  if (done_) return;
  if (!root_ready_) {
    // The Lagrangian's maximum first, with no target to prune by. It is long, so a stop only pauses it.
    target_ = kInfinity;
    if (nodes_ == 0) price_pairs();
    if (process(aim_ == Aim::prove ? kRootIterations : kPartIterations, stop) == Fate::stopped) {
      root_prices_ = prices_;
      return;
    }
    undo(0);
    ++nodes_;
    root_ready_ = true;
    at_root_ = false;
    root_prices_ = prices_;
    root_multipliers_ = multipliers_;
    if (best_cost_ < kInfinity) {
      const double cost = best_cost_;
      best_cost_ = kInfinity;
      upper(cost);
      if (done_) return;
    }
  }
  for (int k = 0; k < nodes && !done_;) {
    if (frames_.empty()) {
      next_target();
      if (done_) return;
      undo(0);
      queue_.clear();
      prices_ = root_prices_;
      multipliers_ = root_multipliers_;
      bool possible = true;
      for (int j = 0; j < m_.jobs && possible; ++j)
        if (choices_[j] == 1) queue_.push_back(j);
      possible = propagate();
      ++nodes_;
      ++k;
      if (!possible) continue;
      const Fate fate = process(aim_ == Aim::improve ? kNodeIterations : 4 * kNodeIterations, stop);
      if (fate == Fate::stopped) {
        tree_open_ = false;  // this target was not settled
        return;
      }
      if (fate == Fate::branch) branch();
      continue;
    }
    Frame& f = frames_.back();
    undo(f.trail);
    if (f.next == f.agents.size()) {
      frames_.pop_back();
      continue;
    }
    const int agent = f.agents[f.next++];
    prices_ = f.prices;
    multipliers_ = f.multipliers;
    bool possible = true;
    queue_.clear();
    for (int i = 0; i < m_.agents && possible; ++i)
      if (i != agent) possible = remove(i, f.job);
    possible = possible && propagate();
    ++nodes_;
    ++k;
    if (!possible) continue;
    const Fate fate = process(kNodeIterations, stop);
    if (fate == Fate::stopped) {
      frames_.back().next--;
      return;
    }
    if (fate == Fate::branch) branch();
  }
}

}  // namespace xcore::thermo
