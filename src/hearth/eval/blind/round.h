#pragma once
// A blind round: frozen answers and control texts become tasks that say nothing of where they come from,
// and a map that does. Pure: the same answers and seed give the same tasks; only the map's nonce, which
// comes from the caller, decides their ids and with them the order of grading.
//
// Empty answers never become tasks: they are worth nothing, and everybody would know.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/eval/judge/protocol.h"
#include "hearth/eval/suite/item.h"

namespace hearth::eval {

enum class Role : std::uint8_t { answer, duplicate, damaged, padded, injected, pair, guess };
std::string_view role_name(Role role);

// What a task stands for: what only the map knows.
struct Subject {
  Role role = Role::answer;
  std::string generation;  // the text's; of a pair: the first's; of a guess: the third's
  std::string second = {};  // of a pair
  std::string candidate = {};  // pair and guess: the arm that is compared with the one before it
  bool is_candidates = false;  // guess: the text is the candidate's

  std::string text() const;  // JSON on one line
  bool operator==(const Subject&) const = default;
};
Result<Subject> parse_subject(std::string_view text);

struct FrozenAnswer {
  std::string generation, item, arm;
  std::uint32_t k = 0;
  std::string text;  // as the arm wrote it
};

struct RoundInput {
  std::map<std::string, const Item*> items;  // with a rubric; they outlive the call
  std::vector<std::string> arms;  // the largest first
  std::vector<FrozenAnswer> answers;  // of those items, not graded before
  std::vector<std::string> secrets;  // strip_identity()
  std::uint32_t control_texts = 50;  // reference answers that are made into controls
  bool is_first = true;  // pairs, guesses and the second judge's part belong to it
  std::uint64_t seed = 1;
};

struct PlannedTask {
  Subject subject;
  JudgeTask task;
  Egress egress = Egress::deny;
  std::uint32_t copy = 0;  // 1: a duplicate, whose grade is not to be taken from the first one's
  bool for_second = false;
};
std::vector<PlannedTask> plan_round(const RoundInput& input);

// The messages of an item as one text.
std::string prompt_text(const Item& item);

// Of each prompt and arm: answers of the first round that a second judge grades, and guesses.
inline constexpr std::uint32_t checked_generations = 2;

}  // namespace hearth::eval
