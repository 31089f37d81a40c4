#include "testing/backend.hpp"

#include <sys/stat.h>

namespace xcore::testing {

static bool exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

std::string reference_path(const std::string& relative) {
  const char* given = std::getenv("X_REFERENCE_DIR");
  // XCORE_SOURCE_DIR is <repository>/cuda-core.
  const std::string root = given ? given : std::string(XCORE_SOURCE_DIR) + "/../../shared";
  const std::string path = root + "/" + relative;
  if (exists(path)) return path;
  const char* required = std::getenv("X_REQUIRE_REFERENCE");
  if (required && std::string(required) == "1")
    ADD_FAILURE() << "X_REQUIRE_REFERENCE=1, but " << path << " does not exist; set X_REFERENCE_DIR";
  return {};
}

}  // namespace xcore::testing
