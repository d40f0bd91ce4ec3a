#include "hearth/cluster/prompt_queue.h"

#include <algorithm>

namespace hearth::cluster {

void PromptQueue::begin(std::uint64_t request, double work_s, Instant now) {
  advance(now);
  prompts_.erase(request);  // its worker died; it begins again
  const Prompt begun{.left_s = work_s, .was_alone = prompts_.empty()};
  for (auto& [id, other] : prompts_) other.was_alone = false;
  if (prompts_.size() >= prompt_queue_max) {
    prompts_.erase(std::ranges::min_element(prompts_, {}, [](const auto& each) { return each.second.left_s; }));
  }
  prompts_.emplace(request, begun);
}

bool PromptQueue::end(std::uint64_t request, Instant now) {
  advance(now);
  const auto found = prompts_.find(request);
  if (found == prompts_.end()) return true;
  const bool was_alone = found->second.was_alone;
  prompts_.erase(found);
  return was_alone;
}

bool PromptQueue::is_alone(std::uint64_t request) const {
  const auto found = prompts_.find(request);
  return found == prompts_.end() || found->second.was_alone;
}

std::vector<double> PromptQueue::left_s(Instant now) const {
  std::vector<double> out;
  for (const auto& [id, prompt] : advanced(now)) {
    if (prompt.left_s > 0) out.push_back(prompt.left_s);
  }
  return out;
}

void PromptQueue::advance(Instant now) {
  prompts_ = advanced(now);
  as_of_ = now;
}

PromptQueue::Prompts PromptQueue::advanced(Instant now) const {
  Prompts out = prompts_;
  std::vector<Prompt*> least_first;
  for (auto& [id, prompt] : out) least_first.push_back(&prompt);
  std::ranges::stable_sort(least_first, {}, &Prompt::left_s);
  double done_s = seconds(now - as_of_);
  for (Prompt* prompt : least_first) {
    const double step_s = std::min(done_s, prompt->left_s);
    prompt->left_s -= step_s;
    done_s -= step_s;
  }
  return out;
}

}  // namespace hearth::cluster
