// The measurements of the domain's bench program.
#pragma once

#include <string>

namespace xcore::llm {

// GB/s of weights read, for one token and for 128, per type and CPU level, beside a plain read of as many bytes.
void bench_matmul(double seconds);
// Load time, prefill of 128 tokens, decode behind them.
void bench_model(const std::string& path);
// Microseconds a draw of the sampler.
void bench_sampler();

}  // namespace xcore::llm
