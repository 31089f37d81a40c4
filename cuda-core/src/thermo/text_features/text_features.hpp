// What a request's text looks like, without a list of topics: lengths, character classes, answer options, lines and sentences.
// Such structure tells the kinds of questions apart that models differ on, and a few hundred outcomes are enough to learn from it;
// hashed words, measured beside it, were not worth their many weights (bench/results/thermo-learning.md).
#pragma once

#include <cstdint>

#include "xcore/thermo_context.h"

namespace xcore::thermo {

// Features within +-2.5 and of about unit size over ordinary questions. The constants centre and scale them; nothing is learnt, so that the
// same text has the same features for ever. Never fails: any UTF-16 units are a text.
//
// units: the text's beginning, min(length, XC_THERMO_TEXT_UNITS) of them. last: the unit before the blanks at its end; -1 of a blank text.
void text_features(const char16_t* units, int64_t length, int32_t last, double* features);

}  // namespace xcore::thermo
