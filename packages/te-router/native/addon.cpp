// te-router's passage to the domain "te".
#include "network.hpp"
#include "xcore/addon.hpp"
#include "xcore/te.h"

XADDON_DOMAIN(xc_te_table, "te", XC_TE_ABI)

void init_estimate(Napi::Object exports);
void init_stream(Napi::Object exports);

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  XADDON_METHOD(exports, "bind", xaddon_bind);
  init_network(exports);
  init_estimate(exports);
  init_stream(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
