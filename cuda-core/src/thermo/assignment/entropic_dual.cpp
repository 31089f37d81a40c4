#include "thermo/assignment/entropic_dual.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xcore::thermo {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kJobsATask = 256;
// Beyond this many rows only the diagonal of the curvature is kept: the matrix would cost more than it saves.
constexpr int kFullCurvature = 256;

// What one evaluation adds up; tasks have their own and are reduced in order, so threads do not change the sums.
struct Sums {
  double smooth = 0, sharp = 0;
  std::vector<double> use;         // [rows]
  std::vector<double> covariance;  // [rows x rows], lower triangle
};

class Ascent {
 public:
  Ascent(const AssignmentModel& model, const DualOptions& options, const Team& team)
      : m_(model), o_(options), team_(team), tasks_((model.jobs + kJobsATask - 1) / kJobsATask), parts_(tasks_),
        full_(model.rows <= kFullCurvature) {
    active_.assign(m_.rows, 1);
    for (int r = 0; r < m_.rows; ++r)
      if (std::isinf(m_.limit[r]) || (!o_.row_active.empty() && !o_.row_active[r])) active_[r] = 0;
    for (auto& p : parts_) {
      p.use.resize(m_.rows);
      p.covariance.resize(static_cast<size_t>(m_.rows) * (full_ ? m_.rows : 1));
    }
    total_ = parts_[0];
  }

  DualSolution run() {
    std::vector<double> l(m_.rows, 0), trial(m_.rows), step(m_.rows);
    measure_scales();
    DualSolution best{l, -kInfinity};
    const double coldest = 1e-7 * spread_;
    int idle = 0;
    for (double T = 0.3 * spread_; T >= coldest && idle < 3; T *= 0.4) {
      const double before = best.bound;
      double value = evaluate(l, T, true, best);
      for (int k = 0; k < 8; ++k) {
        if (o_.stop && o_.stop()) return best;
        if (!newton_step(l, T, step)) break;
        // Backtrack along the projected step.
        bool moved = false;
        double gain = 0;
        for (double t = 1; t > 1e-4; t *= 0.35) {
          if (o_.stop && o_.stop()) return best;
          double promise = 0;
          for (int r = 0; r < m_.rows; ++r) {
            if (!active_[r]) continue;  // its limit may be infinite
            trial[r] = std::clamp(l[r] + t * step[r], 0.0, cap(r));
            promise += gradient(r) * (trial[r] - l[r]);
          }
          const std::vector<double> use_before = total_.use;
          const double next = evaluate(trial, T, true, best);
          if (next >= value + 1e-4 * promise && next > value) {
            gain = next - value;
            value = next;
            l = trial;
            moved = true;
            break;
          }
          total_.use = use_before;
        }
        if (!moved || gain < 0.02 * T) break;
      }
      // Cold enough once a few coolings brought nothing more.
      idle = best.bound - before <= 1e-9 * std::fabs(best.bound) + 1e-9 * spread_ ? idle + 1 : 0;
    }
    return best;
  }

 private:
  double cap(int r) const { return !active_[r] ? 0 : o_.caps.empty() ? kInfinity : o_.caps[r]; }
  double gradient(int r) const { return total_.use[r] - m_.limit[r]; }
  double cost(int job, int agent) const {
    const double c = m_.costs_of(job)[agent];
    return o_.ignore_costs && c != kInfinity ? 0 : c;
  }

  // Temperatures are in units of the spread of a job's costs (or, without costs, of what the caps can make of its
  // uses); steps in units of what changes energies by a few temperatures.
  void measure_scales() {
    double spread = 0;
    mean_use_.assign(m_.rows, 0);
    std::vector<double> count(m_.rows, 0);
    for (int j = 0; j < m_.jobs; ++j) {
      double least = kInfinity, most = -kInfinity;
      for (int i = 0; i < m_.agents; ++i) {
        double e = cost(j, i);
        if (e == kInfinity) continue;
        for (int s = 0; s < m_.layers; ++s) {
          const int r = m_.row(s, i);
          const double u = m_.use_of(s, j, i);
          if (u > 0) {
            mean_use_[r] += u;
            count[r] += 1;
          }
          if (o_.ignore_costs && active_[r]) e += u * o_.caps[r];
        }
        least = std::min(least, e);
        most = std::max(most, e);
      }
      spread += most - least;
    }
    for (int r = 0; r < m_.rows; ++r) mean_use_[r] = count[r] > 0 ? mean_use_[r] / count[r] : 1;
    spread_ = spread / m_.jobs;
    if (!(spread_ > 0)) spread_ = 1;
  }

  // Fills total_ and keeps the best sharp bound. The covariance is only added up when asked for.
  double evaluate(const std::vector<double>& l, double T, bool curvature, DualSolution& best) {
    team_.run(tasks_, [&](int t) { evaluate_jobs(l, T, curvature, t); });
    total_.smooth = total_.sharp = 0;
    std::fill(total_.use.begin(), total_.use.end(), 0.0);
    std::fill(total_.covariance.begin(), total_.covariance.end(), 0.0);
    for (const Sums& p : parts_) {
      total_.smooth += p.smooth;
      total_.sharp += p.sharp;
      for (int r = 0; r < m_.rows; ++r) total_.use[r] += p.use[r];
      for (size_t k = 0; k < p.covariance.size(); ++k) total_.covariance[k] += p.covariance[k];
    }
    for (int r = 0; r < m_.rows; ++r) {
      if (!active_[r]) continue;
      total_.smooth -= l[r] * m_.limit[r];
      total_.sharp -= l[r] * m_.limit[r];
    }
    if (total_.sharp > best.bound) best = {l, total_.sharp};
    return total_.smooth;
  }

