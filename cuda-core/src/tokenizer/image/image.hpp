// A tokenizer with all its tables in one file that is read at once and used in place: loading is checking, not building.
//
//   Header        what the file is, its size, and the checksum of the header and both lists
//   Section[n]    name, place and element size of each section
//   uint64_t[m]   the checksum of each block of the body
//   body          the sections, each on 64 bytes: "description", a stream of numbers and strings, and one section a table
//
// Each class with tables says once, in `fields`, what belongs to it; the same function writes and reads. What is read is
// checked twice: against its checksum, which finds damage, and by `require`, so that a file made to do harm cannot make an
// index leave its table or a search its end.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xcore::tokenizer {

class Tokenizer;

bool looks_like_image(std::string_view head);

// Texts by name that are saved beside the tokenizer; later ones replace the tokenizer's own of the same name.
using Properties = std::vector<std::pair<std::string, std::string>>;

// Writes a file beside `path` and renames it: whoever reads `path` sees the old file or the new one, never a part.
// Throws XC_IO.
void save_image(const Tokenizer& tokenizer, const Properties& properties, const std::string& path);
std::string image_of(const Tokenizer& tokenizer, const Properties& properties);

// Throws XC_INVALID_FORMAT (field: the section, offset: where the damage is) for a file that is damaged or cut off, and
// XC_UNSUPPORTED for one that another version or machine saved.
std::unique_ptr<Tokenizer> load_image(const std::string& path);
std::unique_ptr<Tokenizer> load_image_bytes(std::string_view bytes);  // which are copied

// Gives a file the checksums that it should have. For fuzzing what lies behind them.
void seal_image(std::string& image);

}  // namespace xcore::tokenizer
