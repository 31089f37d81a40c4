// The comparisons that fp32 cannot tell, again in fp64: one column of P and of S.
//
// The counts of a unit in doubt are in the sum already. A thread looks at the tuples with a coordinate within the margin of eps,
// which lie where the ranges of P and S end and where n_FP ends in the target's list. Every other tuple is on its side whatever
// the rounding, so that the k-th distance is one of theirs and only their places in the counts can change. Proof: let e be the
// tuple whose fp32 distance is eps, and c of these tuples lie before it in fp32. In fp64 the (c + 1)-th of them is at least as
// far as one that fp32 puts at e or behind it, so farther than all that fp32 puts before the margin; and at most as far as one
// that fp32 puts at e or before it, so nearer than all behind the margin.
#pragma once

#include "te/network/ksg/ksg_walk.cuh"

namespace xcore::te {

struct alignas(16) Correction {
  int task;
  uint16_t place, lane;           // of the radius
  uint16_t both;                  // n_SP of fp32
  uint16_t source_low, source_high;  // S-ranks within eps
};
using Corrections = Queue<Correction>;

template <class T>
struct CorrectionArgs {
  PairsData<T> data;
  ExactColumns exact;
  SourceBlocks<T> sources;
  const Task* tasks;
  const Radius<T>* radii;
  const uint32_t* visit;
  Corrections corrections;
  Doubts doubts;  // takes what does not fit
  const Fixed* psi;
  Fixed* sums;  // [task][32]
};

constexpr int kCorrectionThreads = 128;
constexpr int kMostClose = 6;  // tuples that a thread holds; nearly always there are two

// The distances of one tuple in doubt, in fp32 and fp64.
template <class T>
struct CloseTuple {
  uint32_t tuple;
  T past, future_past, source_past, joint;
  double exact_past, exact_future_past, exact_source_past, exact_joint;
};

template <class T>
__global__ void __launch_bounds__(kCorrectionThreads) correction_kernel(CorrectionArgs<T> w) {
  const PairsData<T>& a = w.data;
  const int n = static_cast<int>(a.n);
  const int count = min(*w.corrections.count, w.corrections.capacity);
  for (int id = blockIdx.x * kCorrectionThreads + threadIdx.x; id < count; id += gridDim.x * kCorrectionThreads) {
    const Correction c = w.corrections.items[id];
    const Task task = w.tasks[c.task];
    const int variable = task.variable >= 0 ? task.variable : task.block * kLanes + c.lane;
    const int64_t target_base = static_cast<int64_t>(a.first_target + task.target) * n, source_base = static_cast<int64_t>(variable) * n;
    const uint32_t* permutation = w.sources.permutations ? w.sources.permutations + static_cast<int64_t>(c.lane) * n : nullptr;
    const uint32_t* inverse = w.sources.inverse ? w.sources.inverse + static_cast<int64_t>(c.lane) * n : nullptr;
    const Radius<T> radius = w.radii[(static_cast<int64_t>(c.task) * kLanes + c.lane) * n + c.place];
    const T eps = absolute(radius.eps);
    const int low = radius.low(), high = radius.high();
    const int rank = w.visit ? w.visit[target_base + c.place] : c.place;

    const uint32_t* past_order = a.past_order + target_base;
    const T* past = a.past_ranked + target_base;
    const FuturePast<T>* pairs = a.target_pairs + target_base;
    const T* sorted = a.source_sorted + source_base;
    const uint32_t* source_order = a.source_order + source_base;
    const uint32_t tuple = past_order[rank], own = permutation ? permutation[tuple] : tuple;
    const T x = past[rank], f = pairs[tuple].future, s = a.source[source_base + own];
    const double exact_x = w.exact.past[target_base + tuple], exact_f = w.exact.future[target_base + tuple],
                 exact_s = w.exact.source[source_base + own];
    const T margin = margin_of(greater(absolute(s), greater(absolute(x), absolute(f))), eps);

    CloseTuple<T> close[kMostClose];
    int many = 0;
    bool fits = true;
    const auto add = [&](uint32_t other) {
      if (!outside_window(tuple, other, a.theiler)) return;
      for (int m = 0; m < many; ++m)
        if (close[m].tuple == other) return;
      if (many == kMostClose) {
        fits = false;
        return;
      }
      const uint32_t row = permutation ? permutation[other] : other;
      const FuturePast<T> there = pairs[other];
      CloseTuple<T>& d = close[many++];
      d.tuple = other;
      d.past = absolute(there.past - x);
      d.future_past = greater(d.past, absolute(there.future - f));
      d.source_past = greater(d.past, absolute(a.source[source_base + row] - s));
      d.joint = greater(d.future_past, d.source_past);
      d.exact_past = fabs(w.exact.past[target_base + other] - exact_x);
      d.exact_future_past = fmax(d.exact_past, fabs(w.exact.future[target_base + other] - exact_f));
      d.exact_source_past = fmax(d.exact_past, fabs(w.exact.source[source_base + row] - exact_s));
      d.exact_joint = fmax(d.exact_future_past, d.exact_source_past);
    };
    // What is within the margin of either end of a range in an ascending column; `center` is its own place.
    const auto add_ends = [&](const T* values, int center, int begin, int end, auto&& tuple_at) {
      const T middle = values[center];
      for (int j = begin - 1; fits && j >= 0 && middle - values[j] - eps <= margin; --j) add(tuple_at(j));
      for (int j = begin; fits && j < center && eps - (middle - values[j]) <= margin; ++j) add(tuple_at(j));
      for (int j = end - 1; fits && j > center && eps - (values[j] - middle) <= margin; --j) add(tuple_at(j));
      for (int j = end; fits && j < n && values[j] - middle - eps <= margin; ++j) add(tuple_at(j));
    };
    add_ends(past, rank, low, high, [&](int j) { return past_order[j]; });
    add_ends(sorted, a.source_rank[source_base + own], c.source_low, c.source_high,
             [&](int j) { return inverse ? inverse[source_order[j]] : source_order[j]; });
    const int64_t row = static_cast<int64_t>(task.target) * n + rank;
    const Near<T>* list = a.lists + row * a.cap;
    int near_future = 0;
    for (int step = a.cap / 2; step > 0; step /= 2)
      if (list[near_future + step - 1].distance < eps) near_future += step;
    near_future += list[near_future].distance < eps;
    for (int j = near_future; fits && j < a.cap && list[j].distance - eps <= margin; ++j) add(list[j].tuple);
    for (int j = near_future - 1; fits && j >= 0 && eps - list[j].distance <= margin; --j) add(list[j].tuple);
    if (eps + 2 * margin > a.limits[row]) fits = false;  // the list does not tell n_FP

    // The k-th distance, if one tuple alone has it in fp32: as many of all tuples are nearer as k - 1.
    int nearer = 0, equal = 0;
    for (int m = 0; m < many; ++m) {
      if (!(absolute(close[m].joint - eps) <= margin)) continue;
      nearer += close[m].joint < eps;
      equal += close[m].joint == eps;
    }
    if (!fits || equal != 1) {
      w.doubts.add({c.task, rank, static_cast<float>(eps), c.lane, 1, c.both});
      continue;
    }
    double exact_eps = 0;
    for (int m = 0; m < many; ++m) {
      if (!(absolute(close[m].joint - eps) <= margin)) continue;
      int before_it = 0;
      for (int o = 0; o < many; ++o) {
        if (!(absolute(close[o].joint - eps) <= margin)) continue;
        before_it += close[o].exact_joint < close[m].exact_joint || (close[o].exact_joint == close[m].exact_joint && o < m);
      }
      if (before_it == nearer) exact_eps = close[m].exact_joint;
    }
    int past_change = 0, future_change = 0, both_change = 0;
    for (int m = 0; m < many; ++m) {
      past_change += (close[m].exact_past < exact_eps) - (close[m].past < eps);
      future_change += (close[m].exact_future_past < exact_eps) - (close[m].future_past < eps);
      both_change += (close[m].exact_source_past < exact_eps) - (close[m].source_past < eps);
    }
    if (past_change == 0 && future_change == 0 && both_change == 0) continue;
    const int near_past = high - low - 1 - past_in_window(a.past + target_base, n, static_cast<int>(tuple), a.theiler, x, eps);
    add_to(w.sums + static_cast<int64_t>(c.task) * kLanes + c.lane,
           (w.psi[near_past + past_change + 1] - w.psi[near_past + 1]) - (w.psi[near_future + future_change + 1] - w.psi[near_future + 1]) -
               (w.psi[c.both + both_change + 1] - w.psi[c.both + 1]));
  }
}

}  // namespace xcore::te