  void evaluate_jobs(const std::vector<double>& l, double T, bool curvature, int task) {
    Sums& out = parts_[task];
    out.smooth = out.sharp = 0;
    std::fill(out.use.begin(), out.use.end(), 0.0);
    std::fill(out.covariance.begin(), out.covariance.end(), 0.0);
    const int m = m_.agents, first = task * kJobsATask, last = std::min(m_.jobs, first + kJobsATask);
    std::vector<double> energy(m), mean(m_.rows, 0);
    std::vector<int> likely, touched;
    for (int j = first; j < last; ++j) {
      double least = kInfinity;
      for (int i = 0; i < m; ++i) {
        double e = cost(j, i);
        if (e != kInfinity)
          for (int s = 0; s < m_.layers; ++s) e += l[m_.row(s, i)] * m_.use_of(s, j, i);
        energy[i] = e;
        least = std::min(least, e);
      }
      likely.clear();
      double z = 0;
      for (int i = 0; i < m; ++i) {
        const double gap = (energy[i] - least) / T;
        if (gap > 40) continue;  // exp(-40) is below the rounding of the sums
        energy[i] = std::exp(-gap);
        z += energy[i];
        likely.push_back(i);
      }
      out.sharp += least;
      out.smooth += least - T * std::log(z);
      touched.clear();
      for (const int i : likely) {
        energy[i] /= z;
        for (int s = 0; s < m_.layers; ++s) {
          const int r = m_.row(s, i);
          const double u = energy[i] * m_.use_of(s, j, i);
          if (mean[r] == 0 && u != 0) touched.push_back(r);
          mean[r] += u;
        }
      }
      const bool mixed = likely.size() > 1;
      if (curvature && mixed) {
        for (const int i : likely) {
          for (int s = 0; s < m_.layers; ++s) {
            const int r = m_.row(s, i);
            const double u = energy[i] * m_.use_of(s, j, i);
            if (!full_) {
              out.covariance[r] += u * m_.use_of(s, j, i);
              continue;
            }
            for (int q = 0; q <= s; ++q) out.covariance[static_cast<size_t>(r) * m_.rows + m_.row(q, i)] += u * m_.use_of(q, j, i);
          }
        }
        for (const int r : touched) {
          if (!full_) {
            out.covariance[r] -= mean[r] * mean[r];
            continue;
          }
          for (const int q : touched)
            if (q <= r) out.covariance[static_cast<size_t>(r) * m_.rows + q] -= mean[r] * mean[q];
        }
      }
      for (const int r : touched) {
        out.use[r] += mean[r];
        mean[r] = 0;
      }
    }
  }

  // (Cov / T + damping) step = gradient over the rows that are free to move. False when all are where they should be.
  bool newton_step(const std::vector<double>& l, double T, std::vector<double>& step) {
    free_.clear();
    for (int r = 0; r < m_.rows; ++r) {
      step[r] = 0;
      const double g = gradient(r);
      if (!active_[r] || (l[r] <= 0 && g <= 0) || (l[r] >= cap(r) && g >= 0)) continue;
      free_.push_back(r);
    }
    if (free_.empty()) return false;
    const int k = static_cast<int>(free_.size());
    if (!full_) {
      for (const int r : free_) {
        const double longest = 8 * T / mean_use_[r];
        step[r] = gradient(r) / (total_.covariance[r] / T + std::fabs(gradient(r)) / longest + 1e-300);
      }
      return true;
    }
    factor_.assign(static_cast<size_t>(k) * k, 0);
    for (int a = 0; a < k; ++a) {
      const int r = free_[a];
      for (int b = 0; b <= a; ++b) factor_[a * k + b] = total_.covariance[static_cast<size_t>(r) * m_.rows + free_[b]] / T;
      // Where nothing is mixed the curvature is 0: the damping keeps the step within what the quadratic model covers.
      const double longest = 8 * T / mean_use_[r];
      factor_[a * k + a] += std::fabs(gradient(r)) / longest + 1e-12 * (factor_[a * k + a] + 1e-300);
      if (!(factor_[a * k + a] > 0)) factor_[a * k + a] = 1;
    }
    for (int a = 0; a < k; ++a) {
      for (int b = 0; b <= a; ++b) {
        double sum = factor_[a * k + b];
        for (int c = 0; c < b; ++c) sum -= factor_[a * k + c] * factor_[b * k + c];
        if (a == b)
          factor_[a * k + a] = std::sqrt(std::max(sum, 1e-14 * factor_[a * k + a] + 1e-300));
        else
          factor_[a * k + b] = sum / factor_[b * k + b];
      }
    }
    std::vector<double> x(k);
    for (int a = 0; a < k; ++a) {
      double sum = gradient(free_[a]);
      for (int c = 0; c < a; ++c) sum -= factor_[a * k + c] * x[c];
      x[a] = sum / factor_[a * k + a];
    }
    for (int a = k - 1; a >= 0; --a) {
      for (int c = a + 1; c < k; ++c) x[a] -= factor_[c * k + a] * x[c];
      x[a] /= factor_[a * k + a];
      step[free_[a]] = x[a];
    }
    return true;
  }

  const AssignmentModel& m_;
  const DualOptions& o_;
  const Team& team_;
  int tasks_;
  std::vector<Sums> parts_;
  bool full_;
  Sums total_;
  std::vector<char> active_;
  std::vector<double> mean_use_, factor_;
  std::vector<int> free_;
  double spread_ = 1;
};

}  // namespace

DualSolution entropic_dual(const AssignmentModel& model, const DualOptions& options, const Team& team) {
  return Ascent(model, options, team).run();
}

}  // namespace xcore::thermo
