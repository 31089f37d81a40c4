// The KSG network on a GPU: lists of the targets, walks of 32 sources at a time, then the counts in P and S.
#include <algorithm>
#include <cstdlib>
#include <cstdio>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "runtime/cuda.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/ksg.hpp"
#include "te/network/ksg/ksg_lists.cuh"
#include "te/network/ksg/ksg_layout.cuh"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/network/ksg/ksg_ranges.cuh"
#include "te/network/ksg/ksg_scan.cuh"
#include "te/network/ksg/ksg_walk.cuh"
#include "te/network/ksg/ksg_tile.cuh"
#include "te/network/ksg/ksg_counts.cuh"
#include "te/network/ksg/ksg_blocks.cuh"

namespace xcore::te {
double g_ms[8];
static int env(const char* name, int other) { const char* v = std::getenv(name); return v ? std::atoi(v) : other; }
namespace {

constexpr int64_t kBatchBytes = 384ll << 20;  // of eps and n_FP between the kernels
constexpr int64_t kListBytes = 4ll << 30;
constexpr int kStragglers = 1;  // measured: 176, 183, 203, 257 ms with 1, 2, 3, 5 at V = N = 1000 on an H200

unsigned blocks_of(int64_t items, int64_t each) { return static_cast<unsigned>((items + each - 1) / each); }

template <class Kernel>
void allow_shared(Kernel kernel, size_t bytes) {
  if (bytes > 48 * 1024)
    XC_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
}

template <class T>
class KsgPairsCuda final : public Pairs {
 public:
  KsgPairsCuda(int device, const KsgPairsProblem& problem) : p_(problem), c_(*problem.columns), scope_(device), stream_(device) {
    if (p_.k > kKsgPairsCudaMaxK || c_.past_dims > kKsgPairsCudaMaxDims || c_.source_dims > kKsgPairsCudaMaxDims)
      throw error(XC_UNSUPPORTED, p_.k > kKsgPairsCudaMaxK ? "k" : "history", -1,
                  "networks on CUDA take k up to %d and histories up to %d; here they are %d, %d and %d. Use the CPU.",
                  kKsgPairsCudaMaxK, kKsgPairsCudaMaxDims, p_.k, c_.past_dims, c_.source_dims);
    if (c_.n > 1 << 26) throw error(XC_UNSUPPORTED, "samples", -1, "networks on CUDA take up to 2^26 samples. Use the CPU.");
    int shared = 0;
    XC_CUDA(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
    shared_limit_ = static_cast<size_t>(shared) - 1024;
    const int64_t n = c_.n, v = c_.variables, targets = c_.targets;
    future_ = upload(c_.future);
    past_ = upload(c_.past);
    source_ = upload(c_.source);
    const auto psi = digamma_table(n + 2);
    psi_ = cuda::Buffer<double>::from_host(psi.data(), psi.size(), stream_);

    past_order_ = cuda::Buffer<uint32_t>(targets * n, stream_);
    past_ranked_ = cuda::Buffer<T>(targets * n * c_.past_dims, stream_);
    future_ranked_ = cuda::Buffer<T>(targets * n, stream_);
    sort(targets, past_.data(), c_.past, n * c_.past_dims, nullptr, past_order_.data());
    rank(past_.data(), c_.past_dims, past_ranked_.data());
    rank(future_.data(), 1, future_ranked_.data());
    plan_ranges();
    source_sorted_ = cuda::Buffer<T>(v * n, stream_);
    source_order_ = cuda::Buffer<uint32_t>(v * n, stream_);
    source_rank_ = cuda::Buffer<uint32_t>(v * n, stream_);
    sort(v, source_.data(), c_.source, n * c_.source_dims, source_sorted_.data(), source_order_.data());
    target_pairs_ = cuda::Buffer<FuturePast<T>>(targets * n, stream_);
    if (ranges_) past_rank_ = cuda::Buffer<uint16_t>(targets * n, stream_);
    for (int32_t first = 0; first < v; first += 65535) {
      const dim3 grid(blocks_of(n, 256), static_cast<unsigned>(std::min<int64_t>(65535, v - first)));
      invert_kernel<<<grid, 256, 0, stream_>>>(source_order_.data() + first * n, n, source_rank_.data() + first * n);
      XC_CUDA_LAUNCHED("invert_kernel");
    }
    for (int32_t first = 0; first < targets; first += 65535) {
      const dim3 grid(blocks_of(n, 256), static_cast<unsigned>(std::min<int64_t>(65535, targets - first)));
      if (ranges_) invert_kernel<<<grid, 256, 0, stream_>>>(past_order_.data() + first * n, n, past_rank_.data() + first * n);
      pairs_kernel<<<grid, 256, 0, stream_>>>(future_.data() + first * n, past_.data() + first * n * c_.past_dims, n, c_.past_dims,
                                              target_pairs_.data() + first * n);
      XC_CUDA_LAUNCHED("layout kernel");
    }
    if (ranges_) {
      future_sorted_ = cuda::Buffer<T>(targets * n, stream_);
      future_order_ = cuda::Buffer<uint32_t>(targets * n, stream_);
      sort(targets, future_.data(), c_.future, n, future_sorted_.data(), future_order_.data());
    }
    const int blocks = static_cast<int>(blocks_of(v, kLanes));
    source_blocks_ = cuda::Buffer<T>(static_cast<size_t>(blocks) * c_.source_dims * n * kLanes, stream_);
    block_kernel<T><<<dim3(blocks_of(n, 32), blocks, c_.source_dims), dim3(32, 8), 0, stream_>>>(
        source_.data(), c_.variables, c_.source_dims, n, source_blocks_.data());
    XC_CUDA_LAUNCHED("block_kernel");
    cap_ = n <= 4096 ? 128 : 256;
    plan_tile();
    stream_.synchronize();  // host copies of the constructor end here
  }

  int32_t targets_at_once() const override {
    const int64_t bytes = c_.n * cap_ * static_cast<int64_t>(sizeof(Near<T>));
    return static_cast<int32_t>(std::clamp<int64_t>(kListBytes / bytes, 1, 32768));
  }

  void prepare(int32_t from, int32_t to, const Control& control) override {
    control.throw_if_cancelled();
    const DeviceScope scope(stream_.device());
    from_ = from, to_ = to;
    const int64_t rows = static_cast<int64_t>(to - from) * c_.n;
    if (lists_.size() < static_cast<size_t>(rows) * cap_) {
      lists_.reset();
      limits_.reset();
      lists_ = cuda::Buffer<Near<T>>(static_cast<size_t>(rows) * cap_ + kChunk, stream_);
      limits_ = cuda::Buffer<T>(rows, stream_);
    }
    const dim3 grid(blocks_of(c_.n, kListWarps * kListRows), to - from);
    if (cap_ == 128) list_kernel<T, 128><<<grid, kListWarps * 32, 0, stream_>>>(data(), lists_.data(), limits_.data());
    else list_kernel<T, 256><<<grid, kListWarps * 32, 0, stream_>>>(data(), lists_.data(), limits_.data());
    XC_CUDA_LAUNCHED("list_kernel");
    if (!ranges_ || tile_) return;
    const size_t across = static_cast<size_t>(to - from) * c_.n;
    const size_t entries = static_cast<size_t>(to - from) * future_table_.rows * future_table_.pitch;
    if (future_across_.size() < across) {
      future_across_ = cuda::Buffer<uint16_t>(across, stream_);
      future_bits_ = cuda::Buffer<uint32_t>(entries, stream_);
      future_before_ = cuda::Buffer<uint16_t>(entries, stream_);
    }
    future_table_kernel<T><<<to - from, 256, 0, stream_>>>(data(), future_order_.data(), past_rank_.data(), future_table_, future_across_.data(),
                                                           future_bits_.data(), future_before_.data());
    XC_CUDA_LAUNCHED("future_table_kernel");
  }

  void originals(double* te, const Control& control) override {
    const DeviceScope scope(stream_.device());
    const int blocks = static_cast<int>(blocks_of(c_.variables, kLanes));
    std::vector<Task> tasks;
    for (int target = 0; target < to_ - from_; ++target)
      for (int block = 0; block < blocks; ++block) tasks.push_back({target, block, -1});
    std::vector<double> values(tasks.size() * kLanes);
    run(tasks, {source_blocks_.data(), nullptr, nullptr, kLanes}, values.data(), control);
    thread_pool().parallel_for(to_ - from_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t target = begin; target < end; ++target) {
        const int32_t y = from_ + static_cast<int32_t>(target);
        for (int32_t x = 0; x < c_.variables; ++x) {
          te[target * c_.variables + x] = c_.nothing(x, y) ? 0.0 : values[(target * blocks + x / kLanes) * kLanes + x % kLanes];
        }
      }
    });
  }

