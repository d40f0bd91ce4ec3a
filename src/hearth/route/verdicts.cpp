#include "hearth/route/verdicts.h"

namespace hearth::route {

VerdictState state_of(const std::optional<store::ClassVerdict>& verdict, const store::VerdictBasis& now) {
  if (!verdict) return {Standing::missing, "the bench has not decided it"};
  if (std::string reason = store::stale_reason(*verdict, now); !reason.empty()) {
    return {Standing::stale, std::move(reason)};
  }
  if (!verdict->good_enough) return {Standing::refuted, verdict->verdict};
  return {Standing::stands, verdict->verdict};
}

VerdictState ask_file(const std::filesystem::path& file, const std::string& verdict_class, const std::string& arm,
                      const store::VerdictBasis& now) {
  const auto opened = store::VerdictStore::open_read_only(file);
  if (!opened && opened.error().code == Code::not_found) return state_of(std::nullopt, now);
  if (!opened) return {Standing::missing, "the record of verdicts cannot be read: " + opened.error().message};
  const auto found = opened->find(verdict_class, arm);
  if (!found) return {Standing::missing, "the record of verdicts cannot be read: " + found.error().message};
  return state_of(*found, now);
}

}  // namespace hearth::route
