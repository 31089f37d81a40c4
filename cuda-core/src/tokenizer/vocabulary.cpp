#include "tokenizer/vocabulary.hpp"

#include "runtime/error.hpp"

namespace xcore::tokenizer {

void StringTable::too_large() { throw Error(XC_LIMIT_EXCEEDED, "the tokens together have 4 GiB or more"); }

}  // namespace xcore::tokenizer
