// The KSG network on a GPU: lists of the targets, walks of 32 sources at a time, then the counts in P and S, and what of fp32 was
// in doubt again in fp64.
#include <algorithm>
#include <cmath>
#include <memory>
#include <type_traits>

#include "runtime/cuda.hpp"
#include "runtime/thread_pool.hpp"
#include "te/ksg/ksg.hpp"
#include "te/network/ksg/ksg_corners.cuh"
#include "te/network/ksg/ksg_corrections.cuh"
#include "te/network/ksg/ksg_layout.cuh"
#include "te/network/ksg/ksg_lists.cuh"
#include "te/network/ksg/ksg_pairs.hpp"
#include "te/network/ksg/ksg_scan.cuh"
#include "te/network/ksg/ksg_squares.cuh"
#include "te/network/ksg/ksg_walk.cuh"
#include "te/network/staging/staging.hpp"
#include "te/scratch.hpp"

namespace xcore::te {
namespace {

constexpr int64_t kBatchBytes = 1ll << 30;  // of radii between the kernels
constexpr int64_t kListBytes = 4ll << 30;
constexpr int kLineRows = 512;   // ranks of a block of threads that reads lines
constexpr int kLineThreads = 512;
constexpr int kLineAbreast = 8;  // tasks that go along the same lists together
constexpr int kMost16 = 65535;
constexpr int kSlimK = 4;  // up to this k a walk in fp32 makes do with 64 registers, and twice as many warps fit
constexpr unsigned kDoubtBlocks = 1024, kCorrectionBlocks = 2048;

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
    XC_CUDA(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device));
    plan();
    const int64_t n = c_.n, v = c_.variables, targets = c_.targets;
    upload(c_.future, exact_future_, future_);
    upload(c_.past, exact_past_, past_);
    upload(c_.source, exact_source_, source_);
    const auto psi = digamma_table(n + 2);
    psi_k_ = psi[p_.k];
    std::vector<Fixed> fixed(n + 2);
    for (int64_t m = 1; m < n + 2; ++m) fixed[m] = std::llround(psi[m] * kFixedOne);
    psi_ = cuda::Buffer<Fixed>::from_host(fixed.data(), fixed.size(), stream_);