  void surrogates(const Pair* pairs, int64_t pair_count, int32_t first, int32_t count, double* te, const Control& control) override {
    const DeviceScope scope(stream_.device());
    const int64_t n = c_.n;
    cuda::Buffer<uint32_t> rows(2 * kLanes * n, stream_);
    cuda::Buffer<T> blocks(static_cast<size_t>(c_.variables) * c_.source_dims * n * kLanes, stream_);
    std::vector<uint32_t> host(2 * kLanes * n);
    std::vector<Task> tasks(pair_count);
    for (int64_t p = 0; p < pair_count; ++p) tasks[p] = {pairs[p].target - from_, pairs[p].source, pairs[p].source};
    std::vector<double> values(tasks.size() * kLanes);
    for (int32_t done = 0; done < count; done += kLanes) {
      const int lanes = std::min(kLanes, count - done);
      for (int lane = 0; lane < lanes; ++lane) {
        const int32_t* permutation = p_.permutations + static_cast<int64_t>(first + done + lane) * n;
        for (int64_t t = 0; t < n; ++t) {
          host[lane * n + t] = permutation[t];
          host[(kLanes + lane) * n + permutation[t]] = static_cast<uint32_t>(t);
        }
      }
      rows.upload(host.data(), host.size());
      permuted_block_kernel<T><<<dim3(blocks_of(n, 8), c_.variables, c_.source_dims), dim3(32, 8), 0, stream_>>>(
          source_.data(), rows.data(), lanes, 0, c_.source_dims, n, blocks.data());
      XC_CUDA_LAUNCHED("permuted_block_kernel");
      run(tasks, {blocks.data(), rows.data(), rows.data() + kLanes * n, lanes}, values.data(), control);
      for (int64_t p = 0; p < pair_count; ++p) {
        const bool nothing = c_.nothing(pairs[p].source, pairs[p].target);
        for (int lane = 0; lane < lanes; ++lane) te[p * count + done + lane] = nothing ? 0.0 : values[p * kLanes + lane];
      }
    }
  }

