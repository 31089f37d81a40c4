// Expected free energy of policies.
//
// Under a policy, beliefs roll forward by q_t = B(u_t) q_{t-1} and predict outcomes qo = A_m q. Summed over steps and
// modalities:
//   utility          = qo . ln softmax(C_m)
//   information gain = H[qo] - E_q[H[A_m(.|s)]]     (mutual information of outcome and states)
//   expected free energy G = -(utility + information gain) = risk + ambiguity
// Modalities count one by one (as in pymdp), not as one joint outcome (as in SPM's spm_MDP_G).
//
// Friston et al. (2015), "Active inference and epistemic value", Cognitive Neuroscience 6; Da Costa et al. (2020),
// "Active inference on discrete state-spaces: a synthesis", Journal of Mathematical Psychology 99.
#pragma once

#include "agent/model.hpp"
#include "runtime/control.hpp"

namespace xcore::agent {

struct Policies {
  const int32_t* actions;  // [count][steps][factors]
  int64_t count;
  int32_t steps;
};

// Each fills utility[count] and information_gain[count], in nats. Arguments were checked by check_policies.
void efe_ref(const Model& model, const double* beliefs, const Policies& policies, double* utility, double* information_gain);
// Policies that follow each other and begin alike share the steps they have in common (enumerations with the last
// action fastest share most); the values do not depend on it.
void efe_cpu(const Model& model, const double* beliefs, const Policies& policies, double* utility, double* information_gain,
             const Control& control = {});
void efe_cuda(int device, const Model& model, const double* beliefs, const Policies& policies, double* utility,
              double* information_gain, const Control& control = {});
// The work of all policies without sharing, in multiply-adds: what decides whether a GPU pays.
double efe_work(const Model& model, const Policies& policies);

}  // namespace xcore::agent