    past_order_ = cuda::Buffer<uint32_t>(targets * n, stream_);
    past_ranked_ = cuda::Buffer<T>(targets * n * c_.past_dims, stream_);
    future_ranked_ = cuda::Buffer<T>(targets * n, stream_);
    sort(targets, past(), c_.past, n * c_.past_dims, nullptr, past_order_.data());
    rank(past(), c_.past_dims, past_ranked_.data());
    rank(future(), 1, future_ranked_.data());
    source_sorted_ = cuda::Buffer<T>(v * n, stream_);
    source_order_ = cuda::Buffer<uint32_t>(v * n, stream_);
    source_rank_ = cuda::Buffer<uint32_t>(v * n, stream_);
    sort(v, source(), c_.source, n * c_.source_dims, source_sorted_.data(), source_order_.data());
    target_pairs_ = cuda::Buffer<FuturePast<T>>(targets * n, stream_);
    if (plain_) past_rank_ = cuda::Buffer<uint16_t>(targets * n, stream_);
    for (int32_t first = 0; first < v; first += 65535) {
      const dim3 grid(blocks_of(n, 256), static_cast<unsigned>(std::min<int64_t>(65535, v - first)));
      invert_kernel<<<grid, 256, 0, stream_>>>(source_order_.data() + first * n, n, source_rank_.data() + first * n);
      XC_CUDA_LAUNCHED("invert_kernel");
    }
    for (int32_t first = 0; first < targets; first += 65535) {
      const dim3 grid(blocks_of(n, 256), static_cast<unsigned>(std::min<int64_t>(65535, targets - first)));
      if (plain_) invert_kernel<<<grid, 256, 0, stream_>>>(past_order_.data() + first * n, n, past_rank_.data() + first * n);
      pairs_kernel<<<grid, 256, 0, stream_>>>(future() + first * n, past() + first * n * c_.past_dims, n, c_.past_dims,
                                              target_pairs_.data() + first * n);
      XC_CUDA_LAUNCHED("layout kernel");
    }
    if (plain_) {
      past_cells_ = cuda::Buffer<uint16_t>(targets * (past_cell_count_ + 2), stream_);
      source_cells_ = cuda::Buffer<uint16_t>(v * (cells_ + 2), stream_);
      past_scales_ = cuda::Buffer<CellScale<T>>(targets, stream_);
      source_scales_ = cuda::Buffer<CellScale<T>>(v, stream_);
      grid_kernel<T><<<static_cast<unsigned>(targets), 256, 0, stream_>>>(past_ranked_.data(), static_cast<int>(n), past_cell_count_, past_cells_.data(), past_scales_.data());
      grid_kernel<T><<<static_cast<unsigned>(v), 256, 0, stream_>>>(source_sorted_.data(), static_cast<int>(n), cells_, source_cells_.data(), source_scales_.data());
      XC_CUDA_LAUNCHED("grid_kernel");
    }
    if (plain_) order_visits();
    const int blocks = static_cast<int>(blocks_of(v, kLanes));
    source_blocks_ = cuda::Buffer<T>(static_cast<size_t>(blocks) * c_.source_dims * n * kLanes, stream_);
    block_kernel<T><<<dim3(blocks_of(n, 32), blocks, c_.source_dims), dim3(32, 8), 0, stream_>>>(
        source(), c_.variables, c_.source_dims, n, source_blocks_.data());
    XC_CUDA_LAUNCHED("block_kernel");
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
    if (lists_.size() < static_cast<size_t>(rows) * cap_ + kChunk) {
      lists_.reset();
      limits_.reset();
      lists_ = cuda::Buffer<Near<T>>(static_cast<size_t>(rows) * cap_ + kChunk, stream_);
      limits_ = cuda::Buffer<T>(rows, stream_);
    }
    const dim3 grid(blocks_of(c_.n, kListWarps<T> * kListRows), to - from);
    if (cap_ == 128) list_kernel<T, 128><<<grid, kListWarps<T> * 32, 0, stream_>>>(data(), lists_.data(), limits_.data());
    else if (cap_ == 512) list_kernel<T, 512><<<grid, kListWarps<T> * 32, 0, stream_>>>(data(), lists_.data(), limits_.data());
    else list_kernel<T, 256><<<grid, kListWarps<T> * 32, 0, stream_>>>(data(), lists_.data(), limits_.data());
    XC_CUDA_LAUNCHED("list_kernel");
  }

  void originals(double* te, const Control& control) override {
    const DeviceScope scope(stream_.device());
    const int blocks = static_cast<int>(blocks_of(c_.variables, kLanes)), targets = to_ - from_;
    // Blocks of a few tasks go along one target's lists together; so few sources at a time stay in the second cache.
    std::vector<Task> tasks;
    const int group = walk_ == Walk::tile ? blocks : kLineAbreast;
    for (int first = 0; first < blocks; first += group)
      for (int target = 0; target < targets; ++target)
        for (int block = first; block < std::min(blocks, first + group); ++block) tasks.push_back({target, block, -1});
    const int64_t v = c_.variables;
    if (!run(tasks, {source_blocks_.data(), nullptr, nullptr, kLanes}, te, targets * v, control)) {
      in_fp64(control).originals(te, control);
      return;
    }
    std::vector<int32_t> constant;
    for (int32_t x = 0; x < v; ++x)
      if (c_.constant[x]) constant.push_back(x);
    for (int32_t target = 0; target < targets; ++target) {
      double* row = te + target * v;
      if (c_.same && c_.constant[from_ + target]) std::fill_n(row, v, 0.0);
      if (c_.same) row[from_ + target] = 0;
      for (const int32_t x : constant) row[x] = 0;
    }
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
          source(), rows.data(), lanes, 0, c_.source_dims, n, blocks.data());
      XC_CUDA_LAUNCHED("permuted_block_kernel");
      if (!run(tasks, {blocks.data(), rows.data(), rows.data() + kLanes * n, lanes}, values.data(), static_cast<int64_t>(values.size()), control)) {
        in_fp64(control).surrogates(pairs, pair_count, first, count, te, control);
        return;
      }
      for (int64_t p = 0; p < pair_count; ++p) {
        const bool nothing = c_.nothing(pairs[p].source, pairs[p].target);
        for (int lane = 0; lane < lanes; ++lane) te[p * count + done + lane] = nothing ? 0.0 : values[p * kLanes + lane];
      }
    }
  }

 private:
  using DeviceScope = cuda::DeviceScope;

  // The columns in fp64 as they are, and converted.
  void upload(const RawScratch<double>& from, cuda::Buffer<double>& exact, cuda::Buffer<T>& converted) {
    exact = cuda::Buffer<double>(from.size(), stream_);
    staging::upload(exact.data(), from.data(), from.size() * sizeof(double), stream_);
    if constexpr (!std::is_same_v<T, double>) {
      converted = cuda::Buffer<T>(from.size(), stream_);
      const int64_t count = static_cast<int64_t>(from.size());
      convert_kernel<T><<<blocks_of(count, 1024), 256, 0, stream_>>>(exact.data(), count, converted.data());
      XC_CUDA_LAUNCHED("convert_kernel");
    }
  }
  const T* pick(const cuda::Buffer<double>& exact, const cuda::Buffer<T>& converted) const {
    if constexpr (std::is_same_v<T, double>) return exact.data();
    else return converted.data();
  }
  const T* future() const { return pick(exact_future_, future_); }
  const T* past() const { return pick(exact_past_, past_); }
  const T* source() const { return pick(exact_source_, source_); }

  // The same targets in fp64, when more was in doubt than the queue holds: series with many equal values.
  Pairs& in_fp64(const Control& control) {
    if (!fp64_) fp64_ = ksg_pairs_cuda(stream_.device(), p_, false);
    fp64_->prepare(from_, to_, control);
    return *fp64_;
  }

  // Sorts the first column of each of `many` variables.
  void sort(int64_t many, const T* columns, const RawScratch<double>& host, int64_t stride, T* sorted, uint32_t* order) {
    const int64_t n = c_.n;
    const int64_t padded = sort_padded();
    const size_t bytes = sort_bytes();
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

  // Ranks in an order in which neighbours are near in P and in F: their lists are alike in radius and share tuples, which then
  // stay in the first cache.
  void order_visits() {
    const int64_t n = c_.n, targets = c_.targets;
    if (sort_bytes() > shared_limit_ || targets > 65535) return;
    cuda::Buffer<uint32_t> order(targets * n, stream_), ranks(targets * n, stream_);
    cuda::Buffer<T> keys(targets * n, stream_);
    visit_ = cuda::Buffer<uint32_t>(targets * n, stream_);
    const dim3 grid(blocks_of(n, 256), static_cast<unsigned>(targets));
    sort(targets, future(), c_.future, n, nullptr, order.data());
    invert_kernel<<<grid, 256, 0, stream_>>>(order.data(), n, ranks.data());
    const int strip = static_cast<int>(std::sqrt(static_cast<double>((walk_ == Walk::lines ? kLineRows : kListRows) * n)));
    snake_kernel<T><<<grid, 256, 0, stream_>>>(past_order_.data(), ranks.data(), static_cast<int>(n), strip, keys.data());
    XC_CUDA_LAUNCHED("snake_kernel");
    sort(targets, keys.data(), {}, n, nullptr, visit_.data());
  }
  int64_t sort_padded() const {
    int64_t padded = 2;
    while (padded < c_.n) padded *= 2;
    return padded;
  }
  size_t sort_bytes() const { return static_cast<size_t>(sort_padded()) * (sizeof(T) + sizeof(uint32_t)); }

  bool slim() const { return sizeof(T) == 4 && p_.k <= kSlimK; }

  // Which walk and which counts, with how much shared memory.
  void plan() {
    const int64_t n = c_.n;
    cap_ = n <= 400 ? 128 : n <= 4096 ? 256 : 512;
    plain_ = c_.past_dims == 1 && c_.source_dims == 1 && n <= kMost16;
    cells_ = 2;
    while (cells_ < n) cells_ *= 2;
    if (n > 4096) cells_ /= 2;
    if (n <= 2048) cells_ *= 2;
    walk_threads_ = kLineThreads;
    past_cell_count_ = cells_;
    walk_ = Walk::general;
    if (plain_) {
      corners_ = n <= 2048;
      if (corners_) {
        const int shift = 4;
        static_assert(kTableStep == 1 << shift);
        bit_table_ = {shift, static_cast<int>(n / 32 + 1) | 1, static_cast<int>((n + kTableStep - 1) / kTableStep) + 1};
        count_bytes_ = corners_shared<T>(n, cells_, bit_table_);
        corners_ = count_bytes_ <= shared_limit_;
      }
      if (!corners_) plain_ = plan_squares();
    }
    if (plain_) {
      walk_ = walk_shared<T>(Walk::tile, n, cells_, 512) <= shared_limit_ ? Walk::tile : Walk::lines;
      if (walk_ == Walk::tile) {
        // As many small blocks as fill a multiprocessor, or one large one. Each block costs 1 KiB more.
        walk_threads_ = 512;
        size_t room = shared_limit_;
        for (const int threads : {1024, 512, 256}) {
          const size_t share = std::min(shared_limit_, (shared_limit_ + 2048) * threads / 1024 - 1536);
          if (!slim() || walk_shared<T>(walk_, n, cells_, threads) > share) continue;
          walk_threads_ = threads, room = share;
        }
        while (past_cell_count_ < 4 * n && walk_shared<T>(walk_, n, 2 * past_cell_count_, walk_threads_) <= room) past_cell_count_ *= 2;
      }
    }
    walk_bytes_ = walk_shared<T>(walk_, n, past_cell_count_, walk_threads_);
  }

  // The finest squares that leave room for S, or else without S.
  bool plan_squares() {
    for (const bool sorted : {true, false}) {
      for (int shifts = 10; shifts <= (sorted ? 12 : 18); ++shifts) {
        const int source_shift = shifts / 2, past_shift = shifts - source_shift;
        const auto lines = [&](int shift) { return static_cast<int>((c_.n + (1 << shift) - 1) >> shift) + 1; };
        square_table_ = {source_shift, past_shift, lines(source_shift), lines(past_shift), ((lines(past_shift) + 1) / 2 | 1) * 2, sorted};
        count_bytes_ = squares_shared<T>(c_.n, cells_, square_table_);
        if (count_bytes_ <= shared_limit_) return true;
      }
    }
    return false;
  }

  PairsData<T> data() const {
    return {c_.n, c_.variables, c_.past_dims, c_.source_dims, p_.k, p_.theiler, from_, cap_, future(), past(),
            source(), target_pairs_.data(), future_ranked_.data(), past_ranked_.data(), past_order_.data(), visit_.data(), source_sorted_.data(),
            source_order_.data(), source_rank_.data(), lists_.data(), limits_.data()};
  }

  template <int kMaxK>
  void walk_up_to(const WalkArgs<T>& w) {
    const unsigned grid = blocks_of(w.task_count, w.abreast) * w.abreast * w.chunks;
    const auto launch = [&](auto kernel) {
      allow_shared(kernel, walk_bytes_);
      kernel<<<grid, walk_threads_, walk_bytes_, stream_>>>(w);
      XC_CUDA_LAUNCHED("walk_kernel");
    };
    constexpr bool kSlim = sizeof(T) == 4 && kMaxK <= kSlimK;  // 64 registers do
    if (walk_ == Walk::general) launch(walk_kernel<T, kMaxK, Walk::general, kLineThreads, kSlim ? 2 : 1>);
    else if (walk_ == Walk::lines) launch(walk_kernel<T, kMaxK, Walk::lines, kLineThreads, kSlim ? 2 : 1>);
    else if (kSlim && walk_threads_ == 1024) launch(walk_kernel<T, kMaxK, Walk::tile, kSlim ? 1024 : 512, 1>);
    else if (kSlim && walk_threads_ == 256) launch(walk_kernel<T, kMaxK, Walk::tile, kSlim ? 256 : 512, kSlim ? 4 : 1>);
    else launch(walk_kernel<T, kMaxK, Walk::tile, 512, kSlim ? 2 : 1>);
  }
  void walk(const WalkArgs<T>& w) {
    if (p_.k <= 4) walk_up_to<4>(w);
    else if (p_.k <= 8) walk_up_to<8>(w);
    else if (p_.k <= 16) walk_up_to<16>(w);
    else walk_up_to<32>(w);
  }

  void count(const CountArgs<T>& q, int64_t tasks) {
    const unsigned grid = static_cast<unsigned>(tasks * (kLanes / kColumnsPerBlock));
    const auto launch = [&](auto kernel, int threads, const auto& table) {
      allow_shared(kernel, count_bytes_);
      kernel<<<grid, threads, count_bytes_, stream_>>>(q, table);
      XC_CUDA_LAUNCHED("count kernel");
    };
    if (!corners_) launch(squares_kernel<T, 1024>, 1024, square_table_);
    else if (c_.n <= 384) launch(corners_kernel<T, 128, 10>, 128, bit_table_);
    else launch(corners_kernel<T, 256, 4>, 256, bit_table_);
  }

  // values[entries]: [task][32] of permutations, [target][variable] of variables; false when more was in doubt than the queues hold.
  bool run(const std::vector<Task>& tasks, const SourceBlocks<T>& sources, double* values, int64_t entries, const Control& control) {
    const int64_t n = c_.n, all = static_cast<int64_t>(tasks.size());
    int64_t batch = std::max<int64_t>(1, kBatchBytes / (kLanes * n * static_cast<int64_t>(sizeof(Radius<T>))));
    batch = batch >= multiprocessors_ ? batch / multiprocessors_ * multiprocessors_ : batch;  // whole waves of blocks
    batch = std::min(batch, all);
    if (all < 1) return true;
    const int rows = walk_ == Walk::tile ? static_cast<int>(n) : kLineRows;
    const int scan_chunks = static_cast<int>(blocks_of(n, kScanRows));
    const uint32_t* visit = walk_ == Walk::lines && !corners_ ? visit_.data() : nullptr;
    auto device_tasks = cuda::Buffer<Task>::from_host(tasks.data(), tasks.size(), stream_);
    cuda::Buffer<Radius<T>> radii(batch * kLanes * n, stream_);
    cuda::Buffer<Fixed> sums(all * kLanes, stream_);
    cuda::Buffer<double> te(all * kLanes, stream_);
    const int capacity = kDoubts<T> ? static_cast<int>(std::max<int64_t>(batch * kLanes * n / 16, 1 << 16)) : 0;
    cuda::Buffer<Doubt> doubt_queue(std::max(1, capacity), stream_);
    cuda::Buffer<Correction> correction_queue(plain_ ? std::max(1, capacity) : 1, stream_);
    cuda::Buffer<int> queued(2 * blocks_of(all, batch), stream_);  // doubts and corrections of each batch
    XC_CUDA(cudaMemsetAsync(sums.data(), 0, sums.size() * sizeof(Fixed), stream_));
    XC_CUDA(cudaMemsetAsync(queued.data(), 0, queued.size() * sizeof(int), stream_));
    for (int64_t first = 0, round = 0; first < all; first += batch, ++round) {
      // Two batches are in flight at most, so that cancelling takes effect soon.
      if (round % 2 == 1) stream_.synchronize();
      control.throw_if_cancelled();
      const int64_t many = std::min<int64_t>(batch, all - first);
      const Task* these = device_tasks.data() + first;
      Fixed* out = sums.data() + first * kLanes;
      const Doubts doubts{doubt_queue.data(), queued.data() + 2 * round, capacity};
      const Corrections corrections{correction_queue.data(), queued.data() + 2 * round + 1, capacity};
      walk({data(), sources, these, static_cast<int>(many), rows, static_cast<int>(blocks_of(n, rows)), walk_ == Walk::tile ? 1 : kLineAbreast,
            past_cell_count_, past_cells_.data(), past_scales_.data(), psi_.data(), visit, radii.data(), out, doubts});
      if (plain_) {
        count({data(), sources, these, radii.data(), cells_, source_cells_.data(), source_scales_.data(), past_rank_.data(), visit, psi_.data(), out, corrections}, many);
      } else {
        const ScanArgs<T> s{data(), sources, these, scan_chunks, radii.data(), psi_.data(), out, doubts};
        scan_kernel<T><<<blocks_of(many * scan_chunks, kScanWarps), kScanWarps * 32, 0, stream_>>>(s, many * scan_chunks);
        XC_CUDA_LAUNCHED("scan_kernel");
      }
      if constexpr (kDoubts<T>) {
        const ExactColumns exact{exact_future_.data(), exact_past_.data(), exact_source_.data()};
        if (plain_) {
          correction_kernel<T><<<kCorrectionBlocks, kCorrectionThreads, 0, stream_>>>(
              {data(), exact, sources, these, radii.data(), visit, corrections, doubts, psi_.data(), out});
          XC_CUDA_LAUNCHED("correction_kernel");
        }
        const DoubtArgs<T> d{data(), exact, these, sources.permutations, doubts, psi_.data(), out};
        doubt_kernel<T><<<kDoubtBlocks, kDoubtWarps * 32, 0, stream_>>>(d);
        XC_CUDA_LAUNCHED("doubt_kernel");
      }
    }
    finish_kernel<<<blocks_of(all * kLanes, 256), 256, 0, stream_>>>(sums.data(), device_tasks.data(), static_cast<int>(all * kLanes), c_.variables, psi_k_,
                                                                     static_cast<double>(n), te.data());
    XC_CUDA_LAUNCHED("finish_kernel");
    std::vector<int> counts(queued.size());
    queued.download(counts.data(), counts.size());
    staging::download(values, te.data(), static_cast<size_t>(entries) * sizeof(double), stream_);
    return std::all_of(counts.begin(), counts.end(), [&](int c) { return c <= capacity; });
  }

  const KsgPairsProblem p_;
  const Columns& c_;
  const DeviceScope scope_;
  cuda::Stream stream_;
  size_t shared_limit_ = 0, walk_bytes_ = 0, count_bytes_ = 0;
  Walk walk_ = Walk::general;
  bool plain_ = false;    // one column of P and of S, few enough tuples for 16-bit ranks: n_SP by tables
  bool corners_ = false;  // the tables are of bits
  int cap_ = 128, cells_ = 2, past_cell_count_ = 2, walk_threads_ = 256;
  int multiprocessors_ = 1;
  double psi_k_ = 0;
  BitTable bit_table_{};
  SquareTable square_table_{};
  int32_t from_ = 0, to_ = 0;
  cuda::Buffer<double> exact_future_, exact_past_, exact_source_;
  cuda::Buffer<T> future_, past_, source_;  // fp32 alone
  cuda::Buffer<T> future_ranked_, past_ranked_, source_sorted_, source_blocks_, limits_;
  cuda::Buffer<uint32_t> past_order_, source_order_, source_rank_, visit_;
  cuda::Buffer<uint16_t> past_rank_, past_cells_, source_cells_;
  cuda::Buffer<CellScale<T>> past_scales_, source_scales_;
  cuda::Buffer<FuturePast<T>> target_pairs_;
  cuda::Buffer<Near<T>> lists_;
  cuda::Buffer<Fixed> psi_;
  std::unique_ptr<Pairs> fp64_;
};

}  // namespace

std::unique_ptr<Pairs> ksg_pairs_cuda(int device, const KsgPairsProblem& problem, bool single) {
  if (single) return std::make_unique<KsgPairsCuda<float>>(device, problem);
  return std::make_unique<KsgPairsCuda<double>>(device, problem);
}

}  // namespace xcore::te
