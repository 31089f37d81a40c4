// Replicas (replicas/replicas.hpp) that are updated spin by spin: Metropolis or heat bath.
//
//   Metropolis   flip s_i with probability min(1, exp(-beta dE)), dE = 2 s_i h_i
//   heat bath    s_i = +1 with probability 1 / (1 + exp(-2 beta h_i)), whatever it was
//
// in index order, h_i being the local field. Replica r draws from stream first_stream + r: one 30-bit fraction a spin and
// sweep, addressed by (sweep, spin), so results depend neither on threads nor on which replicas stand beside it. Where
// the couplings are small whole multiples of one unit the acceptance is a table of integers made on the host, and CPU and
// GPU give the same bits. Cluster moves draw from stream first_stream + 2^40 + the number of the pair.
//
// N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953); R. Glauber, J. Math. Phys. 4, 294 (1963).
#pragma once

#include <memory>
#include <vector>

#include "runtime/philox.hpp"
#include "thermo/ising/replicas/replicas.hpp"

namespace xcore::thermo::ising {

inline constexpr int kReplicaLanes = 16;      // replicas side by side in memory and in vector registers
inline constexpr int kFractionBits = 30;
inline constexpr int32_t kTableLimit = 4096;  // largest sum of a spin's weights, in units, that goes by table

// Everything a sweep reads, the same on CPU and GPU.
struct SweepModel {
  int32_t n;
  int32_t rule;
  int32_t reach;              // of the tables, 0: no tables
  double inverse_unit;
  const int64_t* offsets;
  const int32_t* neighbours;
  const double* couplings;
  const double* fields;
  const int16_t* whole_couplings;  // in units, where there are tables (CPU only)
  const int16_t* whole_fields;
};

std::unique_ptr<Replicas> make_single_spin_replicas(const Model& model, int64_t count, const ReplicaOptions& options,
                                                    xc_device device, const Control& control);
std::unique_ptr<Replicas> make_single_spin_replicas_cpu(const Model& model, int64_t count, const ReplicaOptions& options,
                                                        const Control& control);
std::unique_ptr<Replicas> make_single_spin_replicas_cuda(const Model& model, int64_t count, const ReplicaOptions& options,
                                                         int device, const Control& control);

// Tables for the model's integer form; `reach` is 0 when there is none.
struct AcceptanceTables {
  int32_t reach = 0;
  double inverse_unit = 1;
  explicit AcceptanceTables(const Model& model);
  std::vector<int32_t> table(double beta, int32_t rule) const;
};

// The probability that the update says yes: to a flip given x = s h (Metropolis), to +1 given x = h (heat bath).
// At beta = 0 a Metropolis flip is a coin too: accepting every one would turn all spins over sweep after sweep and never
// forget the start.
XC_HD double acceptance(double beta, double x, int32_t rule) {
  if (beta == 0) return 0.5;
  if (rule == XC_ISING_METROPOLIS) {
    if (x <= 0) return 1;
    return beta == INFINITY ? 0.0 : exp(-2 * beta * x);
  }
  if (x == 0) return 0.5;
  if (beta == INFINITY) return x > 0 ? 1.0 : 0.0;
  return 1 / (1 + exp(-2 * beta * x));
}

}  // namespace xcore::thermo::ising
