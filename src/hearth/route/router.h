#pragma once
// The router of a server: decides (decide.h), remembers where conversations are, and writes down each
// decision (store/routes.h). Thread-safe. Records are written by a thread of its own, "route_log", so
// that no answer waits for a disk; what it has not written yet is known all the same.

#include <filesystem>
#include <memory>

#include "hearth/route/decide.h"
#include "hearth/store/routes.h"

namespace hearth::route {

inline constexpr std::size_t conversations_remembered_max = 10'000;
inline constexpr std::size_t records_waiting_max = 4096;  // beyond it records are lost, with a warning

struct RouterOptions {
  RouteTable table = default_routes();
  std::filesystem::path log_file;       // empty: nothing is written down
  AskVerdict verdicts;                  // empty: there are none
};

struct RouteAsk {
  Question question;         // its past is filled in
  std::string conversation;  // a keyed digest; empty: one that nobody comes back to
  std::string request;       // its id
  std::int64_t at_s = 0;
};

class Router {
 public:
  static Result<std::unique_ptr<Router>> open(RouterOptions options);
  virtual ~Router() = default;  // writes what waits
  virtual const RouteTable& table() const = 0;
  // Decides, remembers and records. The record is handed back for finish().
  virtual std::pair<Decision, store::RouteRecord> decide(const RouteAsk& ask) = 0;
  // The same, changing and recording nothing.
  virtual Decision explain(const RouteAsk& ask) const = 0;
  // The answer is over, or went on at another target (then the conversation goes on there).
  virtual void finish(const store::RouteRecord& record) = 0;
};

Json decision_json(const Decision& decision, seal::Label label);
Json record_json(const store::RouteRecord& record);

}  // namespace hearth::route
