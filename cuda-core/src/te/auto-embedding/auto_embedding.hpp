// How many past values to look at, and how far apart: chosen from the data.
//
//   Ragwitz   the embedding of a series whose nearest neighbours predict its next value best: M. Ragwitz, H. Kantz, Phys.
//             Rev. E 65, 056201 (2002). Columns normalised, k neighbours in the maximum norm (of several equally far the
//             earliest), mean of their next values, smallest mean squared error.
//   max-AIS   the one with the largest active information storage I(past; next): bias-corrected by KSG itself, and for
//             the Gaussian and binned estimators by their analytic bias. J. Garland, R. G. James, E. Bradley, Phys. Rev.
//             E 93, 022221 (2016).
//   max-AIS-TE  the target by max-AIS, then the source embedding with the largest transfer entropy into it.
//   greedy    single lags of target and source, added one by one while the best of those left tells more than the best
//             of its shuffled copies does in 95 of 100 draws (maximum statistic): L. Faes, G. Nollo, A. Porta, Phys. Rev.
//             E 83, 051112 (2011); L. Novelli et al., Netw. Neurosci. 3, 827 (2019).
//
// Candidates are histories 1..max_history, taus 1..max_tau (tau 1 alone for history 1) in this order; the first of
// several equals stays. Each has all the tuples it can have.
#pragma once

#include "te/estimate/estimator.hpp"

namespace xcore::te {

struct ChosenEmbedding {
  xc_te_options options;  // with history, tau, delay and k as chosen
  Lags lags;
  bool by_lags = false;  // greedy: the lags say it, not history and tau
};

// `series` as the estimator takes them (binned ones are binned already). Runs delay scan and automatic k as well.
ChosenEmbedding choose_embedding(const Series& series, const xc_te_options& options, const Control& control);

// Ragwitz's mean squared error of one embedding of a series (its variables jointly).
double ragwitz_error(const Embedding& embedding, int32_t k, int32_t theiler, const Control& control);

// The k for which the estimate hangs least on how much data there is: of 3, 4, 6, 8, 12, 16, 24, 32 (as far as tuples
// allow) the smallest whose values of all the data and of its halves, thirds and quarters agree within a standard error,
// else the one with the smallest difference in such errors. C. M. Holmes, I. Nemenman, Phys. Rev. E 100, 022404 (2019).
int32_t automatic_k(const Embedding& embedding, const xc_te_options& options, const Control& control);

}  // namespace xcore::te
