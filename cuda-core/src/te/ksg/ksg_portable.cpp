#include "te/ksg/ksg_scan.hpp"

namespace xcore::te {
namespace {

template <class T>
struct One {
  using scalar = T;
  using type = T;
  static constexpr int width = 1;
  static type load(const T* p) { return *p; }
  static type set(T x) { return x; }
  static type sub(type a, type b) { return a - b; }
  static type absdiff(type a, type b) { return a < b ? b - a : a - b; }
  static type max(type a, type b) { return larger(a, b); }
  static type min(type a, type b) { return smaller(a, b); }
  static uint32_t less(type a, type b) { return a < b; }
  static uint32_t less_equal(type a, type b) { return a <= b; }
  static void store(T* p, type a) { *p = a; }
  static T first(type a) { return a; }
  static type keep(uint32_t mask, type a) { return mask ? a : static_cast<T>(__builtin_inf()); }
  static uint32_t far(const int32_t* times, int32_t own, int32_t theiler) {
    return (*times > own ? *times - own : own - *times) > theiler;
  }
  template <int D>
  static type swap(type a) { return a; }
};

template <class R>
struct OneRank {
  using scalar = R;
  using type = R;
  using mask = uint32_t;
  static constexpr int width = 1;
  static type load(const R* p) { return *p; }
  static type set(R x) { return x; }
  static mask within(type v, type low, type last) { return static_cast<R>(v - low) <= last; }
  static mask all() { return 1u; }
  static mask head(int64_t) { return 1u; }
  static int32_t bits(mask m) { return static_cast<int32_t>(m); }
};

}  // namespace

const KsgScanFunctions& ksg_scan_portable() {
  static constexpr KsgScanFunctions functions{
      scan_positions<One<double>, OneRank<uint16_t>>, scan_positions<One<double>, OneRank<uint32_t>>,
      scan_positions<One<float>, OneRank<uint16_t>>, scan_positions<One<float>, OneRank<uint32_t>>};
  return functions;
}

}  // namespace xcore::te
