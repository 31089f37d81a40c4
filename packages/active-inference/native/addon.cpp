// JavaScript's passage to xc_agent_table. Beliefs, observations and arrays are Float64Arrays, concatenated as the
// table's header says; their lengths are checked here against the model's, so that nothing is read out of bounds.
#include <numeric>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/agent.h"

XADDON_DOMAIN(xc_agent_table, "agent", XC_AGENT_ABI)

namespace {

// The native model with the sizes that lengths are checked against.
struct Model {
  const xc_agent_table* core;
  xc_agent_model* model = nullptr;
  std::vector<int32_t> controls;
  uint64_t factors = 0, state_total = 0, outcome_total = 0, action_total = 0;
  ~Model() {
    if (model) core->model_release(model);
  }
};
using ModelHandle = xaddon::Handle<Model>;
constexpr const char* kType = "Model";

ModelHandle::Ptr model_arg(const Napi::CallbackInfo& info) { return ModelHandle::unwrap(info[0], kType); }

template <class T>
xaddon::Span<T> sized(const Napi::Value& value, const char* name, uint64_t size) {
  const auto span = xaddon::array_arg<T>(value, name);
  if (span.size != size)
    xaddon::fail(XC_INVALID_ARGUMENT, name,
                 std::string(name) + " has " + std::to_string(span.size) + " values, expected " + std::to_string(size));
  return span;
}

// createModel({ states, controls, outcomes, aCounts, aDependencies, bCounts, bDependencies, a, b, c, d, preferenceSteps })
Napi::Value CreateModel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) xaddon::fail(XC_INVALID_ARGUMENT, "model", "a model must be an object");
  const auto o = info[0].As<Napi::Object>();
  const auto ints = [&](const char* key) { return xaddon::array_arg<int32_t>(o.Get(key), key); };
  const auto doubles = [&](const char* key) { return xaddon::array_arg<double>(o.Get(key), key); };
  const auto states = ints("states"), outcomes = ints("outcomes"), a_list = ints("aDependencies"), b_list = ints("bDependencies");
  const auto controls = sized<int32_t>(o.Get("controls"), "controls", states.size);
  const auto a_counts = sized<int32_t>(o.Get("aCounts"), "aCounts", outcomes.size);
  const auto b_counts = sized<int32_t>(o.Get("bCounts"), "bCounts", states.size);
  const auto a = doubles("a"), b = doubles("b"), c = doubles("c"), d = doubles("d");
  const xc_agent_model_spec spec{static_cast<int32_t>(states.size),
                                 static_cast<int32_t>(outcomes.size),
                                 states.data,
                                 controls.data,
                                 outcomes.data,
                                 a_counts.data,
                                 a_list.data,
                                 b_counts.data,
                                 b_list.data,
                                 a_list.size,
                                 b_list.size,
                                 a.data,
                                 b.data,
                                 c.data,
                                 d.data,
                                 a.size,
                                 b.size,
                                 c.size,
                                 d.size,
                                 o.Get("preferenceSteps").ToNumber().Int32Value()};
  auto model = std::make_unique<Model>();
  model->core = &xaddon::core<xc_agent_table>(env);
  xaddon::check([&](xc_error* e) { return model->core->model_create(&spec, &model->model, e); });
  model->controls.assign(controls.data, controls.data + controls.size);
  model->factors = states.size;
  model->state_total = std::accumulate(states.data, states.data + states.size, uint64_t{0});
  model->outcome_total = std::accumulate(outcomes.data, outcomes.data + outcomes.size, uint64_t{0});
  model->action_total = std::accumulate(controls.data, controls.data + controls.size, uint64_t{0});
  return ModelHandle::wrap(env, model.release(), [](Model* m) { delete m; }, kType);
}

// setModel(model, which, data)
Napi::Value SetModel(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const auto data = xaddon::array_arg<double>(info[2], "data");
  const int32_t which = static_cast<int32_t>(xaddon::number_arg(info, 1, "which"));
  xaddon::check([&](xc_error* e) { return model->core->model_set(model->model, which, data.data, data.size, e); });
  return info.Env().Undefined();
}

