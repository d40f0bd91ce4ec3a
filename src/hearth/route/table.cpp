#include "hearth/route/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hearth/base/toml.h"

namespace hearth::route {
namespace {

constexpr std::array<std::string_view, 5> built_in = {"reflective", "writing", "agentic", sovereign_class, other_class};
constexpr std::array policies = {Policy::local, Policy::verdict, Policy::cloud, Policy::escalate};
constexpr std::size_t classes_max = 100;
constexpr std::size_t patterns_max = 1000;

// It goes into a header.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

class Reader {
 public:
  Reader(std::string_view name, RouteTable& out) : name_(name), out_(out) {}

  std::vector<std::string> problems;

  void read(const Json& routes) {
    for (const auto& [key, value] : routes.as_object()) {
      if (key == lines_member) continue;
      if (key == "default") text(routes, key, value, out_.default_class);
      else if (key == "verdicts") text(routes, key, value, out_.verdicts_file);
      else if (key == "class" && value.is_object()) read_classes(value);
      else complain(routes, key, "is not a setting; there are default, verdicts and [routes.class.NAME]");
    }
    if (out_.find_class(out_.default_class) == nullptr) {
      complain(routes, "default", fmt::format("names no class: {}", out_.default_class));
    }
    for (const ClassRule& rule : out_.classes) check(rule);
  }

 private:
  void read_classes(const Json& classes) {
    for (const auto& [class_name, table] : classes.as_object()) {
      if (class_name == lines_member) continue;
      if (!table.is_object()) {
        complain(classes, class_name, "is not a table; write [routes.class.NAME]");
      } else if (!is_plain_name(class_name)) {
        complain(classes, class_name, "expected a name of 1 to 64 letters, digits, '-' or '_'");
      } else if (out_.classes.size() >= classes_max) {
        complain(classes, class_name, "is one class too many");
      } else {
        read_class(class_name, table);
      }
    }
  }

  void read_class(const std::string& class_name, const Json& table) {
    auto found = std::ranges::find(out_.classes, class_name, &ClassRule::name);
    if (found == out_.classes.end()) {
      out_.classes.push_back({.name = class_name});
      found = std::prev(out_.classes.end());
    }
    ClassRule& rule = *found;
    for (const auto& [key, value] : table.as_object()) {
      if (key == lines_member) continue;
      if (key == "policy") policy(table, value, rule);
      else if (key == "local") text(table, key, value, rule.local);
      else if (key == "cloud") text(table, key, value, rule.cloud);
      else if (key == "when_stale") when_stale(table, value, rule);
      else if (key == "verdict_class") text(table, key, value, rule.verdict_class);
      else if (key == "arm") text(table, key, value, rule.arm);
      else if (std::vector<std::string>* list = list_of(rule, key)) texts(table, key, value, *list);
      else complain(table, key, "is not a setting of a class; there are policy, local, cloud, when_stale, verdict_class, arm, keys, models, clients, folders, markers, sessions");
    }
  }

  static std::vector<std::string>* list_of(ClassRule& rule, std::string_view key) {
    if (key == "keys") return &rule.keys;
    if (key == "models") return &rule.models;
    if (key == "clients") return &rule.clients;
    if (key == "folders") return &rule.folders;
    if (key == "markers") return &rule.markers;
    return key == "sessions" ? &rule.sessions : nullptr;
  }

  void policy(const Json& table, const Json& value, ClassRule& rule) {
    for (const Policy one : policies) {
      if (value.is_string() && value.as_string() == policy_name(one)) {
        rule.policy = one;
        return;
      }
    }
    complain(table, "policy", "expected one of local, verdict, cloud, escalate, for example policy = \"local\"");
  }

  void when_stale(const Json& table, const Json& value, ClassRule& rule) {
    const std::string word = value.is_string() ? value.as_string() : "";
    rule.local_when_stale = word == "local";
    if (word != "local" && word != "cloud") complain(table, "when_stale", "expected \"cloud\" or \"local\"");
  }

  void text(const Json& table, std::string_view key, const Json& value, std::string& target) {
    if (value.is_string()) target = value.as_string();
    else complain(table, key, "expected a text");
  }

  void texts(const Json& table, std::string_view key, const Json& value, std::vector<std::string>& target) {
    const bool list = value.is_array() && value.as_array().size() <= patterns_max &&
                      std::ranges::all_of(value.as_array(), [](const Json& v) { return v.is_string() && !v.as_string().empty(); });
    if (!list) return complain(table, key, "expected a list of texts, for example [\"claude-code\"]");
    target.clear();
    for (const Json& item : value.as_array()) target.push_back(item.as_string());
  }

  void check(const ClassRule& rule) {
    const auto say = [&](const std::string& what) {
      problems.push_back(fmt::format("{}: class {}: {}", name_, rule.name, what));
    };
    const Target* local = out_.find_target(rule.local);
    const Target* cloud = out_.find_target(rule.cloud);
    if (local == nullptr) say(fmt::format("local = \"{}\" names no upstream; there are {}", rule.local, target_names()));
    else if (local->reach == seal::Reach::remote) say(fmt::format("local = \"{}\" is outside of the house", rule.local));
    const bool wants_cloud = rule.policy != Policy::local && !(rule.policy == Policy::verdict && rule.local_when_stale && rule.cloud.empty());
    if (wants_cloud && cloud == nullptr) {
      say(fmt::format("policy = \"{}\" needs cloud = NAME of an upstream; there are {}", policy_name(rule.policy), target_names()));
    }
    if (rule.name == sovereign_class && rule.policy != Policy::local) {
      say("work that must never leave has policy = \"local\" only");
    }
    for (const std::string& folder : rule.folders) {
      if (!folder.starts_with('/')) say(fmt::format("folders: {} is not an absolute path", folder));
    }
  }

  std::string target_names() const {
    std::vector<std::string> names;
    for (const Target& target : out_.targets) names.push_back(target.name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void complain(const Json& table, std::string_view key, std::string_view what) {
    problems.push_back(fmt::format("{}:{}: {} {}", name_, toml_line(table, key), key, what));
  }

  const std::string_view name_;
  RouteTable& out_;
};

}  // namespace

std::string_view policy_name(Policy policy) {
  switch (policy) {
    case Policy::local: return "local";
    case Policy::verdict: return "verdict";
    case Policy::cloud: return "cloud";
    case Policy::escalate: return "escalate";
  }
  return "";
}

const ClassRule* RouteTable::find_class(std::string_view name) const {
  const auto found = std::ranges::find(classes, name, &ClassRule::name);
  return found == classes.end() ? nullptr : &*found;
}

const Target* RouteTable::find_target(std::string_view name) const {
  const auto found = std::ranges::find(targets, name, &Target::name);
  return found == targets.end() ? nullptr : &*found;
}

RouteTable default_routes(std::vector<Target> upstreams) {
  RouteTable out;
  std::ranges::move(upstreams, std::back_inserter(out.targets));
  for (const std::string_view name : built_in) out.classes.push_back({.name = std::string(name)});
  return out;
}

Result<RouteTable> read_routes(const Json& routes, std::string_view name, std::vector<Target> upstreams) {
  RouteTable out = default_routes(std::move(upstreams));
  if (routes.is_null()) return out;
  if (!routes.is_object()) return fail(Code::invalid_argument, fmt::format("{}: routes is not a table; write [routes]", name));
  Reader reader(name, out);
  reader.read(routes);
  if (reader.problems.empty()) return out;
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(reader.problems, "\n")));
}

}  // namespace hearth::route
