#include "thermo/ising/replicas/replicas.hpp"

#include "runtime/device.hpp"
#include "thermo/ising/bitsliced/bitsliced_replicas.hpp"
#include "thermo/ising/single_spin/single_spin.hpp"

namespace xcore::thermo::ising {

namespace {

// A row of the bit-sliced kernels costs the same however few of its 512 lanes are used: from a half on it is the faster way by far.
constexpr int64_t kFewestSliced = 256;

}  // namespace

std::unique_ptr<Replicas> make_replicas(const Model& model, int64_t count, const ReplicaOptions& options, xc_device device,
                                        const Control& control) {
  if (count >= kFewestSliced && options.rule == XC_ISING_METROPOLIS && !options.cluster_moves) {
    auto sliced = make_bitsliced_replicas(model, count, options, device, control);
    if (sliced) return sliced;
  }
  return make_single_spin_replicas(model, count, options, device, control);
}

}  // namespace xcore::thermo::ising
