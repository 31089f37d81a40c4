// One block a policy: beliefs live in a workspace of the block, threads share the rows of each matrix-vector product.
// Sums run in a fixed order, so the values do not depend on the scheduling.
#include <algorithm>

#include "agent/efe/efe.hpp"
#include "runtime/cuda.hpp"
#include "runtime/device.hpp"
#include "runtime/trace.hpp"

namespace xcore::agent {

namespace {

constexpr int kThreads = 128;
constexpr int kMaxDependencies = 32;
constexpr size_t kWorkspaceBytes = size_t{256} << 20;

struct DeviceArray {           // A[m] or B[f]
  int32_t rows;                // outcomes or states
  int32_t controls;            // 1 for A
  int64_t columns;
  int64_t values;              // [controls][columns][rows] in the shared data
  int64_t column_entropy;      // A only
  int64_t log_preference;      // A only, [steps][rows]
  int32_t dependency_count;
  int32_t dependencies[kMaxDependencies];
};

struct DeviceModel {
  const DeviceArray* likelihoods;
  const DeviceArray* transitions;
  const double* data;
  const int32_t* states;
  const int64_t* state_offset;
  int32_t factors, modalities, preference_steps;
  int64_t state_total, widest;
};

__device__ double block_sum(double value, double* scratch) {
  scratch[threadIdx.x] = value;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) scratch[threadIdx.x] += scratch[threadIdx.x + half];
    __syncthreads();
  }
  const double sum = scratch[0];
  __syncthreads();
  return sum;
}

// The joint belief of an array's dependencies; with one dependency that is the belief itself.
__device__ const double* joint_of(const DeviceModel& model, const DeviceArray& array, const double* q, double* joint) {
  if (array.dependency_count == 1) return q + model.state_offset[array.dependencies[0]];
  for (int64_t j = threadIdx.x; j < array.columns; j += kThreads) {
    int64_t rest = j;
    double p = 1.0;
    for (int k = array.dependency_count - 1; k >= 0; --k) {
      const int32_t f = array.dependencies[k];
      p *= q[model.state_offset[f] + rest % model.states[f]];
      rest /= model.states[f];
    }
    joint[j] = p;
  }
  __syncthreads();
  return joint;
}

__global__ void efe_kernel(DeviceModel model, const double* beliefs, const int32_t* policies, int64_t count, int32_t steps,
                           double* workspace, double* utility, double* information_gain) {
  __shared__ double scratch[kThreads];
  double* q = workspace + blockIdx.x * (2 * model.state_total + model.widest);
  double* next = q + model.state_total;
  double* joint = next + model.state_total;
  for (int64_t p = blockIdx.x; p < count; p += gridDim.x) {
    for (int64_t s = threadIdx.x; s < model.state_total; s += kThreads) q[s] = beliefs[s];
    __syncthreads();
    double my_utility = 0.0, my_gain = 0.0;  // each thread's share
    for (int32_t t = 0; t < steps; ++t) {
      for (int32_t f = 0; f < model.factors; ++f) {
        const DeviceArray& b = model.transitions[f];
        const double* weights = joint_of(model, b, q, joint);
        const int64_t action = policies[(p * steps + t) * model.factors + f];
        const double* values = model.data + b.values + action * b.columns * b.rows;
        for (int32_t s = threadIdx.x; s < b.rows; s += kThreads) {
          double sum = 0.0;
          for (int64_t j = 0; j < b.columns; ++j) sum += weights[j] * values[j * b.rows + s];
          next[model.state_offset[f] + s] = sum;
        }
        __syncthreads();
      }
      double* swap = q;
      q = next;
      next = swap;
      const int32_t preference_step = t < model.preference_steps ? t : model.preference_steps - 1;
      for (int32_t m = 0; m < model.modalities; ++m) {
        const DeviceArray& a = model.likelihoods[m];
        const double* weights = joint_of(model, a, q, joint);
        for (int64_t j = threadIdx.x; j < a.columns; j += kThreads)
          my_gain -= weights[j] * model.data[a.column_entropy + j];
        const double* log_preference = model.data + a.log_preference + int64_t{preference_step} * a.rows;
        for (int32_t o = threadIdx.x; o < a.rows; o += kThreads) {
          double predicted = 0.0;
          for (int64_t j = 0; j < a.columns; ++j) predicted += weights[j] * model.data[a.values + j * a.rows + o];
          my_utility += predicted * log_preference[o];
          if (predicted > 0.0) my_gain -= predicted * log(predicted);
        }
        __syncthreads();  // joint is written again by the next array
      }
    }
    const double total_utility = block_sum(my_utility, scratch);
    const double total_gain = block_sum(my_gain, scratch);
    if (threadIdx.x == 0) {
      utility[p] = total_utility;
      information_gain[p] = total_gain;
    }
  }
}

}  // namespace