 private:
  using DeviceScope = cuda::DeviceScope;

  cuda::Buffer<T> upload(const std::vector<double>& from) {
    cuda::Buffer<T> out(from.size(), stream_);
    if constexpr (std::is_same_v<T, double>) {
      out.upload(from.data(), from.size());
      stream_.synchronize();
    } else {
      std::vector<float> single(from.size());
      thread_pool().parallel_for(static_cast<int64_t>(from.size()), 1 << 16, [&](int64_t begin, int64_t end) {
        for (int64_t m = begin; m < end; ++m) single[m] = static_cast<float>(from[m]);
      });
      out.upload(single.data(), single.size());
      stream_.synchronize();
    }
    return out;
  }

  // Sorts the first column of each of `many` variables.
  void sort(int64_t many, const T* columns, const std::vector<double>& host, int64_t stride, T* sorted, uint32_t* order) {
    const int64_t n = c_.n;
    int64_t padded = 2;
    while (padded < n) padded *= 2;
    const size_t bytes = padded * (sizeof(T) + sizeof(uint32_t));
    if (bytes <= shared_limit_) {
      allow_shared(sort_kernel<T>, bytes);
      sort_kernel<T><<<static_cast<unsigned>(many), kSortThreads, bytes, stream_>>>(columns, stride, static_cast<int>(n), static_cast<int>(padded), sorted, order);
      XC_CUDA_LAUNCHED("sort_kernel");
      return;
    }
    std::vector<uint32_t> orders(many * n);
    std::vector<T> keys(sorted ? many * n : 0);
    thread_pool().parallel_for(many, 1, [&](int64_t begin, int64_t end) {
      for (int64_t v = begin; v < end; ++v) {
        uint32_t* o = orders.data() + v * n;
        const double* x = host.data() + v * stride;
        for (int64_t m = 0; m < n; ++m) o[m] = static_cast<uint32_t>(m);
        std::sort(o, o + n, [&](uint32_t l, uint32_t r) { return static_cast<T>(x[l]) < static_cast<T>(x[r]) || (static_cast<T>(x[l]) == static_cast<T>(x[r]) && l < r); });
        if (sorted) for (int64_t m = 0; m < n; ++m) keys[v * n + m] = static_cast<T>(x[o[m]]);
      }
    });
    XC_CUDA(cudaMemcpyAsync(order, orders.data(), orders.size() * sizeof(uint32_t), cudaMemcpyHostToDevice, stream_));
    if (sorted) XC_CUDA(cudaMemcpyAsync(sorted, keys.data(), keys.size() * sizeof(T), cudaMemcpyHostToDevice, stream_));
    stream_.synchronize();
  }

