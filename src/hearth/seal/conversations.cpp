#include "hearth/seal/conversations.h"

#include <fmt/format.h>

namespace hearth::seal {
namespace {

// However it came to be: from now on the conversation itself is the reason.
LabelDecision remembered(const LabelDecision& decision) {
  LabelDecision out;
  for (Reason reason : decision.reasons) {
    if (reason.label == Label::open) continue;
    if (reason.source != Source::session && !reason.rule.starts_with("earlier: ")) {
      reason.rule = fmt::format("earlier: {} {}", source_name(reason.source), reason.rule);
    }
    reason.source = Source::session;
    out.add(std::move(reason));
  }
  out.label = join(out.label, decision.label);
  return out;
}

}  // namespace

std::string lowering_phrase(std::string_view conversation, Label from, Label to) {
  return fmt::format("lower {} from {} to {}", conversation, label_name(from), label_name(to));
}

LabelDecision Conversations::known(const std::string& id) const {
  if (const auto found = labels_.find(id); found != labels_.end()) return found->second;
  LabelDecision out;
  if (labels_.size() >= labelled_conversations_max) {
    out.add(Reason{.source = Source::failure, .label = Label::sealed, .rule = "too many labelled conversations"});
  }
  return out;
}

LabelDecision Conversations::observe(const std::string& id, const LabelDecision& request) {
  LabelDecision joined = request;
  if (id.size() > conversation_id_bytes_max) {
    joined.add(Reason{.source = Source::failure, .label = Label::sealed, .rule = "conversation id too long"});
    return joined;
  }
  joined.add(known(id));
  if (id.empty() || joined.label == Label::open) return joined;
  const auto found = labels_.find(id);
  if (found != labels_.end()) {
    found->second.add(remembered(joined));
  } else if (labels_.size() < labelled_conversations_max) {
    labels_.emplace(id, remembered(joined));
  }
  return joined;
}

Result<> Conversations::lower(const Lowering& act, std::int64_t at_s, AuditSink& audit) {
  const auto found = labels_.find(act.conversation);
  if (found == labels_.end()) {
    return fail(Code::not_found, fmt::format("conversation {} is open already, or not known", act.conversation));
  }
  const Label from = found->second.label;
  if (act.to >= from) {
    return fail(Code::invalid_argument, fmt::format("conversation {} is {}: that is not above {}", act.conversation,
                                                    label_name(from), label_name(act.to)));
  }
  const std::string phrase = lowering_phrase(act.conversation, from, act.to);
  if (act.typed != phrase) {
    return fail(Code::permission, fmt::format("nothing lowered: type exactly \"{}\"", phrase));
  }
  AuditRecord record{.at_s = at_s, .act = AuditAct::lowered, .clearance = {}, .upstream = {}, .host = {},
                     .outcome = std::string(label_name(act.to)), .body_digest = {}};
  record.clearance = {found->second, act.conversation, act.who};
  record.clearance.decision.add(Reason{.source = Source::session, .label = Label::open, .rule = "why: " + act.why});
  TRY(audit.append(record));
  replay_lowered(act.conversation, act.to);
  return {};
}

void Conversations::replay_lowered(const std::string& id, Label to) {
  labels_.erase(id);
  if (to == Label::open) return;
  LabelDecision lowered;
  lowered.add(Reason{.source = Source::session, .label = to, .rule = "lowered"});
  labels_.emplace(id, std::move(lowered));
}

}  // namespace hearth::seal
