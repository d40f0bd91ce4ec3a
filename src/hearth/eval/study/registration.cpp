#include "hearth/eval/study/registration.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/study/scores.h"
#include "hearth/eval/study_plan.h"

namespace hearth::eval {
namespace {

constexpr std::string_view fault_rules =
    "Loops, empty answers, malformed output and refusals are the arm's and are scored as they are. Crashes, lost nodes "
    "and network faults are the "
    "engine's: tried again, never scored.";

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double one : values) out.push(one);
  return out;
}

Json settings_json(const StudySettings& s) {
  Json weights = Json::object();
  for (const auto& [name, weight] : s.class_weights) weights.set(name, weight);
  return Json::object({{"margin", s.margin},
                       {"margin_kind", s.margin_is_relative ? "relative" : "absolute"},
                       {"generations", s.generations},
                       {"looks", numbers(s.looks.empty() ? looks_up_to(s.generations) : s.looks)},
                       {"alpha", s.options.alpha},
                       {"spending", s.options.spending == Spending::pocock ? "pocock" : "obrien-fleming"},
                       {"futility", s.options.futility},
                       {"sigma_prompt", s.noise.sigma_prompt},
                       {"sigma_generation", s.noise.sigma_generation},
                       {"sigma_judge", s.noise.sigma_judge},
                       {"class_weights", std::move(weights)},
                       {"divergence_decides", s.divergence_decides},
                       {"seed", s.seed},
                       {"control_texts", s.control_texts}});
}

std::map<std::string, std::string> by_name(const Json& list, std::string_view name) {
  std::map<std::string, std::string> out;
  for (const Json& one : list.as_array()) out[one.find(name)->as_string()] = dump_json(one);
  return out;
}

void compare_lists(const Json& then, const Json& now, std::string_view name, std::string_view what,
                   std::vector<std::string>& out) {
  const auto a = by_name(then, name), b = by_name(now, name);
  for (const auto& [key, value] : a) {
    const auto found = b.find(key);
    if (found == b.end()) out.push_back(fmt::format("{} {} is gone", what, key));
    else if (found->second != value)
      out.push_back(fmt::format("{} {} was changed; its old records do not count", what, key));
  }
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) out.push_back(fmt::format("{} {} is new", what, key));
  }
}

}  // namespace

Json registration_json(const Suite& suite, const ArmsFile& file) {
  Json names = Json::array(), arms = Json::array(), items = Json::array(), excluded = Json::array();
  for (const Arm& arm : file.arms) {
    names.push(arm.name);
    arms.push(arm.pinned_json());
  }
  for (const Item& item : suite.items) {
    items.push(Json::object({{"id", item.id},
                             {"class", class_name(item.task_class)},
                             {"grader", grader_kind(item.grader)},
                             {"digest", item_digest(item).hex()}}));
    for (const Arm& arm : file.arms) {
      const std::string reason = exclusion(item, arm, file);
      if (!reason.empty()) excluded.push(Json::object({{"item", item.id}, {"arm", arm.name}, {"reason", reason}}));
    }
  }
  const auto judge_json = [](const std::optional<JudgeSpec>& judge) { return judge ? judge->pinned_json() : Json(); };
  return Json::object({{"pinned", Json::object({{"settings", settings_json(file.settings)},
                                                {"arms", std::move(names)},
                                                {"judge", judge_json(file.judge)},
                                                {"second_judge", judge_json(file.second_judge)},
                                                {"fault_rules", fault_rules}})},
                       {"suite", Json::object({{"name", suite.name}, {"digest", suite.digest.hex()}})},
                       {"arms", std::move(arms)},
                       {"items", std::move(items)},
                       {"excluded", std::move(excluded)}});
}

Digest256 registration_digest(const Json& registration) {
  return Blake2b().update_sized(dump_json(*registration.find("pinned"))).finish();
}

std::vector<std::string> deviations(const Json& registered, const Json& now) {
  std::vector<std::string> out;
  compare_lists(*registered.find("arms"), *now.find("arms"), "name", "arm", out);
  compare_lists(*registered.find("items"), *now.find("items"), "id", "item", out);
  return out;
}

Result<std::optional<Json>> registered(const std::vector<store::EventRecord>& events) {
  for (const store::EventRecord& event : events) {
    if (event.kind != "registered") continue;
    Json json = TRY(parse_json(event.body));
    for (const char* field : {"pinned", "arms", "items", "suite"}) {
      if (!json.find(field)) return fail(Code::corrupt, fmt::format("the study's registration lacks \"{}\"", field));
    }
    return std::optional(std::move(json));
  }
  return std::optional<Json>();
}

