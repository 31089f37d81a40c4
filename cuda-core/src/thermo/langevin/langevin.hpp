// Cooling an ensemble of walkers in a potential: overdamped Langevin dynamics, whose density obeys the Fokker-Planck
// equation  dp/dt = d/dx (U' p) + T d2p/dx2  (H. Risken, The Fokker-Planck Equation, 1989), integrated by Euler-Maruyama
//
//   x <- x - U'(x) dt + sqrt(2 T dt) N(0, 1),        reflected at both ends of the range,
//
// while the temperature falls at constant thermodynamic speed (P. Salamon et al., "Simulated annealing with constant
// thermodynamic speed", Comput. Phys. Commun. 49, 1988): after each step of the schedule
//
//   ln T <- ln T - speed sqrt(1 / C),   C = Var(U) / T^2 of the ensemble,   |change| <= max_change,  T >= end.
//
// Where the ensemble's energy varies much with temperature (a transition), cooling is slow; elsewhere it is fast.
//
// The potential is a table on an even grid, linear between its points. Walker w draws from Philox stream w, so results do
// not depend on how walkers are divided. Sums over walkers are of 2^-32 quanta of the potential's range, as integers, so
// that they do not depend on their order either: one thread, many, and a GPU agree up to the rounding of log, sqrt and cos.
#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/control.hpp"
#include "runtime/philox.hpp"
#include "xcore/thermo_langevin.h"

namespace xcore::thermo {

using LangevinCooling = xc_thermo_langevin;

// Checks everything, then runs on the device of the rule in runtime/device.hpp.
void langevin_cooling(const LangevinCooling& run, xc_device device, const Control& control);

void langevin_cooling_cpu(const LangevinCooling& run, const Control& control);
void langevin_cooling_cuda(const LangevinCooling& run, int device, const Control& control);

// The parts that CPU and GPU share.
struct Landscape {
  const double* potential;
  int32_t points;
  double low, width, lowest, scale;  // scale: quanta a unit of potential above `lowest`

  XC_HD double cell(double x) const { return (x - low) / width * (points - 1); }
  XC_HD double energy(double x) const {
    const double at = cell(x);
    int32_t i = static_cast<int32_t>(at);
    i = i < 0 ? 0 : i > points - 2 ? points - 2 : i;
    return potential[i] + (potential[i + 1] - potential[i]) * (at - i);
  }
  XC_HD double slope(double x) const {
    int32_t i = static_cast<int32_t>(cell(x));
    i = i < 0 ? 0 : i > points - 2 ? points - 2 : i;
    return (potential[i + 1] - potential[i]) * (points - 1) / width;
  }
  XC_HD double reflected(double x) const {
    const double period = 2 * width;
    double y = fmod(x - low, period);
    if (y < 0) y += period;
    return low + (y <= width ? y : period - y);
  }
};

// Walkers start evenly spread over the range: the distribution at infinite temperature.
XC_HD double first_position(const Landscape& l, int64_t walker, int64_t walkers) {
  return l.low + l.width * (static_cast<double>(walker) + 0.5) / static_cast<double>(walkers);
}

XC_HD double langevin_walk(const Landscape& l, double x, double temperature, double dt, int32_t substeps, uint64_t seed,
                           int64_t walker, int32_t step) {
  // Each substep takes four 32-bit draws of the walker's stream.
  Philox random(seed, static_cast<uint64_t>(walker), static_cast<uint64_t>(step) * static_cast<uint64_t>(substeps) * 4);
  const double kick = sqrt(2 * temperature * dt);
  for (int32_t s = 0; s < substeps; ++s) x = l.reflected(x - l.slope(x) * dt + kick * random.next_normal());
  return x;
}

// Sums over walkers of the energy above the lowest, and of its square, in quanta.
struct EnergySums {
  uint64_t energy, square;
};
XC_HD EnergySums energy_quanta(const Landscape& l, double x) {
  const double u = (l.energy(x) - l.lowest) * l.scale;  // 0 .. 1
  return {static_cast<uint64_t>(u * 0x1p32), static_cast<uint64_t>(u * u * 0x1p32)};
}

Landscape landscape(const LangevinCooling& run);
// Fills the readings of a step and returns the next temperature.
double cool(const LangevinCooling& run, const Landscape& l, const EnergySums& sums, int32_t step, double temperature);

}  // namespace xcore::thermo