  void rank(const T* columns, int dims, T* ranked) {
    for (int32_t v = 0; v < c_.targets; v += 65535 / dims) {
      const int32_t many = std::min<int32_t>(65535 / dims, c_.targets - v);
      rank_kernel<T><<<dim3(blocks_of(c_.n, 256), many * dims), 256, 0, stream_>>>(
          columns + static_cast<int64_t>(v) * dims * c_.n, past_order_.data() + static_cast<int64_t>(v) * c_.n, c_.n, dims,
          ranked + static_cast<int64_t>(v) * dims * c_.n);
      XC_CUDA_LAUNCHED("rank_kernel");
    }
  }

  // The finest table that leaves room for several blocks of threads on a multiprocessor, else for one; none: scan instead.
  void plan_ranges() {
    ranges_ = false;
    if (c_.past_dims != 1 || c_.source_dims != 1 || c_.n > 65535) return;
    const int pitch = static_cast<int>(c_.n / 32 + 1) | 1;
    const auto table = [&](int shift) {
      const int step = 1 << shift;
      return RangeTable{step, shift, pitch, static_cast<int>((c_.n + step - 1) / step) + 1};
    };
    while (padded_ < c_.n) padded_ *= 2;
    future_table_ = table(c_.n <= 2048 ? 3 : 5);
    past_in_shared_ = c_.n <= 4096;
    for (const size_t room : {size_t{36} << 10, size_t{44} << 10, size_t{56} << 10, size_t{75} << 10, shared_limit_ / 2 - 1024, shared_limit_}) {
      for (int shift = 3; shift <= 8; ++shift) {
        table_ = table(shift);
        range_bytes_ = ranges_shared<T>(c_.n, past_in_shared_, table_);
        if (range_bytes_ > room || (shift > 5 && room != shared_limit_) || (shift > 3 && room < (56 << 10))) continue;
        ranges_ = true;
        return;
      }
    }
  }

