#pragma once
// Where a request goes, and why. A pure state machine: the same table, verdict, question and past give
// the same decision, so that explaining one is deciding it again.
//
// A conversation stays where it began. Within a tool loop nothing moves it: what would have to is
// refused. Between turns it moves when its label forbids the place, when the user names another class by
// header or model, or when the place is configured no more. A verdict is asked for only when a
// conversation begins.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hearth/route/table.h"
#include "hearth/seal/label.h"

namespace hearth::route {

enum class Standing : std::uint8_t { not_asked, stands, refuted, stale, missing };
std::string_view standing_name(Standing standing);

struct VerdictState {
  Standing standing = Standing::not_asked;
  std::string reason;  // what is stale; for people
};
// Of a class of work at a target, both as the bench calls them.
using AskVerdict = std::function<VerdictState(const std::string& verdict_class, const std::string& arm)>;

// What is known of a conversation from its earlier requests.
struct Past {
  std::string route_class, target;
};

struct Question {
  Signals signals;
  bool in_tool_loop = false;  // the conversation ends in results of tools
  seal::Label label = seal::Label::open;
  std::optional<Past> past;
};

struct Decision {
  std::string route_class;
  Signal signal = Signal::none;  // that decided the class
  std::string rule;              // what in the configuration it met: a pattern, a name
  Policy policy = Policy::local;
  std::string target;            // empty: refused
  seal::Reach reach = seal::Reach::cluster;
  VerdictState verdict;
  bool kept = false;             // the conversation stays where it was
  std::string escalate_to;       // where to, when the target fails before any of the answer is there
  std::vector<std::string> because;  // sentences for people, in order; no text of the request
};

struct ClassChoice {
  std::string route_class;
  Signal signal = Signal::none;
  std::string rule;
};
ClassChoice classify(const RouteTable& table, const Signals& signals);

Decision decide(const RouteTable& table, const Question& question, const AskVerdict& ask);

// The value of X-Hearth-Route: "target=sonnet; class=writing; by=model; policy=verdict; verdict=stale".
std::string route_header(const Decision& decision);

}  // namespace hearth::route
