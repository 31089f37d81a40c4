#include "thermo/ising/crossover/partition_crossover.hpp"

#include "testing/backend.hpp"
#include "thermo/ising/testing_models.hpp"
#if XCORE_CUDA
#include "thermo/ising/crossover/crossover_cuda.hpp"
#endif

using namespace xcore;
using namespace xcore::thermo::ising;

#if XCORE_CUDA
namespace {

constexpr int kWords = 3, kStates = 32 * kWords;

using States = std::vector<std::vector<int8_t>>;

std::vector<uint32_t> to_rows(const States& states, int32_t n) {
  std::vector<uint32_t> rows(static_cast<size_t>(n) * kWords, 0);
  for (int l = 0; l < kStates; ++l)
    for (int32_t i = 0; i < n; ++i) rows[i * kWords + l / 32] |= static_cast<uint32_t>(states[l][i] > 0) << (l % 32);
  return rows;
}

States from_rows(const std::vector<uint32_t>& rows, int32_t n) {
  States states(kStates, std::vector<int8_t>(n));
  for (int l = 0; l < kStates; ++l)
    for (int32_t i = 0; i < n; ++i) states[l][i] = rows[i * kWords + l / 32] >> (l % 32) & 1 ? 1 : -1;
  return states;
}

Model scaled(Model m, double factor) {
  for (double& w : m.couplings) w *= factor;
  for (double& h : m.fields) h *= factor;
  return m;
}

}  // namespace

TEST(DeviceCrossover, takes_what_the_cpu_takes_and_keeps_count_of_energies) {
  if (cuda_device_count() == 0) GTEST_SKIP() << "SKIPPED BACKEND cuda: " << cuda_unavailable_reason();
  // Sparse and dense, with fields and without, small whole weights, others, and a model too large for labels.
  const Model models[] = {testing_random_model(301, 500, 3, true, 1),  testing_random_model(320, 420, 1, false, 2),
                          testing_random_model(200, 2500, 2, false, 3), scaled(testing_random_model(301, 500, 3, true, 4), 0.37),
                          testing_random_model(31, 20, 1, true, 5),     testing_square_lattice(300, 300, 1)};
  for (const Model& m : models) {
    Philox random(9, static_cast<uint64_t>(m.n));
    States states(kStates, std::vector<int8_t>(m.n)), others;
    for (auto& state : states)
      for (auto& s : state) s = random.next_u32() & 1 ? 1 : -1;
    others = states;
    for (int l = 0; l < kStates; ++l)  // from equal states to independent ones and mirror images
      for (auto& s : others[l])
        if (random.next_below(kStates) < static_cast<uint32_t>(l)) s = static_cast<int8_t>(-s);
    const cuda::DeviceScope scope(0);
    const cuda::Stream stream(0);
    DeviceCrossover crossover(m, kWords, 32, 7, stream);
    const auto host = to_rows(states, m.n), host_others = to_rows(others, m.n);
    auto rows = cuda::Buffer<uint32_t>::from_host(host.data(), host.size(), stream);
    auto other_rows = cuda::Buffer<uint32_t>::from_host(host_others.data(), host_others.size(), stream);
    cuda::Buffer<double> energies(kStates, stream);
    std::vector<double> told(kStates);
    std::vector<uint32_t> words(host.size());
    const auto read = [&] {
      energies.download(told.data(), kStates);
      rows.download(words.data(), words.size());
      stream.synchronize();
      return from_rows(words, m.n);
    };
    crossover.energies(rows.data(), energies.data());
    EXPECT_TRUE(crossover.improve(rows.data(), other_rows.data(), energies.data(), [] { return false; }));
    const States improved = read();
    PartitionCrossover reference(m);
    for (int l = 0; l < kStates; ++l) {
      std::vector<int8_t> expected = states[l];
      reference.improve(expected.data(), others[l].data(), random);
      EXPECT_NEAR(m.energy(improved[l].data()), m.energy(expected.data()), 1e-9) << m.n << " spins, lane " << l;
      EXPECT_NEAR(told[l], m.energy(improved[l].data()), 1e-9) << m.n << " spins, lane " << l;
    }
    XC_CUDA(cudaMemcpyAsync(other_rows.data(), rows.data(), words.size() * 4, cudaMemcpyDeviceToDevice, stream.get()));
    EXPECT_TRUE(crossover.mate(rows.data(), other_rows.data(), 0.25f, energies.data(), [] { return false; }));
    const States mated = read();
    int changed = 0;
    for (int l = 0; l < kStates; ++l) {
      changed += mated[l] != improved[l];
      EXPECT_NEAR(told[l], m.energy(mated[l].data()), 1e-9) << m.n << " spins, lane " << l;
      EXPECT_LE(m.energy(mated[l].data()), m.energy(improved[l].data()) + 1e-9);
    }
    EXPECT_GT(changed, 0);
    EXPECT_LT(changed, kStates / 2);
  }
}
#endif