  void plan_tile() {
    tile_ = false;
    const int64_t n = c_.n, v = c_.variables, targets = c_.targets;
    if (!ranges_ || !env("TE_VARIANT", 1)) return;
    cells_ = 2;
    while (cells_ < n) cells_ *= 2;
    if (n <= 4096) cells_ <<= env("TE_CELLS", 1);
    else cells_ >>= env("TE_LCELLS", 1);
    in_shared_ = n <= 2048 && tile_shared<T>(n, cells_, 512, true) <= shared_limit_;
    tile_threads_ = 256;
    if (in_shared_) tile_threads_ = sizeof(T) == 8 || p_.k > 4 || tile_shared<T>(n, cells_, 512, true) <= (size_t{112} << 10) ? 512 : 1024;
    tile_bytes_ = tile_shared<T>(n, cells_, tile_threads_, in_shared_);
    const int shift = env("TE_SHIFT", 3), step = 1 << shift;
    counts_table_ = {step, shift, static_cast<int>(n / 32 + 1) | 1, static_cast<int>((n + step - 1) / step) + 1};
    counts_bytes_ = counts_shared<T>(n, cells_, counts_table_);
    bits_ = counts_bytes_ <= (size_t{110} << 10);
    if (!bits_) {
      for (int shared = 1; shared >= 0; --shared) {
        for (int q = 5; q < 10; ++q) {
          const int squares = static_cast<int>((n + (1 << q) - 1) >> q);
          square_table_ = {q, squares, ((squares + 2) / 2 | 1) * 2};
          sorted_in_shared_ = shared;
          counts_bytes_ = blocks_shared<T>(n, square_table_, cells_, shared);
          if (counts_bytes_ <= shared_limit_) { shared = 0; tile_ = true; break; }
          if (shared && q > 6) break;
        }
      }
      if (!tile_) return;
    }
    tile_ = true;
    past_cells_ = cuda::Buffer<uint16_t>(targets * (cells_ + 2), stream_);
    source_cells_ = cuda::Buffer<uint16_t>(v * (cells_ + 2), stream_);
    past_scales_ = cuda::Buffer<CellScale<T>>(targets, stream_);
    source_scales_ = cuda::Buffer<CellScale<T>>(v, stream_);
    grid_kernel<T><<<static_cast<unsigned>(targets), 256, 0, stream_>>>(past_ranked_.data(), static_cast<int>(n), cells_, past_cells_.data(), past_scales_.data());
    grid_kernel<T><<<static_cast<unsigned>(v), 256, 0, stream_>>>(source_sorted_.data(), static_cast<int>(n), cells_, source_cells_.data(), source_scales_.data());
    XC_CUDA_LAUNCHED("grid_kernel");
    std::vector<Fixed> fixed(n + 2);
    const auto psi = digamma_table(n + 2);
    for (int64_t m = 1; m < n + 2; ++m) fixed[m] = std::llround(psi[m] * kFixedOne);
    fixed_psi_ = cuda::Buffer<Fixed>::from_host(fixed.data(), fixed.size(), stream_);
    stream_.synchronize();
  }

  template <int kMaxK>
  void run_walk(const TileArgs<T>& w) {
    const unsigned grid = (w.task_count + w.abreast - 1) / w.abreast * w.abreast * w.chunks;
    const auto launch = [&](auto kernel, int threads) {
      allow_shared(kernel, tile_bytes_);
      kernel<<<grid, threads, tile_bytes_, stream_>>>(w);
      XC_CUDA_LAUNCHED("tile_kernel");
    };
    constexpr bool slim = sizeof(T) == 4 && kMaxK <= 4;
    if (!in_shared_) launch(tile_kernel<T, kMaxK, 256, slim ? 4 : 1, false>, 256);
    else if (slim && tile_threads_ == 1024) launch(tile_kernel<T, kMaxK, slim ? 1024 : 512, 1, true>, 1024);
    else launch(tile_kernel<T, kMaxK, 512, slim ? 2 : 1, true>, 512);
  }

  void run_tile(const SourceBlocks<T>& sources, const Task* these, int64_t many, Radius<T>* radii, Fixed* sums, double* out) {
    const int n = static_cast<int>(c_.n), rows = in_shared_ ? n : 256;
    const TileArgs<T> w{data(), sources, these, static_cast<int>(many), env("TE_STRAGGLERS", 4), cells_, past_cells_.data(), past_scales_.data(), fixed_psi_.data(), nullptr, radii, sums, rows, (n + rows - 1) / rows, in_shared_ ? 1 : env("TE_ABREAST", 8)};
    const bool timed = env("TE_TIMES", 0);
    cuda::Event e0, e1, e2;
    if (timed) e0.record(stream_);
    XC_CUDA(cudaMemsetAsync(sums, 0, many * kLanes * sizeof(Fixed), stream_));
    if (p_.k <= 4) run_walk<4>(w);
    else if (p_.k <= 8) run_walk<8>(w);
    else if (p_.k <= 16) run_walk<16>(w);
    else run_walk<32>(w);
    if (timed) e1.record(stream_);
    const unsigned grid = static_cast<unsigned>(many * (kLanes / kColumnsPerBlock));
    if (bits_) {
      const CountsArgs<T> q{data(), sources, these, radii, sums, out, counts_table_, cells_, source_cells_.data(), source_scales_.data(), past_rank_.data(), fixed_psi_.data()};
      const auto count = [&](auto kernel, int threads) {
        allow_shared(kernel, counts_bytes_);
        kernel<<<grid, threads, counts_bytes_, stream_>>>(q);
        XC_CUDA_LAUNCHED("counts_kernel");
      };
      if (c_.n <= 384) count(counts_kernel<T, 128, 8>, 128);
      else if (env("TE_CT", 256) == 512) count(counts_kernel<T, 512, 2>, 512);
      else count(counts_kernel<T, 256, 4>, 256);
    } else {
      const BlocksArgs<T> q{data(), sources, these, radii, sums, out, square_table_, cells_, sorted_in_shared_, source_cells_.data(), source_scales_.data(), past_rank_.data(), nullptr, fixed_psi_.data()};
      allow_shared(blocks_kernel<T, 1024>, counts_bytes_);
      blocks_kernel<T, 1024><<<grid, 1024, counts_bytes_, stream_>>>(q);
      XC_CUDA_LAUNCHED("blocks_kernel");
    }
    if (timed) {
      e2.record(stream_);
      stream_.synchronize();
      g_ms[2] += cuda::Event::elapsed_ms(e0, e1), g_ms[3] += cuda::Event::elapsed_ms(e1, e2);
    }
  }

