#include "hearth/eval/blind/round.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "hearth/base/check.h"
#include "hearth/eval/blind/control_texts.h"
#include "hearth/eval/blind/identity.h"

namespace hearth::eval {
namespace {

constexpr std::array roles{Role::answer,   Role::duplicate, Role::damaged, Role::padded,
                           Role::injected, Role::pair,      Role::guess};

const std::vector<RubricSpec::Criterion>& criteria_of(const Item& item) {
  const auto* rubric = std::get_if<RubricSpec>(&item.grader);
  CHECK(rubric);
  return rubric->criteria;
}

class Planner {
 public:
  explicit Planner(const RoundInput& input) : input_(input) {
    for (const FrozenAnswer& one : input.answers) {
      std::string text = strip_identity(one.text, input.secrets).text;
      if (!text.empty()) answers_.push_back({&one, std::move(text)});
    }
    std::ranges::sort(answers_, {}, [](const Answer& a) { return std::tie(a.from->k, a.from->item, a.from->arm); });
  }

  std::vector<PlannedTask> plan() {
    for (const Answer& one : answers_) {
      PlannedTask& task = add(one, {.role = Role::answer, .generation = one.from->generation}, one.text);
      task.for_second = input_.is_first && one.from->k < checked_generations;
    }
    add_controls();
    if (input_.is_first) {
      for (std::size_t i = 1; i < input_.arms.size(); ++i) {
        add_pairs(input_.arms[i], input_.arms[i - 1]);
        add_guesses(input_.arms[i], input_.arms[i - 1]);
      }
    }
    return std::move(out_);
  }

 private:
  struct Answer {
    const FrozenAnswer* from;
    std::string text;  // stripped
  };

  const Item& item_of(const Answer& answer) const {
    const auto found = input_.items.find(answer.from->item);
    CHECK(found != input_.items.end());
    return *found->second;
  }

  PlannedTask& add(const Answer& of, Subject subject, std::string text) {
    const Item& item = item_of(of);
    out_.push_back({.subject = std::move(subject),
                    .task = {.question = Question::score,
                             .prompt = prompt_text(item),
                             .criteria = criteria_of(item),
                             .texts = {std::move(text)}},
                    .egress = item.egress});
    return out_.back();
  }

  std::uint64_t seed_of(const FrozenAnswer& answer) const {
    const Digest256 digest =
        Blake2b().update_number(input_.seed).update_sized(answer.item).update_number(answer.k).finish();
    std::uint64_t out;
    std::memcpy(&out, digest.bytes.data(), sizeof(out));
    return out;
  }

  void add_controls() {
    std::uint32_t left = input_.is_first ? input_.control_texts : input_.control_texts / 5;
    for (const Answer& one : answers_) {
      if (one.from->arm != input_.arms.front() || left == 0) continue;
      --left;
      const std::string& key = one.from->generation;
      const std::uint64_t seed = seed_of(*one.from);
      add(one, {.role = Role::duplicate, .generation = key}, one.text).copy = 1;
      add(one, {.role = Role::damaged, .generation = key}, damaged_text(one.text, seed));
      add(one, {.role = Role::padded, .generation = key}, padded_text(one.text, seed));
      add(one, {.role = Role::injected, .generation = key}, injected_text(one.text, seed));
    }
  }

  const Answer* find(std::string_view item, std::string_view arm, std::uint32_t k) const {
    for (const Answer& one : answers_) {
      if (one.from->item == item && one.from->arm == arm && one.from->k == k) return &one;
    }
    return nullptr;
  }

  // Both orders of one pair a prompt.
  void add_pairs(const std::string& candidate, const std::string& reference) {
    std::uint32_t left = input_.control_texts;
    for (const auto& [id, item] : input_.items) {
      const Answer* a = find(id, candidate, 0);
      const Answer* b = find(id, reference, 0);
      if (!a || !b || left == 0) continue;
      --left;
      for (const auto& [first, second] : {std::pair(a, b), std::pair(b, a)}) {
        out_.push_back({.subject = {.role = Role::pair,
                                    .generation = first->from->generation,
                                    .second = second->from->generation,
                                    .candidate = candidate},
                        .task = {.question = Question::pair,
                                 .prompt = prompt_text(*item),
                                 .criteria = criteria_of(*item),
                                 .texts = {first->text, second->text}},
                        .egress = item->egress});
      }
    }
  }

  // The examples are of the next item, so that texts one and two are on one request and three on another.
  void add_guesses(const std::string& candidate, const std::string& reference) {
    std::uint32_t left = input_.control_texts;
    for (auto here = input_.items.begin(); here != input_.items.end(); ++here) {
      auto next = std::next(here);
      if (next == input_.items.end()) next = input_.items.begin();
      const Answer* one = find(next->first, reference, 0);
      const Answer* two = find(next->first, candidate, 0);
      if (next == here || !one || !two || left == 0) continue;
      --left;
      for (std::uint32_t k = 0; k < checked_generations; ++k) {
        for (const std::string& arm : {candidate, reference}) {
          const Answer* three = find(here->first, arm, k);
          if (!three) continue;
          out_.push_back({.subject = {.role = Role::guess,
                                      .generation = three->from->generation,
                                      .candidate = candidate,
                                      .is_candidates = arm == candidate},
                          .task = {.question = Question::guess,
                                   .prompt = "(the requests are left out)",
                                   .criteria = {},
                                   .texts = {one->text, two->text, three->text}},
                          .egress = std::min(here->second->egress, next->second->egress)});
        }
      }
    }
  }

  const RoundInput& input_;
  std::vector<Answer> answers_;
  std::vector<PlannedTask> out_;
};

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::answer: return "answer";
    case Role::duplicate: return "duplicate";
    case Role::damaged: return "damaged";
    case Role::padded: return "padded";
    case Role::injected: return "injected";
    case Role::pair: return "pair";
    case Role::guess: return "guess";
  }
  return "";
}

std::string Subject::text() const {
  Json out = Json::object({{"role", role_name(role)}, {"generation", generation}});
  if (!second.empty()) out.set("second", second);
  if (!candidate.empty()) out.set("candidate", candidate);
  if (role == Role::guess) out.set("is_candidates", is_candidates);
  return dump_json(out);
}

Result<Subject> parse_subject(std::string_view text) {
  const Json json = TRY(parse_json(text));
  Subject out;
  const std::string name = TRY(get<std::string>(json, "role"));
  const auto role = std::ranges::find(roles, name, role_name);
  if (role == roles.end()) return fail(Code::corrupt, "role: \"" + name + "\" is not one");
  out.role = *role;
  out.generation = TRY(get<std::string>(json, "generation"));
  out.second = TRY(get_or<std::string>(json, "second", ""));
  out.candidate = TRY(get_or<std::string>(json, "candidate", ""));
  out.is_candidates = TRY(get_or<bool>(json, "is_candidates", false));
  return out;
}

std::vector<PlannedTask> plan_round(const RoundInput& input) { return Planner(input).plan(); }

std::string prompt_text(const Item& item) {
  if (item.messages.size() == 1) return item.messages[0].text;
  std::string out;
  for (const chat::Message& message : item.messages)
    out += fmt::format("{}: {}\n\n", chat::role_name(message.role), message.text);
  return out;
}

}  // namespace hearth::eval
