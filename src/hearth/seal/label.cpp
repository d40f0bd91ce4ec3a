#include "hearth/seal/label.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::seal {
namespace {

constexpr std::array<std::string_view, 3> label_names = {"open", "house", "sealed"};
constexpr std::array<std::string_view, 3> reach_names = {"cluster", "house", "remote"};
constexpr std::array<std::string_view, 8> source_names = {
    "key", "header", "folder", "session", "provenance", "detector", "default", "failure"};

}  // namespace

std::string_view label_name(Label label) { return label_names[static_cast<std::size_t>(label)]; }
std::string_view reach_name(Reach reach) { return reach_names[static_cast<std::size_t>(reach)]; }
std::string_view source_name(Source source) { return source_names[static_cast<std::size_t>(source)]; }

Result<Label> parse_label(std::string_view text) {
  for (const Label label : all_labels) {
    if (text == label_name(label)) return label;
  }
  // The text itself may come from a header: a length is enough.
  return fail(Code::invalid_argument,
              fmt::format("a label is sealed, house or open; these {} bytes are none of them", text.size()));
}

std::optional<Source> parse_source(std::string_view name) {
  const auto found = std::ranges::find(source_names, name);
  if (found == source_names.end()) return std::nullopt;
  return static_cast<Source>(found - source_names.begin());
}

void LabelDecision::add(Reason reason) {
  const bool is_stricter = reason.label > label;
  label = join(label, reason.label);
  if (std::ranges::find(reasons, reason) != reasons.end()) return;
  if (reasons.size() >= reasons_max) {
    if (!is_stricter) return;
    reasons.pop_back();
  }
  const auto before = std::ranges::find_if(reasons, [&](const Reason& r) { return r.label < reason.label; });
  reasons.insert(before, std::move(reason));
}

void LabelDecision::add(const LabelDecision& other) {
  label = join(label, other.label);
  for (const Reason& reason : other.reasons) add(reason);
}

}  // namespace hearth::seal