// infer(model, observation, prior, maxSweeps, tolerance) -> { beliefs, freeEnergy, complexity, accuracy, sweeps, converged }
Napi::Value Infer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto model = model_arg(info);
  const auto observation = sized<double>(info[1], "observation", model->outcome_total);
  const auto prior = sized<double>(info[2], "prior", model->state_total);
  const double sweeps = xaddon::number_arg(info, 3, "iterations"), tolerance = xaddon::number_arg(info, 4, "tolerance");
  std::vector<double> beliefs(model->state_total);
  xc_agent_free_energy f{};
  xaddon::check([&](xc_error* e) {
    return model->core->infer(model->model, observation.data, prior.data, static_cast<int32_t>(sweeps), tolerance,
                              beliefs.data(), &f, e);
  });
  auto out = Napi::Object::New(env);
  out.Set("beliefs", xaddon::copy_to_js(env, beliefs.data(), beliefs.size()));
  out.Set("freeEnergy", f.free_energy);
  out.Set("complexity", f.complexity);
  out.Set("accuracy", f.accuracy);
  out.Set("sweeps", f.sweeps);
  out.Set("converged", f.converged != 0);
  return out;
}

// predict(model, beliefs, action) -> Float64Array
Napi::Value Predict(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const auto beliefs = sized<double>(info[1], "beliefs", model->state_total);
  const auto action = sized<int32_t>(info[2], "action", model->factors);
  std::vector<double> next(model->state_total);
  xaddon::check([&](xc_error* e) { return model->core->predict(model->model, beliefs.data, action.data, next.data(), e); });
  return xaddon::copy_to_js(info.Env(), next.data(), next.size());
}

struct PolicyArgs {
  xaddon::Span<int32_t> actions;
  int64_t count;
  int32_t steps;
};
PolicyArgs policies_arg(const Model& model, const Napi::Value& actions, const Napi::Value& steps) {
  const auto span = xaddon::array_arg<int32_t>(actions, "policies");
  const int64_t n = steps.ToNumber().Int64Value();
  const uint64_t width = n > 0 && n < (1 << 24) ? n * model.factors : 0;
  if (width == 0 || span.size == 0 || span.size % width != 0)
    xaddon::fail(XC_INVALID_ARGUMENT, "policies", "policies must be whole [steps][factors] blocks");
  return {span, static_cast<int64_t>(span.size / width), static_cast<int32_t>(n)};
}

// expectedFreeEnergy(model, device, beliefs, policies, steps) -> { utility, informationGain }
Napi::Value ExpectedFreeEnergy(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto model = model_arg(info);
  const auto beliefs = sized<double>(info[2], "beliefs", model->state_total);
  const auto policies = policies_arg(*model, info[3], info[4]);
  std::vector<double> utility(policies.count), gain(policies.count);
  xaddon::check([&](xc_error* e) {
    return model->core->expected_free_energy(model->model, xaddon::device_arg(info[1]), beliefs.data, policies.actions.data,
                                             policies.count, policies.steps, utility.data(), gain.data(), nullptr, e);
  });
  auto out = Napi::Object::New(env);
  out.Set("utility", xaddon::copy_to_js(env, utility.data(), utility.size()));
  out.Set("informationGain", xaddon::copy_to_js(env, gain.data(), gain.size()));
  return out;
}

// policyPosterior(expectedFreeEnergy, habit | undefined, gamma) -> Float64Array
Napi::Value PolicyPosterior(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_agent_table>(info.Env());
  const auto g = xaddon::array_arg<double>(info[0], "expectedFreeEnergy");
  const double* habit = info[1].IsUndefined() ? nullptr : sized<double>(info[1], "E", g.size).data;
  const double gamma = xaddon::number_arg(info, 2, "gamma");
  std::vector<double> p(g.size);
  xaddon::check([&](xc_error* e) {
    return core.policy_posterior(g.data, habit, static_cast<int64_t>(g.size), gamma, p.data(), e);
  });
  return xaddon::copy_to_js(info.Env(), p.data(), p.size());
}

