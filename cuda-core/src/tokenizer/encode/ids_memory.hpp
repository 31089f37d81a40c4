// The blocks of ids that batches return. They are large, and a fresh page costs more than writing its ids: the last large
// block that was given back is kept for the next batch. The system is told that it may take the pages back at any time, and
// does so when memory gets short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace xcore::tokenizer {

// For so many ids, of which only the pages that are written cost memory. Throws std::bad_alloc.
uint32_t* reserve_ids(size_t count);
// A block of reserve_ids(), in which `count` ids are used; perhaps elsewhere from now on.
uint32_t* shrink_ids(uint32_t* ids, size_t count);
// A block of reserve_ids(), or from malloc, or nullptr.
void release_ids(uint32_t* ids) noexcept;

struct ReleaseIds {
  void operator()(uint32_t* ids) const noexcept { release_ids(ids); }
};
using OwnedIds = std::unique_ptr<uint32_t, ReleaseIds>;

}  // namespace xcore::tokenizer
