// Many replicas of one model, each at its own temperature, updated spin by spin: Metropolis or heat bath.
//
//   Metropolis   flip s_i with probability min(1, exp(-beta dE)), dE = 2 s_i h_i
//   heat bath    s_i = +1 with probability 1 / (1 + exp(-2 beta h_i)), whatever it was
//
// in index order, h_i being the local field. Replica r draws from stream first_stream + r: one 30-bit fraction a spin and
// sweep, addressed by (sweep, spin), so results depend neither on threads nor on which replicas stand beside it. Where
// the couplings are small whole multiples of one unit the acceptance is a table of integers made on the host, and CPU and
// GPU give the same bits.
//
// N. Metropolis et al., J. Chem. Phys. 21, 1087 (1953); R. Glauber, J. Math. Phys. 4, 294 (1963).
#pragma once

#include <memory>
#include <vector>

#include "runtime/control.hpp"
#include "runtime/philox.hpp"
#include "thermo/ising/model/integer_model.hpp"

namespace xcore::thermo::ising {

inline constexpr int kReplicaLanes = 16;      // replicas side by side in memory and in vector registers
inline constexpr int kFractionBits = 30;
inline constexpr int32_t kTableLimit = 4096;  // largest sum of a spin's weights, in units, that goes by table

// Probability of a decision as the function of the local field, once a temperature.
struct Acceptance {
  double beta = 0;
  std::vector<int32_t> table;  // [2 reach + 1]; a draw below table[x + reach] says yes. Empty: computed by exp
};

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

class Replicas {
 public:
  virtual ~Replicas() = default;
  // Random spins.
  virtual void randomize() = 0;
  // `sweeps` sweeps, replica r at temperature slot[r] of the betas set before.
  virtual void set_betas(const std::vector<double>& betas) = 0;
  virtual void sweep(const int32_t* slot, int64_t sweeps) = 0;
  virtual const double* energies() = 0;  // [count], up to date
  // Flips accepted (changed spins under heat bath) at each of the betas since they were set or last asked for.
  virtual void take_flips(uint64_t* of_slot) = 0;
  // Replica r becomes a copy of replica from[r].
  virtual void resample(const int32_t* from) = 0;
  // spins [count x n] of the replicas named, in that order.
  virtual void read(const int32_t* replicas, int64_t count, int8_t* spins) = 0;
  // Their sums of all spins.
  virtual void sums_of_spins(const int32_t* replicas, int64_t count, int32_t* sums) = 0;
  virtual void write(int64_t replica, const int8_t* spins) = 0;
  // Houdayer moves between replicas pairs[2k] and pairs[2k + 1]: the differing component of a random differing spin
  // changes sides. Keeps the sum of their energies. draws come from stream first_stream + 2^40 + k.
  virtual void exchange_clusters(const int32_t* pairs, int64_t count) = 0;
  int64_t count() const { return count_; }

 protected:
  explicit Replicas(int64_t count) : count_(count) {}
  const int64_t count_;
};

struct ReplicaOptions {
  int32_t rule = XC_ISING_METROPOLIS;
  uint64_t seed = 0, first_stream = 0;
};
std::unique_ptr<Replicas> make_replicas(const Model& model, int64_t count, const ReplicaOptions& options, xc_device device,
                                        const Control& control);
std::unique_ptr<Replicas> make_replicas_cpu(const Model& model, int64_t count, const ReplicaOptions& options, const Control& control);
std::unique_ptr<Replicas> make_replicas_cuda(const Model& model, int64_t count, const ReplicaOptions& options, int device,
                                             const Control& control);

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
