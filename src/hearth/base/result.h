#pragma once
// The one channel for failures that can be expected: a value of type Result<T>.
// Our own mistakes are CHECKs (base/check.h); nothing of ours throws.

#include <cstdint>
#include <expected>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace hearth {

enum class Code : std::uint8_t {
  invalid_argument,    // the caller, the user or a configuration file asked for something wrong
  not_found,           // a file, a key, a peer that is not there
  unavailable,         // it exists but cannot be reached or is shutting down
  timed_out,           // a deadline passed
  cancelled,           // somebody asked us to stop
  resource_exhausted,  // memory, disk, a full queue, no free sequence
  corrupt,             // bytes that are not what they claim to be
  unsupported,         // well formed, but not something we do
  permission,          // the operating system or a policy refuses
  internal,            // a library broke its own contract
};

std::string_view code_name(Code code);

struct Error {
  Code code;
  std::string message;
  std::source_location where = std::source_location::current();
};

// "reading model.gguf: " + what was wrong. Keeps the code and the first location.
Error with_context(Error error, std::string_view context);

template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
};

inline std::unexpected<Error> fail(Code code, std::string message,
                                   std::source_location where = std::source_location::current()) {
  return std::unexpected(Error{code, std::move(message), where});
}

}  // namespace hearth

#define HEARTH_JOIN_2(a, b) a##b
#define HEARTH_JOIN(a, b) HEARTH_JOIN_2(a, b)
#define HEARTH_TRY_AS(name, expr)                              \
  __extension__({                                              \
    auto name = (expr);                                        \
    if (!name) return std::unexpected(std::move(name).error()); \
    *std::move(name);                                          \
  })
// Whole statement or whole right-hand side only: `auto x = TRY(f());` or `TRY(check());`.
// As an operand inside a braced initialiser it leaks on g++ 12.
#define TRY(expr) HEARTH_TRY_AS(HEARTH_JOIN(try_result_, __COUNTER__), expr)
