#include "te/stream/stream.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "runtime/error.hpp"
#include "te/estimate/estimate.hpp"
#include "te/estimate/estimator.hpp"
#include "te/binned/binned.hpp"
#include "te/stream/window.hpp"
#include "te/stream/window_sums.hpp"

namespace xcore::te {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Mean and deviation of a column as the embedding takes them: (x - mean) / deviation gives the same bits.
struct Scale {
  double mean = 0, deviation = 1;
  double operator()(double x) const { return (x - mean) / deviation; }
};

class SlidingEstimate : public Stream {
 public:
  SlidingEstimate(int32_t sources, int32_t targets, int64_t window, int64_t scale_every, const xc_te_options& o)
      : options_(o), window_size_(window), scale_every_(scale_every), sources_(sources, window), targets_(targets, window) {
    const Shape shape = embedding_shape(window, o);
    n_ = shape.tuples, first_ = shape.first;
    lags_ = given_lags(o, 0);
    blocks_ = {targets * static_cast<int32_t>(lags_.past.size()), sources * static_cast<int32_t>(lags_.source.size()), targets};
    const bool ksg = o.estimator == XC_TE_KSG1 || o.estimator == XC_TE_KSG2;
    if (ksg && (!o.normalise || scale_every > 1)) sums_ = make_ksg_window(n_, blocks_, o);
    else if (o.estimator == XC_TE_GAUSSIAN) sums_ = make_gaussian_window(n_, blocks_, o);
    else if (o.estimator == XC_TE_BINNED && o.binning == XC_TE_EQUAL_WIDTH) sums_ = make_binned_window(n_, blocks_, o);
    scaled_ = ksg && o.normalise;
    binned_ = o.estimator == XC_TE_BINNED;
  }

  void push(const double* source, const double* target, int64_t samples) override {
    check(source, sources_.variables(), samples, "source");
    check(target, targets_.variables(), samples, "target");
    for (int64_t i = 0; i < samples; ++i) {
      sources_.push(source + i, samples);
      targets_.push(target + i, samples);
      current_ = false;
      if (sums_ && sources_.full()) slide();
    }
  }

  xc_te_result value() override {
    xc_te_result r{};
    r.size = sizeof r;
    r.te = r.surrogate_mean = r.surrogate_std = r.p_value = r.analytic_p = kNaN;
    r.interval_low = r.interval_high = r.standard_error = r.bias = kNaN;
    r.device = {XC_DEVICE_CPU, 0};
    r.k = options_.k;
    r.target_history = options_.target_history, r.target_tau = options_.target_tau;
    r.source_history = options_.source_history, r.source_tau = options_.source_tau, r.delay = options_.delay;
    if (!sources_.full()) return r;
    if (!current_) {
      if (sources_.constant() || targets_.constant()) value_ = 0;
      else value_ = sums_ ? sums_->value() : whole();
      current_ = true;
    }
    r.te = value_, r.tuples = n_, r.first = first_;
    return r;
  }

 private:
  static void check(const double* x, int32_t variables, int64_t samples, const char* field) {
    if (samples < 0 || (samples > 0 && !x)) throw invalid_argument(field, "%s must hold samples", field);
    for (int64_t i = 0; i < variables * samples; ++i)
      if (!std::isfinite(x[i])) throw invalid_argument(field, "%s holds a value that is not finite at index %lld", field, static_cast<long long>(i));
  }

  double whole() const {
    const auto x = sources_.copy(), y = targets_.copy();
    return estimate({x.data(), sources_.variables(), 0}, {y.data(), targets_.variables(), 0}, {nullptr, 0, 0}, window_size_, options_,
                    false, Control())
        .result.te;
  }

  // Raw columns of the tuple whose predicted sample lies `back` before the newest.
  template <class Take>
  void each_column(int64_t back, Take&& take) const {
    int32_t column = 0;
    for (int32_t v = 0; v < targets_.variables(); ++v)
      for (const int64_t lag : lags_.past) take(column++, targets_.at(v, back + lag), v, false);
    for (int32_t v = 0; v < sources_.variables(); ++v)
      for (const int64_t lag : lags_.source) take(column++, sources_.at(v, back + lag), v, true);
    for (int32_t v = 0; v < targets_.variables(); ++v) take(column++, targets_.at(v, back), v, false);
  }

  void slide() {
    const bool cuts_moved = binned_ && take_ranges();
    if (!filled_ || (scaled_ && since_ >= scale_every_) || cuts_moved) {
      fill();
      return;
    }
    std::vector<double> tuple(blocks_.total());
    each_column(0, [&](int32_t c, double x, int32_t v, bool source) { tuple[c] = binned_ ? symbol(x, v, source) : scaled_ ? scale_[c](x) : x; });
    sums_->slide(tuple.data());
    ++since_;
  }

