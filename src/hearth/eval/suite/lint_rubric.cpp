#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "hearth/eval/suite/lint.h"

namespace hearth::eval {
namespace {

constexpr std::size_t criterion_bytes_min = 20, criterion_bytes_max = 320;
constexpr double share_of_one_max = 0.4;

// Words on which two careful people differ.
constexpr std::string_view vague_words[] = {
    "good",        "bad",         "nice",        "well-written", "appropriate", "appropriately", "adequate",  "adequately", "engaging",
    "compelling",  "interesting", "reasonable",  "reasonably",   "sufficient",  "sufficiently",  "effective", "effectively", "high-quality",
    "professional", "natural",    "beautiful",   "strong",       "weak",        "helpful",       "thorough",  "comprehensive", "and/or",
    "etc",         "somewhat",    "fairly",      "overall",      "properly",    "correctly",     "clear",     "clearly"};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    const bool is_part = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '/';
    if (is_part) out.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!out.back().empty()) out.emplace_back();
  }
  return out;
}

// Quoted text is what the judge is to look for, not a word of the rule.
std::string without_quotes(std::string_view text) {
  std::string out;
  bool is_quoted = false;
  for (const char c : text) {
    if (c == '"') is_quoted = !is_quoted;
    else if (!is_quoted) out += c;
  }
  return out;
}

void lint_criterion(const RubricSpec::Criterion& one, double positive, std::vector<std::string>& out) {
  const auto finding = [&](std::string_view what) { out.push_back(fmt::format("criterion '{}': {}", one.id, what)); };
  if (one.text.size() < criterion_bytes_min || one.text.size() > criterion_bytes_max) {
    finding(fmt::format("{} characters; expected {} to {}", one.text.size(), criterion_bytes_min, criterion_bytes_max));
  }
  if (one.text.ends_with('?')) finding("is a question; write what is true of a text that meets it: 'The letter names …'");
  const std::vector<std::string> words = words_of(without_quotes(one.text));
  for (const std::string_view vague : vague_words) {
    if (std::ranges::find(words, vague) != words.end()) finding(fmt::format("'{}' is a matter of taste; say what can be seen in the text", vague));
  }
  if (one.weight > 0 && positive > 0 && one.weight / positive > share_of_one_max) {
    finding(fmt::format("decides {:.0f} % of the score alone; at most {:.0f} %", 100 * one.weight / positive, 100 * share_of_one_max));
  }
}

}  // namespace

std::vector<std::string> lint_rubric(const RubricSpec& rubric) {
  std::vector<std::string> out;
  const std::size_t count = rubric.criteria.size();
  if (count < rubric_criteria_min || count > rubric_criteria_max) {
    out.push_back(fmt::format("{} criteria; expected {} to {}", count, rubric_criteria_min, rubric_criteria_max));
  }
  double positive = 0, negative = 0;
  for (const RubricSpec::Criterion& one : rubric.criteria) (one.weight > 0 ? positive : negative) += one.weight;
  if (-negative > positive) out.push_back("the faults weigh more than all that can be reached; scores would sit at 0");
  for (const RubricSpec::Criterion& one : rubric.criteria) lint_criterion(one, positive, out);
  return out;
}

}  // namespace hearth::eval
