#pragma once

#include <napi.h>

// Adds `network` and `networkGreedy` to the addon.
void init_network(Napi::Object exports);
