#include "hearth/plan/output/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hearth/plan/output/layout.h"

namespace hearth::plan {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : ", ") + part;
  return out;
}

std::string names_of(const ClusterSpec& spec, std::uint32_t machines) {
  std::string out;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (machines >> i & 1u) out += (out.empty() ? "" : " + ") + spec.nodes[i].name;
  }
  return out;
}

std::string where(std::size_t here, std::size_t all) {
  return here < all ? "" : all == 2 ? " at both" : fmt::format(" at all {}", all);
}

// Sets of machines that can hold no whole model for prefill, and how much they lack.
void say_what_cannot_prefill(const std::vector<const Answer*>& answers,
                             std::vector<std::string>& out) {
  std::map<std::uint32_t, std::vector<std::string>> needs;
  std::map<std::uint32_t, double> available_gb;
  for (const Answer* answer : answers) {
    for (const Rejected& rejected : answer->result.rejected) {
      const bool several = (rejected.machines & (rejected.machines - 1)) != 0;
      if (rejected.family != Family::split_pooled || !several) continue;
      needs[rejected.machines].push_back(
          fmt::format("{:.0f} GB for {}", rejected.needed, answer->question.card.variant));
      available_gb[rejected.machines] = rejected.available;
    }
  }
  for (const auto& [machines, each] : needs) {
    out.push_back(fmt::format(
        "Prefill by {} alone is impossible{}: it needs {}; they have {:.0f} GB.",
        names_of(answers.front()->question.cluster, machines), where(each.size(), answers.size()),
        joined(each), available_gb[machines]));
  }
}

// "hurts" of "hurts", "needed" of "needed: without it …".
std::string first_word(std::string_view verdict) {
  return std::string(verdict.substr(0, verdict.find_first_of(",:")));
}

std::string effect_text(const Answer& answer, const PoolEffect& effect) {
  const std::string word = first_word(effect.verdict);
  if (!effect.decode_tok_s_with || !effect.decode_tok_s_without || word == "needed")
    return fmt::format("{} at {}", word, answer.question.card.variant);
  return fmt::format("{} at {} ({} tok/s with it, {} without)", word, answer.question.card.variant,
                     precise_rate_text(*effect.decode_tok_s_with),
                     precise_rate_text(*effect.decode_tok_s_without));
}

void say_what_each_does_to_a_pool(const std::vector<const Answer*>& answers,
                                  std::vector<std::string>& out) {
  const ClusterSpec& spec = answers.front()->question.cluster;
  std::vector<std::pair<std::string, std::string>> lines;  // effects, names
  for (std::size_t node = 0; node < spec.nodes.size(); ++node) {
    std::vector<std::string> each;
    for (const Answer* answer : answers) {
      for (const PoolEffect& effect : answer->pool_effects) {
        if (effect.node == node) each.push_back(effect_text(*answer, effect));
      }
    }
    if (each.empty()) continue;
    const bool always = std::ranges::all_of(
        each, [](const std::string& effect) { return effect.starts_with("needed"); });
    const std::string effects =
        always ? "needed" + where(answers.size(), answers.size()) : joined(each);
    const auto same = std::ranges::find(lines, effects, &std::pair<std::string, std::string>::first);
    if (same == lines.end()) {
      lines.emplace_back(effects, spec.nodes[node].name);
    } else {
      same->second += " and " + spec.nodes[node].name;
    }
  }
  for (const auto& [effects, names] : lines) {
    out.push_back(fmt::format("Decoding with the model spread over machines, {}{}: {}.",
                              names.find(" and ") == names.npos ? "" : "each of ", names, effects));
  }
}

}  // namespace

std::vector<std::string> findings(std::span<const Answer> answers) {
  std::vector<const Answer*> first;
  for (const Answer& answer : answers) {
    if (answer.question.workload.name == answers.front().question.workload.name)
      first.push_back(&answer);
  }
  std::vector<std::string> out;
  if (first.size() < 2) return out;
  say_what_cannot_prefill(first, out);
  say_what_each_does_to_a_pool(first, out);
  return out;
}

}  // namespace hearth::plan
