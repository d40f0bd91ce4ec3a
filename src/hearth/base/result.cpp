#include "hearth/base/result.h"

namespace hearth {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::invalid_argument: return "invalid_argument";
    case Code::not_found: return "not_found";
    case Code::unavailable: return "unavailable";
    case Code::timed_out: return "timed_out";
    case Code::cancelled: return "cancelled";
    case Code::resource_exhausted: return "resource_exhausted";
    case Code::corrupt: return "corrupt";
    case Code::unsupported: return "unsupported";
    case Code::permission: return "permission";
    case Code::internal: return "internal";
  }
  return "internal";
}

Error with_context(Error error, std::string_view context) {
  error.message = std::string(context) + ": " + error.message;
  return error;
}

}  // namespace hearth
