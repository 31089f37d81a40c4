// openRanks(ranks: Uint8Array, pattern, contents: string[], ids: Uint32Array): a tokenizer of a rank file.
#include <string>
#include <vector>

#include "xcore/addon.hpp"
#include "xcore/tokenizer.h"

namespace {

Napi::Value open_ranks(const Napi::CallbackInfo& info) {
  const auto& core = xaddon::core<xc_tokenizer_table>(info.Env());
  const auto ranks = xaddon::array_arg<uint8_t>(info[0], "ranks");
  const std::string pattern = xaddon::string_arg(info, 1, "pattern");
  const auto ids = xaddon::array_arg<uint32_t>(info[3], "specialTokens");
  if (!info[2].IsArray() || info[2].As<Napi::Array>().Length() != ids.size)
    xaddon::fail(XC_INVALID_ARGUMENT, "specialTokens", "every special token needs a content and an id");
  const auto list = info[2].As<Napi::Array>();
  std::vector<std::string> contents;
  for (uint32_t i = 0; i < list.Length(); ++i) contents.push_back(list.Get(i).ToString().Utf8Value());
  std::vector<xc_special_token> special;
  for (size_t i = 0; i < contents.size(); ++i) special.push_back({contents[i].data(), contents[i].size(), ids.data[i]});
  xc_tokenizer* made = nullptr;
  xaddon::check([&](xc_error* e) {
    return core.open_ranks(reinterpret_cast<const char*>(ranks.data), ranks.size, pattern.data(), pattern.size(),
                           special.data(), special.size(), &made, e);
  });
  return xaddon::Handle<xc_tokenizer>::wrap(info.Env(), made, [&core](xc_tokenizer* t) { core.release(t); }, "Tokenizer");
}

}  // namespace

void init_ranks(Napi::Object exports) { XADDON_METHOD(exports, "openRanks", open_ranks); }
