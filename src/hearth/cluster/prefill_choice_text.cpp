#include <fmt/format.h>

#include "hearth/cluster/prefill_choice.h"

namespace hearth::cluster {

std::string_view option_kind_name(OptionKind kind) {
  switch (kind) {
    case OptionKind::local: return "local";
    case OptionKind::resume: return "continue";
    case OptionKind::remote: return "remote";
    case OptionKind::gathered: return "gathered";
  }
  return "unknown";
}

std::string_view prefill_policy_name(PrefillPolicy policy) {
  switch (policy) {
    case PrefillPolicy::automatic: return "auto";
    case PrefillPolicy::alone: return "alone";
    case PrefillPolicy::remote: return "remote";
  }
  return "unknown";
}

Result<PrefillPolicy> parse_prefill_policy(std::string_view name) {
  for (const PrefillPolicy policy : {PrefillPolicy::automatic, PrefillPolicy::alone, PrefillPolicy::remote}) {
    if (prefill_policy_name(policy) == name) return policy;
  }
  return fail(Code::invalid_argument, fmt::format("'{}' is not auto, alone or remote", name));
}

std::string PrefillOption::name() const {
  if (is_alone()) return fmt::format("{} on {}", option_kind_name(kind), decode);
  return fmt::format("{} on {} for {}", option_kind_name(kind), prefill, decode);
}

std::string seconds_text(double s) {
  if (s >= 9.95) return fmt::format("{:.0f} s", s);
  if (s >= 0.9995) return fmt::format("{:.1f} s", s);
  return fmt::format("{:.0f} ms", s * 1'000);
}

Json terms_json(const PrefillTerms& t) {
  return Json::object({{"ticket_s", t.ticket_s},
                       {"queue_s", t.queue_s},
                       {"missing_prefix_s", t.missing_prefix_s},
                       {"prefill_s", t.prefill_s},
                       {"transfer_s", t.transfer_s},
                       {"import_all_s", t.import_all_s},
                       {"tail_s", t.tail_s},
                       {"import_s", t.import_s},
                       {"decode_s", t.decode_s},
                       {"overlapped", t.overlapped}});
}

}  // namespace hearth::cluster
