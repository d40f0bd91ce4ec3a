#pragma once
// What was decided about each request: where it went, why, and what came of it. Records of routes.db, one
// a request, without a word of the request: digests, names from the configuration, and counts. The
// newest `route_records_max` are kept. A RouteLog belongs to one thread at a time. Errors as in
// store/database.h.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::store {

inline constexpr std::int64_t route_records_max = 200'000;

struct RouteRecord {
  std::int64_t at_s = 0;     // since 1970
  std::string request;       // the id that the client got
  std::string conversation;  // a keyed digest
  std::string label;
  std::string route_class, signal, rule, policy, target, reach;
  std::string standing, standing_reason;  // of the verdict
  bool kept = false;
  bool in_tool_loop = false;
  std::string escalate_to;
  std::string because;       // sentences, a line each
  // Known at the end.
  std::string answered_by;   // the target that answered, after an escalation another one
  std::string model;         // as it calls itself
  std::string outcome;       // "end_turn", "overloaded", "left", ...; empty: not over, or cut off
  std::uint32_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0;
  double cost_usd = 0, seconds = 0;
  std::string findings;      // a line each
};

class RouteLog {
 public:
  static Result<RouteLog> open(const std::filesystem::path& file);
  static Result<RouteLog> open_read_only(const std::filesystem::path& file);
  RouteLog(RouteLog&&) noexcept;
  RouteLog& operator=(RouteLog&&) noexcept;
  ~RouteLog();

  // Adds it, or replaces the one of the same request.
  Result<> put(const RouteRecord& record);
  Result<std::optional<RouteRecord>> last() const;
  Result<std::optional<RouteRecord>> last_of(std::string_view conversation) const;
  Result<std::optional<RouteRecord>> find(std::string_view request) const;

 private:
  struct State;
  explicit RouteLog(std::unique_ptr<State> state);
  Result<std::optional<RouteRecord>> one(std::string_view where, std::string_view value) const;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::store