  PairsData<T> data() const {
    return {c_.n, c_.variables, c_.past_dims, c_.source_dims, p_.k, p_.theiler, from_, cap_, future_.data(), past_.data(),
            source_.data(), target_pairs_.data(), future_ranked_.data(), past_ranked_.data(), past_order_.data(), source_sorted_.data(),
            source_order_.data(), source_rank_.data(), lists_.data(), limits_.data(), psi_.data()};
  }

  template <bool kOneDim>
  void walk(const WalkArgs<T>& w, unsigned grid) {
    if (p_.k <= 4) walk_kernel<T, 4, kOneDim><<<grid, kWalkWarps * 32, 0, stream_>>>(w);
    else if (p_.k <= 8) walk_kernel<T, 8, kOneDim><<<grid, kWalkWarps * 32, 0, stream_>>>(w);
    else if (p_.k <= 16) walk_kernel<T, 16, kOneDim><<<grid, kWalkWarps * 32, 0, stream_>>>(w);
    else walk_kernel<T, 32, kOneDim><<<grid, kWalkWarps * 32, 0, stream_>>>(w);
    XC_CUDA_LAUNCHED("walk_kernel");
  }

  void ranges(const RangesArgs<T>& w, int64_t tasks) {
    const unsigned grid = static_cast<unsigned>(tasks * (kLanes / kColumnsPerBlock));
    const auto launch = [&](auto kernel, int threads) {
      allow_shared(kernel, range_bytes_);
      kernel<<<grid, threads, range_bytes_, stream_>>>(w);
      XC_CUDA_LAUNCHED("ranges_kernel");
    };
    if (c_.n <= 384) launch(ranges_kernel<T, 128>, 128);
    else if (c_.n <= 3000) launch(ranges_kernel<T, 256>, 256);
    else launch(ranges_kernel<T, 1024>, 1024);
  }