Result<> register_study(const Suite& suite, const ArmsFile& file, store::StudyStore& records, std::int64_t now_s) {
  TRY(check_study(suite, file));
  const Json now = registration_json(suite, file);
  const std::vector<store::EventRecord> events = TRY(records.events());
  const std::optional<Json> before = TRY(registered(events));
  if (!before) return records.add_event({.kind = "registered", .body = dump_json(now), .at_s = now_s});
  const auto check = [&](const Json& then, const Json& is, std::string_view what) -> Result<> {
    for (const Json::Member& member : then.as_object()) {
      const Json* found = is.find(member.first);
      // By their text: a number that came out of the file again may be of another kind.
      if (found && dump_json(*found) == dump_json(member.second)) continue;
      return fail(Code::invalid_argument,
                  fmt::format("this study was registered with {}{} = {}, and now it is {}; what a verdict depends on "
                              "is fixed before the first "
                              "generation: put it back, or start another study (--study)",
                              what, member.first, dump_json(member.second), found ? dump_json(*found) : "absent"));
    }
    return {};
  };
  const Json *then_pinned = before->find("pinned"), *now_pinned = now.find("pinned");
  if (const Json* settings = then_pinned->find("settings")) TRY(check(*settings, *now_pinned->find("settings"), ""));
  TRY(check(*then_pinned, *now_pinned, ""));
  Json list = Json::array();
  for (const std::string& one : deviations(*before, now)) list.push(one);
  if (list.as_array().empty()) return {};
  std::string body = dump_json(list);
  const auto last = std::ranges::find(events.rbegin(), events.rend(), "deviation", &store::EventRecord::kind);
  if (last != events.rend() && last->body == body) return {};
  return records.add_event({.kind = "deviation", .body = std::move(body), .at_s = now_s});
}

Result<> check_study(const Suite& suite, const ArmsFile& file) {
  std::map<std::string, std::set<std::string>> clusters;
  std::size_t rubrics = 0;
  const bool second_is_outside = file.second_judge && !file.second_judge->is_person &&
                                 file.second_judge->endpoint.reach == seal::Reach::remote;
  for (const Item& item : suite.items) {
    const bool anywhere =
        std::ranges::all_of(file.arms, [&](const Arm& arm) { return exclusion(item, arm, file).empty(); });
    rubrics += anywhere && needs_judge(item.grader) ? 1u : 0u;
    // The first judge would grade it, the second never: the study could not move on.
    if (anywhere && needs_judge(item.grader) && item.egress == Egress::deny && second_is_outside) {
      return fail(Code::invalid_argument,
                  fmt::format("item {}: its egress is deny, and [second_judge] is outside the house: name one inside, or a "
                              "person, or say egress = \"judge\" in the item", item.id));
    }
    if (anywhere) clusters[std::string(class_name(item.task_class))].insert(item.cluster);
  }
  if (clusters.empty())
    return fail(
        Code::invalid_argument,
        "no item may be put to all arms and graded: see the items' egress, and name a [judge] where there are rubrics");
  if (rubrics == 1)
    return fail(Code::invalid_argument,
                "one item only has a rubric; the controls of a judge need two or more, or none");
  for (const auto& [name, found] : clusters) {
    if (found.size() >= 2) continue;
    return fail(
        Code::invalid_argument,
        fmt::format(
            "class {} has one item (or document) only; no interval can be computed: expected two or more, or none",
            name));
  }
  return {};
}

Result<ComparisonPlan> study_comparison_plan(const Suite& suite, const ArmsFile& file) {
  ComparisonPlan plan = TRY(comparison_plan(file.settings));
  std::map<std::string, bool> passes_or_fails;
  for (const Item& item : suite.items) {
    const std::string name(class_name(item.task_class));
    const std::string_view kind = grader_kind(item.grader);
    const bool one = kind == "exact" || kind == "final";
    const auto [found, added] = passes_or_fails.emplace(name, one);
    if (!added) found->second = found->second && one;
  }
  for (const auto& [name, is] : passes_or_fails) plan.guards[name] = is ? GuardKind::alarm : GuardKind::proof;
  return plan;
}

}  // namespace hearth::eval