// actionMarginals(model, policies, steps, probabilities) -> Float64Array, concatenated over factors
Napi::Value ActionMarginals(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const auto policies = policies_arg(*model, info[1], info[2]);
  const auto p = sized<double>(info[3], "probabilities", policies.count);
  std::vector<double> out(model->action_total);
  xaddon::check([&](xc_error* e) {
    return model->core->action_marginals(model->model, policies.actions.data, policies.count, policies.steps, p.data,
                                         out.data(), e);
  });
  return xaddon::copy_to_js(info.Env(), out.data(), out.size());
}

// learnA(model, observation, beliefs, rate, retention, counts): counts are changed in place
Napi::Value LearnA(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const auto observation = sized<double>(info[1], "observation", model->outcome_total);
  const auto beliefs = sized<double>(info[2], "beliefs", model->state_total);
  const double rate = xaddon::number_arg(info, 3, "learningRate"), retention = xaddon::number_arg(info, 4, "retention");
  const auto counts = xaddon::array_arg<double>(info[5], "pA");
  xaddon::check([&](xc_error* e) {
    return model->core->learn_a(model->model, observation.data, beliefs.data, rate, retention, counts.data, counts.size, e);
  });
  return info.Env().Undefined();
}

// learnB(model, action, beliefs, previous, rate, retention, counts): counts are changed in place
Napi::Value LearnB(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const auto action = sized<int32_t>(info[1], "action", model->factors);
  const auto beliefs = sized<double>(info[2], "beliefs", model->state_total);
  const auto previous = sized<double>(info[3], "previous", model->state_total);
  const double rate = xaddon::number_arg(info, 4, "learningRate"), retention = xaddon::number_arg(info, 5, "retention");
  const auto counts = xaddon::array_arg<double>(info[6], "pB");
  xaddon::check([&](xc_error* e) {
    return model->core->learn_b(model->model, action.data, beliefs.data, previous.data, rate, retention, counts.data,
                                counts.size, e);
  });
  return info.Env().Undefined();
}

// dirichletMean(model, which, counts) -> Float64Array
Napi::Value DirichletMean(const Napi::CallbackInfo& info) {
  const auto model = model_arg(info);
  const int32_t which = static_cast<int32_t>(xaddon::number_arg(info, 1, "which"));
  const auto counts = xaddon::array_arg<double>(info[2], "counts");
  std::vector<double> mean(counts.size);
  xaddon::check([&](xc_error* e) {
    return model->core->dirichlet_mean(model->model, which, counts.data, counts.size, mean.data(), e);
  });
  return xaddon::copy_to_js(info.Env(), mean.data(), mean.size());
}

// draw(probabilities, seed, stream, counter) -> index
Napi::Value Draw(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_agent_table>(info.Env());
  const auto p = xaddon::array_arg<double>(info[0], "probabilities");
  const auto whole = [&](size_t i, const char* name) {
    const double value = xaddon::number_arg(info, i, name);
    if (!(value >= 0 && value <= 9007199254740991.0)) xaddon::fail(XC_INVALID_ARGUMENT, name, std::string(name) + " must be a safe integer from 0");
    return static_cast<uint64_t>(value);
  };
  int64_t index = 0;
  xaddon::check([&](xc_error* e) {
    return core.draw(p.data, static_cast<int64_t>(p.size), whole(1, "seed"), whole(2, "stream"), whole(3, "counter"), &index, e);
  });
  return Napi::Number::New(info.Env(), static_cast<double>(index));
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  XADDON_METHOD(exports, "createModel", CreateModel);
  XADDON_METHOD(exports, "setModel", SetModel);
  XADDON_METHOD(exports, "infer", Infer);
  XADDON_METHOD(exports, "predict", Predict);
  XADDON_METHOD(exports, "expectedFreeEnergy", ExpectedFreeEnergy);
  XADDON_METHOD(exports, "policyPosterior", PolicyPosterior);
  XADDON_METHOD(exports, "actionMarginals", ActionMarginals);
  XADDON_METHOD(exports, "learnA", LearnA);
  XADDON_METHOD(exports, "learnB", LearnB);
  XADDON_METHOD(exports, "draw", Draw);
  XADDON_METHOD(exports, "dirichletMean", DirichletMean);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