  // values[task][32]
  void run(const std::vector<Task>& tasks, const SourceBlocks<T>& sources, double* values, const Control& control) {
    const int64_t n = c_.n;
    const int64_t per_task = kLanes * n * static_cast<int64_t>(sizeof(Radius<T>));
    const int64_t batch = std::min<int64_t>(static_cast<int64_t>(tasks.size()), std::max<int64_t>(1, kBatchBytes / per_task));
    if (batch < 1) return;
    const int chunks = static_cast<int>(blocks_of(n, kWalkWarps * kWalkRows));
    const int scan_chunks = static_cast<int>(blocks_of(n, kScanRows));
    auto device_tasks = cuda::Buffer<Task>::from_host(tasks.data(), tasks.size(), stream_);
    cuda::Buffer<Radius<T>> radii(tile_ ? batch * kLanes * n : 0, stream_);
    cuda::Buffer<Fixed> sums(tile_ ? batch * kLanes : 0, stream_);
    cuda::Buffer<T> eps(tile_ ? 0 : batch * kLanes * n, stream_);
    cuda::Buffer<int32_t> near(tile_ ? 0 : batch * kLanes * n, stream_);
    cuda::Buffer<double> te(tasks.size() * kLanes, stream_);
    cuda::Buffer<double> partial(ranges_ ? 0 : static_cast<size_t>(batch) * scan_chunks * kLanes, stream_);
    for (int64_t first = 0, round = 0; first < static_cast<int64_t>(tasks.size()); first += batch, ++round) {
      // Two batches are in flight at most, so that cancelling takes effect soon.
      if (round % 2 == 1) stream_.synchronize();
      control.throw_if_cancelled();
      const int64_t many = std::min<int64_t>(batch, static_cast<int64_t>(tasks.size()) - first);
      const Task* these = device_tasks.data() + first;
      double* out = te.data() + first * kLanes;
      if (tile_) {
        run_tile(sources, these, many, radii.data(), sums.data(), out);
        continue;
      }
      const bool timed = env("TE_TIMES", 0);
      cuda::Event e0, e1, e2;
      if (timed) e0.record(stream_);
      const WalkArgs<T> w{data(), sources, these, chunks, eps.data(), near.data(), kStragglers, !ranges_};
      if (c_.source_dims == 1) walk<true>(w, static_cast<unsigned>(many * chunks));
      else walk<false>(w, static_cast<unsigned>(many * chunks));
      if (timed) e1.record(stream_);
      if (ranges_) {
        ranges({data(), sources, these, eps.data(), near.data(), out, table_, future_table_, padded_, past_in_shared_,
                past_rank_.data(), future_sorted_.data(), future_across_.data(), future_bits_.data(), future_before_.data()},
               many);
      } else {
        const ScanArgs<T> s{data(), sources, these, scan_chunks, eps.data(), near.data(), partial.data()};
        scan_kernel<T><<<blocks_of(many * scan_chunks, kScanWarps), kScanWarps * 32, 0, stream_>>>(s, many * scan_chunks);
        XC_CUDA_LAUNCHED("scan_kernel");
        scan_reduce_kernel<T><<<static_cast<unsigned>(many), kLanes, 0, stream_>>>(s, out);
        XC_CUDA_LAUNCHED("scan_reduce_kernel");
      }
      if (timed) {
        e2.record(stream_);
        stream_.synchronize();
        g_ms[2] += cuda::Event::elapsed_ms(e0, e1), g_ms[3] += cuda::Event::elapsed_ms(e1, e2);
      }
    }
    te.download(values, tasks.size() * kLanes);
    stream_.synchronize();
  }

  const KsgPairsProblem p_;
  const Columns& c_;
  const DeviceScope scope_;
  cuda::Stream stream_;
  size_t shared_limit_ = 0, range_bytes_ = 0;
  bool ranges_ = false, past_in_shared_ = true;
  int cap_ = 128, padded_ = 2;
  RangeTable table_{}, future_table_{}, counts_table_{};
  bool tile_ = false;
  bool in_shared_ = false, bits_ = false, sorted_in_shared_ = false;
  SquareTable square_table_{};
  int cells_ = 0, tile_threads_ = 512;
  size_t tile_bytes_ = 0, counts_bytes_ = 0;
  cuda::Buffer<uint16_t> past_cells_, source_cells_;
  cuda::Buffer<CellScale<T>> past_scales_, source_scales_;
  cuda::Buffer<Fixed> fixed_psi_;
  int32_t from_ = 0, to_ = 0;
  cuda::Buffer<T> future_, past_, source_, future_ranked_, past_ranked_, source_sorted_, future_sorted_, source_blocks_, limits_;
  cuda::Buffer<uint32_t> past_order_, source_order_, source_rank_, future_order_, future_bits_;
  cuda::Buffer<uint16_t> past_rank_, future_across_, future_before_;
  cuda::Buffer<FuturePast<T>> target_pairs_;
  cuda::Buffer<Near<T>> lists_;
  cuda::Buffer<double> psi_;
};

}  // namespace

std::unique_ptr<Pairs> ksg_pairs_cuda(int device, const KsgPairsProblem& problem, bool single) {
  if (single) return std::make_unique<KsgPairsCuda<float>>(device, problem);
  return std::make_unique<KsgPairsCuda<double>>(device, problem);
}

}  // namespace xcore::te