  void fill() {
    std::vector<double> columns(static_cast<size_t>(blocks_.total()) * n_);
    for (int64_t i = 0; i < n_; ++i)
      each_column(n_ - 1 - i, [&](int32_t c, double x, int32_t v, bool source) { columns[c * n_ + i] = binned_ ? symbol(x, v, source) : x; });
    if (scaled_) {
      scale_.assign(blocks_.total(), Scale{});
      for (int32_t c = 0; c < blocks_.total(); ++c) {
        double* x = columns.data() + c * n_;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n_; ++i) sum += x[i];
        const double mean = sum / static_cast<double>(n_);
        for (int64_t i = 0; i < n_; ++i) squares += (x[i] - mean) * (x[i] - mean);
        const double deviation = std::sqrt(squares / static_cast<double>(n_ - 1));
        const bool constant = std::all_of(x, x + n_, [x](double v) { return v == x[0]; });
        scale_[c] = {constant ? x[0] : mean, !constant && deviation > 0 && std::isfinite(deviation) ? deviation : 1.0};
        for (int64_t i = 0; i < n_; ++i) x[i] = scale_[c](x[i]);
      }
    }
    sums_->fill(columns.data());
    filled_ = true;
    since_ = 1;
  }

  // The ends of each variable over the window; whether they are others than before.
  bool take_ranges() {
    bool moved = ranges_.empty();
    ranges_.resize(sources_.variables() + targets_.variables());
    for (size_t r = 0; r < ranges_.size(); ++r) {
      const bool source = r < static_cast<size_t>(sources_.variables());
      const SampleWindow& w = source ? sources_ : targets_;
      const int32_t v = static_cast<int32_t>(source ? r : r - sources_.variables());
      Range& range = ranges_[r];
      const double newest = w.at(v, 0);
      ++range.age_low, ++range.age_high;
      // The whole window is looked at only when an end has left it.
      if (moved || range.age_low >= window_size_ || range.age_high >= window_size_) {
        const Range before = range;
        range = {newest, newest, 0, 0};
        for (int64_t back = 1; back < window_size_; ++back) {
          const double x = w.at(v, back);
          if (x < range.low) range.low = x, range.age_low = back;
          if (x > range.high) range.high = x, range.age_high = back;
        }
        moved = moved || before.low != range.low || before.high != range.high;
      } else {
        if (newest <= range.low) moved = moved || newest < range.low, range.low = newest, range.age_low = 0;
        if (newest >= range.high) moved = moved || newest > range.high, range.high = newest, range.age_high = 0;
      }
    }
    return moved;
  }
  double symbol(double x, int32_t v, bool source) const {
    const Range& r = ranges_[source ? v : sources_.variables() + v];
    const double width = (r.high / 2 - r.low / 2) / options_.bins * 2;
    if (!(width > 0)) return 0;
    const double at = std::isfinite(width) ? (x - r.low) / width : (x / 2 - r.low / 2) / (width / 2);
    return std::clamp(std::floor(at), 0.0, static_cast<double>(options_.bins - 1));
  }

  struct Range {
    double low = 0, high = 0;
    int64_t age_low = 0, age_high = 0;
  };
  xc_te_options options_;
  int64_t window_size_, scale_every_, n_ = 0, first_ = 0, since_ = 0;
  SampleWindow sources_, targets_;
  Lags lags_;
  Blocks blocks_{0, 0, 0};
  std::unique_ptr<WindowSums> sums_;
  std::vector<Scale> scale_;
  std::vector<Range> ranges_;
  bool scaled_ = false, binned_ = false, filled_ = false, current_ = false;
  double value_ = 0;
};

}  // namespace

std::unique_ptr<Stream> open_stream(int32_t sources, int32_t targets, int64_t window, int64_t scale_every, const xc_te_options& given) {
  if (sources < 1 || sources > 1000) throw invalid_argument("source", "a stream has 1 to 1000 source variables");
  if (targets < 1 || targets > 1000) throw invalid_argument("target", "a stream has 1 to 1000 target variables");
  if (window < 1 || window > 10000000) throw invalid_argument("window", "window is %lld and must be 1 to 10,000,000 samples", static_cast<long long>(window));
  if (scale_every < 1) throw invalid_argument("scaleEvery", "scaleEvery is %lld and must be at least 1", static_cast<long long>(scale_every));
  xc_te_options o = given;
  o.surrogates = 0, o.embedding = XC_TE_GIVEN, o.max_delay = 0, o.auto_k = 0, o.segments = nullptr, o.segment_count = 0;
  o.valid = nullptr, o.interval = 0, o.condition_count = 0, o.permutations = nullptr, o.permutation_values = 0;
  if (o.noise > 0) throw error(XC_UNSUPPORTED, "noise", -1, "a stream adds no noise: add it to the samples");
  check_options(o);
  return std::make_unique<SlidingEstimate>(sources, targets, window, scale_every, o);
}

}  // namespace xcore::te
