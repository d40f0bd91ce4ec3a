#pragma once
// Which class of work goes where: the [routes] part of hearth.toml. Values; pure. docs/routes.md.
//
// Nothing goes out of the house that a class was not written for: without configuration every class is
// answered by the model that is served here.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/route/signals.h"
#include "hearth/seal/label.h"

namespace hearth::route {

// The model that this server runs.
inline constexpr std::string_view local_target = "local";
// Never anywhere but in the house, whatever is configured.
inline constexpr std::string_view sovereign_class = "sovereign";
inline constexpr std::string_view other_class = "other";

enum class Policy : std::uint8_t {
  local,     // in the house always; when it cannot, it says so
  verdict,   // in the house while the quality bench's verdict for the class stands
  cloud,     // outside
  escalate,  // in the house; outside when that fails before any of the answer is there
};
std::string_view policy_name(Policy policy);

// What can be asked: "local", and the upstreams of the configuration.
struct Target {
  std::string name;
  seal::Reach reach = seal::Reach::remote;
};

struct ClassRule {
  std::string name;
  Policy policy = Policy::local;
  std::string local{local_target};  // the target in the house
  std::string cloud;                // the other one
  bool local_when_stale = false;    // policy verdict: where to without one that stands
  std::string verdict_class;        // how the bench calls the class; empty: the same
  std::string arm;                  // how the bench calls the target; empty: as `local`
  // By which requests are known to be of this class; names, '*' patterns, folders, texts.
  std::vector<std::string> keys, models, clients, folders, markers, sessions;
};

struct RouteTable {
  std::vector<Target> targets = {{std::string(local_target), seal::Reach::cluster}};
  std::vector<ClassRule> classes;   // the five, and the user's own behind them
  std::string default_class{other_class};
  std::string verdicts_file;        // empty: verdicts.db in the data directory

  const ClassRule* find_class(std::string_view name) const;
  const Target* find_target(std::string_view name) const;
};

// The five classes, all answered here.
RouteTable default_routes(std::vector<Target> upstreams = {});
// `routes` is the table [routes] of a file called `name`. All that is wrong is told at once, a line each.
Result<RouteTable> read_routes(const Json& routes, std::string_view name, std::vector<Target> upstreams);

}  // namespace hearth::route
