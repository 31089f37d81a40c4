// The domain's table: checks what the C types cannot say, chooses the device, stops exceptions.
#include <memory>

#include "agent/dirichlet/dirichlet.hpp"
#include "agent/efe/efe.hpp"
#include "agent/inference/inference.hpp"
#include "agent/policy/policy.hpp"
#include "runtime/device.hpp"

struct xc_agent_model {
  explicit xc_agent_model(const xc_agent_model_spec& spec) : model(spec) {}
  xcore::agent::Model model;
};

namespace {

using namespace xcore;
using namespace xcore::agent;

// Below this many multiply-adds the CPU is done before a GPU has been told what to do (about 5 ms of one core).
constexpr double kWorkThatPays = 1e7;

xc_status model_create(const xc_agent_model_spec* spec, xc_agent_model** out, xc_error* error) {
  return guard(error, [&] { *out = std::make_unique<xc_agent_model>(*spec).release(); });
}

void model_release(xc_agent_model* model) { delete model; }

xc_status model_set(xc_agent_model* model, int32_t which, const double* data, uint64_t size, xc_error* error) {
  return guard(error, [&] { model->model.set(which, data, size); });
}

xc_status infer(const xc_agent_model* model, const double* observation, const double* prior, int32_t max_sweeps,
                double tolerance, double* beliefs, xc_agent_free_energy* out, xc_error* error) {
  return guard(error, [&] { *out = infer_cpu(model->model, observation, prior, {max_sweeps, tolerance}, beliefs); });
}

xc_status predict_states(const xc_agent_model* model, const double* beliefs, const int32_t* action, double* next,
                         xc_error* error) {
  return guard(error, [&] {
    check_beliefs(model->model, beliefs, "beliefs");
    check_action(model->model, action);
    std::vector<double> joint(model->model.widest);
    predict(model->model, beliefs, action, next, joint.data());
  });
}

xc_status expected_free_energy(const xc_agent_model* model, xc_device device, const double* beliefs, const int32_t* policies,
                               int64_t count, int32_t steps, double* utility, double* information_gain,
                               const xc_control* control, xc_error* error) {
  return guard(error, [&] {
    const Model& m = model->model;
    check_beliefs(m, beliefs, "beliefs");
    check_policies(m, policies, count, steps);
    const Policies all{policies, count, steps};
    const Control c(control);
    run_on(
        device, efe_work(m, all) >= kWorkThatPays, "agent.efe",
        [&](int index) {
#if XCORE_CUDA
          efe_cuda(index, m, beliefs, all, utility, information_gain, c);
#else
          throw xcore::error(XC_DEVICE_UNAVAILABLE, "device", -1, "this build has no CUDA, so cuda:%d cannot be used", index);
#endif
        },
        [&] { efe_cpu(m, beliefs, all, utility, information_gain, c); });
  });
}

xc_status posterior(const double* expected_free_energy, const double* habit, int64_t count, double gamma,
                    double* probabilities, xc_error* error) {
  return guard(error, [&] { policy_posterior(expected_free_energy, habit, count, gamma, probabilities); });
}

xc_status marginals(const xc_agent_model* model, const int32_t* policies, int64_t count, int32_t steps,
                    const double* probabilities, double* out, xc_error* error) {
  return guard(error, [&] { action_marginals(model->model, {policies, count, steps}, probabilities, out); });
}

xc_status learn_likelihood(const xc_agent_model* model, const double* observation, const double* beliefs, double rate,
                           double retention, double* counts, uint64_t size, xc_error* error) {
  return guard(error, [&] { learn_a(model->model, observation, beliefs, rate, retention, counts, size); });
}

xc_status learn_transition(const xc_agent_model* model, const int32_t* action, const double* beliefs, const double* previous,
                           double rate, double retention, double* counts, uint64_t size, xc_error* error) {
  return guard(error, [&] { learn_b(model->model, action, beliefs, previous, rate, retention, counts, size); });
}

xc_status mean(const xc_agent_model* model, int32_t which, const double* counts, uint64_t size, double* out, xc_error* error) {
  return guard(error, [&] { dirichlet_mean(model->model, which, counts, size, out); });
}

xc_status draw_index(const double* probabilities, int64_t count, uint64_t seed, uint64_t stream, uint64_t counter, int64_t* out,
                     xc_error* error) {
  return guard(error, [&] { *out = draw(probabilities, count, seed, stream, counter); });
}

const xc_agent_table table = {{"agent", XC_AGENT_ABI, sizeof(xc_agent_table)},
                              model_create,
                              model_release,
                              model_set,
                              infer,
                              predict_states,
                              expected_free_energy,
                              posterior,
                              marginals,
                              learn_likelihood,
                              learn_transition,
                              draw_index,
                              mean};

}  // namespace

extern "C" const void* xc_agent_table_v1(void) { return &table; }
