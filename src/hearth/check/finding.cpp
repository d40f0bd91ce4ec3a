#include "hearth/check/finding.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::check {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::note: return "note";
    case Severity::warning: return "warning";
    case Severity::blocks: return "blocks";
  }
  return "blocks";
}

bool nothing_blocks(const Findings& findings) {
  return std::ranges::none_of(findings, [](const Finding& one) { return one.severity == Severity::blocks; });
}

void append(Findings& findings, Findings more) {
  for (Finding& one : more) findings.push_back(std::move(one));
}

Json findings_json(const Findings& findings) {
  Json list = Json::array();
  for (const Finding& one : findings) {
    list.push(Json::object({{"id", one.id}, {"severity", severity_name(one.severity)}, {"fact", one.fact},
                            {"mend", one.mend}}));
  }
  return Json::object({{"findings", std::move(list)}, {"ok", nothing_blocks(findings)}});
}

Findings findings_of_json(const Json& json) {
  Findings out;
  const Json* list = json.find("findings");
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : list->as_array()) {
    const auto id = get<std::string>(item, "id"), severity = get<std::string>(item, "severity"), fact = get<std::string>(item, "fact"),
               mend = get<std::string>(item, "mend");
    if (!id || !severity || !fact || !mend) continue;
    for (const Severity known : {Severity::note, Severity::warning, Severity::blocks}) {
      if (severity_name(known) == *severity) out.push_back({*id, known, *fact, *mend});
    }
  }
  return out;
}

std::string findings_text(Findings findings) {
  if (findings.empty()) return "nothing found: all is as it should be\n";
  std::ranges::stable_sort(findings, std::ranges::greater(), &Finding::severity);
  std::string out;
  for (const Finding& one : findings) {
    out += fmt::format("{:7}  {}: {}\n         {}\n", severity_name(one.severity), one.id, one.fact, one.mend);
  }
  return out;
}

}  // namespace hearth::check