void efe_cuda(int device, const Model& model, const double* beliefs, const Policies& policies, double* utility,
              double* information_gain, const Control& control) {
  const trace::OpTimer timer("agent.efe", cuda_device(device), (model.a_size + model.b_size) * sizeof(double));
  std::vector<double> data;
  const auto put = [&data](const std::vector<double>& values) {
    const int64_t at = static_cast<int64_t>(data.size());
    data.insert(data.end(), values.begin(), values.end());
    return at;
  };
  std::vector<DeviceArray> likelihoods, transitions;
  for (const Likelihood& a : model.likelihoods) {
    DeviceArray d{a.outcomes, 1, a.columns, put(a.by_column), put(a.column_entropy), put(a.log_preference),
                  static_cast<int32_t>(a.dependencies.size()), {}};
    std::copy(a.dependencies.begin(), a.dependencies.end(), d.dependencies);
    likelihoods.push_back(d);
  }
  for (const Transition& b : model.transitions) {
    DeviceArray d{b.states, b.controls, b.columns, put(b.by_column), 0, 0, static_cast<int32_t>(b.dependencies.size()), {}};
    std::copy(b.dependencies.begin(), b.dependencies.end(), d.dependencies);
    transitions.push_back(d);
  }
  const size_t per_block = 2 * model.state_total + model.widest;
  const int64_t room = std::max<int64_t>(1, kWorkspaceBytes / (per_block * sizeof(double)));
  const int blocks = static_cast<int>(std::min<int64_t>({policies.count, room, 8192}));

  const cuda::DeviceScope scope(device);
  const cuda::Stream stream(device);
  const int64_t width = int64_t{policies.steps} * model.factors();
  const auto d_data = cuda::Buffer<double>::from_host(data.data(), data.size(), stream);
  const auto d_likelihoods = cuda::Buffer<DeviceArray>::from_host(likelihoods.data(), likelihoods.size(), stream);
  const auto d_transitions = cuda::Buffer<DeviceArray>::from_host(transitions.data(), transitions.size(), stream);
  const auto d_states = cuda::Buffer<int32_t>::from_host(model.states.data(), model.states.size(), stream);
  const auto d_offsets = cuda::Buffer<int64_t>::from_host(model.state_offset.data(), model.state_offset.size(), stream);
  const auto d_beliefs = cuda::Buffer<double>::from_host(beliefs, model.state_total, stream);
  cuda::Buffer<double> workspace(per_block * blocks, stream);
  const DeviceModel d_model{d_likelihoods.data(), d_transitions.data(), d_data.data(),      d_states.data(),
                            d_offsets.data(),     model.factors(),      model.modalities(), model.preference_steps,
                            model.state_total,    model.widest};
  // In slices, so that a cancellation is noticed and memory stays bounded: about 5e9 multiply-adds, 10 ms of a GPU, each.
  const double work_each = efe_work(model, policies) / static_cast<double>(policies.count);
  const int64_t slice = std::min<int64_t>(policies.count, std::max<int64_t>(1, static_cast<int64_t>(5e9 / work_each)));
  cuda::Buffer<int32_t> d_policies(slice * width, stream);
  cuda::Buffer<double> d_utility(slice, stream), d_gain(slice, stream);
  for (int64_t begin = 0; begin < policies.count; begin += slice) {
    const int64_t count = std::min(slice, policies.count - begin);
    control.throw_if_cancelled();
    d_policies.upload(policies.actions + begin * width, count * width);
    efe_kernel<<<static_cast<int>(std::min<int64_t>(blocks, count)), kThreads, 0, stream>>>(
        d_model, d_beliefs.data(), d_policies.data(), count, policies.steps, workspace.data(), d_utility.data(), d_gain.data());
    XC_CUDA_LAUNCHED("efe_kernel");
    d_utility.download(utility + begin, count);
    d_gain.download(information_gain + begin, count);
    stream.synchronize();
  }
}

}  // namespace xcore::agent
