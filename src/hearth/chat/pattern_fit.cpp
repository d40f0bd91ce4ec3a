// Pattern::fitted: a grammar cannot count and match at once, so a length is put into the
// repetitions of the pattern. The result is never looser than both and may be tighter.
#include <algorithm>

#include "hearth/chat/pattern.h"

namespace hearth::chat {
namespace {

using Node = Pattern::Node;
using Kind = Node::Kind;

// Repetitions whose count may be chosen freely: reached through sequences alone.
void collect(Node& node, std::vector<Node*>& out) {
  if (node.kind == Kind::repeat && (!node.max || *node.max > node.min)) out.push_back(&node);
  if (node.kind != Kind::sequence) return;
  for (Node& child : node.children) collect(child, out);
}

std::uint64_t unit_max(const Node& repeat) {
  return pattern_lengths(repeat.children[0]).max.value_or(0);
}

// Fewer repetitions, so that the longest string has at most `limit` characters.
bool shorten(Node& root, const std::vector<Node*>& repeats, std::uint64_t limit) {
  std::vector<std::optional<std::uint32_t>> wanted;
  std::uint64_t share = 0;
  for (Node* repeat : repeats) {
    wanted.push_back(std::exchange(repeat->max, repeat->min));
    share += unit_max(*repeat);
  }
  const auto fixed = pattern_lengths(root).max;
  if (!fixed || *fixed > limit || share == 0) return false;
  const std::uint64_t extra = (limit - *fixed) / share;
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    const std::uint64_t most = std::min<std::uint64_t>(repeats[i]->min + extra, UINT32_MAX);
    repeats[i]->max = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted[i].value_or(UINT32_MAX), most));
  }
  return true;
}

// More repetitions of one part, so that the shortest string has at least `limit` characters.
bool lengthen(Node& root, const std::vector<Node*>& repeats, std::uint64_t limit) {
  for (Node* repeat : repeats) {
    const std::uint64_t now = pattern_lengths(root).min;
    if (now >= limit) return true;
    const std::uint64_t unit = pattern_lengths(repeat->children[0]).min;
    if (unit == 0) continue;
    std::uint64_t more = (limit - now + unit - 1) / unit;
    if (repeat->max) more = std::min<std::uint64_t>(more, *repeat->max - repeat->min);
    if (more > pattern_repeats_max) return false;
    repeat->min += static_cast<std::uint32_t>(more);
  }
  return pattern_lengths(root).min >= limit;
}

}  // namespace

std::optional<Pattern> Pattern::fitted(std::uint64_t length_min,
                                       std::optional<std::uint64_t> length_max) const {
  const auto fits = [&](const Node& root) {
    const Lengths now = pattern_lengths(root);
    return now.min >= length_min && (!length_max || (now.max && *now.max <= *length_max));
  };
  Pattern out = *this;
  if (fits(out.root_)) return out;
  std::vector<Node*> repeats;
  collect(out.root_, repeats);
  // Endless ones first; bounded ones are touched only when there is no other.
  std::vector<Node*> endless;
  std::copy_if(repeats.begin(), repeats.end(), std::back_inserter(endless),
               [](const Node* node) { return !node->max; });
  const std::vector<Node*>& chosen = endless.empty() ? repeats : endless;
  const Lengths now = pattern_lengths(out.root_);
  const bool too_long = length_max && (!now.max || *now.max > *length_max);
  if (too_long && !shorten(out.root_, chosen, *length_max)) return std::nullopt;
  if (!lengthen(out.root_, chosen, length_min) || !fits(out.root_)) return std::nullopt;
  return out;
}

}  // namespace hearth::chat
