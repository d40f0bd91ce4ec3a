#pragma once
// What a check found: a fact, how much it matters, and the way to mend it. Values; pure.

#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::check {

enum class Severity : std::uint8_t {
  note,     // worth knowing
  warning,  // works, but worse or not for sure
  blocks,   // do not start before it is mended
};
std::string_view severity_name(Severity severity);

struct Finding {
  std::string id;  // "model.shard_missing": stable, for programs
  Severity severity = Severity::note;
  std::string fact;
  std::string mend;
  bool operator==(const Finding&) const = default;
};
using Findings = std::vector<Finding>;

bool nothing_blocks(const Findings& findings);
void append(Findings& findings, Findings more);

// {"findings": [{id, severity, fact, mend}], "ok": nothing blocks}
Json findings_json(const Findings& findings);
// What findings_json wrote; what has no form of a finding is left out.
Findings findings_of_json(const Json& json);
// Worst first, two lines each; for people.
std::string findings_text(Findings findings);

}  // namespace hearth::check
