#include "llm/attention/attention.hpp"

#include "llm/testing_cases.hpp"
#include "llm/testing_levels.hpp"
#include "runtime/thread_pool.hpp"

namespace xcore::llm {
namespace {

using namespace testing;

class Attention : public LevelTest {
 protected:
  struct Data {
    AttentionShape shape;
    std::vector<float> q;
    std::vector<uint16_t> k, v;
  };
  static Data make(const AttentionCase& c, double deviation = 1.0) {
    const size_t positions = static_cast<size_t>(c.first_position) + c.tokens, width = static_cast<size_t>(c.kv_heads) * c.head_dim;
    return {{c.heads, c.kv_heads, c.head_dim, c.tokens, c.first_position},
            random_floats(static_cast<size_t>(c.tokens) * c.heads * c.head_dim, 1, deviation),
            random_halves(positions * width, 2, deviation), random_halves(positions * width, 3)};
  }
  std::vector<float> reference(const Data& d) {
    std::vector<float> out(d.q.size());
    attention_ref(d.shape, d.q.data(), d.k.data(), d.v.data(), out.data());
    return out;
  }
  std::vector<float> run(const Data& d) {
    std::vector<float> out(d.q.size(), NAN);
    attention_cpu(d.shape, d.q.data(), d.k.data(), d.v.data(), out.data(), level());
    return out;
  }
};

TEST_P(Attention, matches_the_reference_for_every_shape) {
  for (const AttentionCase& c : attention_cases()) {
    SCOPED_TRACE(::testing::Message() << c.heads << " heads, " << c.kv_heads << " kv, dim " << c.head_dim << ", tokens " << c.tokens << " at " << c.first_position);
    const Data d = make(c);
    expect_near(run(d), reference(d), 1e-5);
  }
}

TEST_P(Attention, stays_exact_when_one_position_takes_all_the_weight) {
  const Data d = make({4, 2, 64, 20, 150}, 6.0);  // scores in the hundreds
  expect_near(run(d), reference(d), 1e-4);
}

TEST_P(Attention, a_token_does_not_see_what_comes_after_it) {
  Data d = make({4, 2, 16, 70, 30});
  const std::vector<float> before = run(d);
  const size_t width = 32, last = 99 * width;
  for (size_t i = last; i < last + width; ++i) d.k[i] = d.v[i] = 0x7BFF;  // the last position: 65504
  const std::vector<float> after = run(d);
  const size_t per_token = 64;
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 69 * per_token, after.begin()));
  EXPECT_FALSE(std::equal(before.begin() + 69 * per_token, before.end(), after.begin() + 69 * per_token));
}

TEST_P(Attention, gives_the_same_bits_on_any_number_of_threads) {
  const Data d = make({8, 2, 32, 60, 200});
  const int before = thread_pool().threads();
  thread_pool().set_threads(1);
  const std::vector<float> one = run(d);
  thread_pool().set_threads(5);
  EXPECT_EQ(one, run(d));
  thread_pool().set_threads(before);
}

XC_INSTANTIATE_LEVELS(Attention);

}  // namespace
}  // namespace xcore::llm
