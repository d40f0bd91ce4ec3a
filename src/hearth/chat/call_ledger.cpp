#include "hearth/chat/call_ledger.h"

#include <algorithm>
#include <array>
#include <map>

namespace hearth::chat {
namespace {

void hash_canonical(const Json& value, Blake2b& hash) {
  if (value.is_array()) {
    hash.update("[");
    for (const Json& item : value.as_array()) hash_canonical(item, hash);
    hash.update("]");
  } else if (value.is_object()) {
    std::map<std::string_view, const Json*> sorted;
    for (const auto& [key, member] : value.as_object()) sorted[key] = &member;
    hash.update("{");
    for (const auto& [key, member] : sorted) {
      hash.update_sized(key);
      hash_canonical(*member, hash);
    }
    hash.update("}");
  } else {
    hash.update_sized(dump_json(value));
  }
}

Digest256 digest_of(const ToolCall& call) {
  Blake2b hash;
  if (!call.raw_arguments.empty()) hash.update_sized(call.raw_arguments);
  else hash_canonical(call.arguments, hash);
  return hash.finish();
}

// The protocols lose the flag that says so; these are the words that tools begin with.
bool is_error_text(std::string_view text) {
  constexpr std::array<std::string_view, 6> beginnings = {"error",     "Error", "ERROR", "<tool_use_error>",
                                                          "Traceback", "fatal:"};
  return std::ranges::any_of(beginnings, [&](std::string_view start) { return text.starts_with(start); });
}

bool same_call(const LedgerEntry& a, const LedgerEntry& b) { return a.name == b.name && a.arguments == b.arguments; }
bool same_outcome(const LedgerEntry& a, const LedgerEntry& b) {
  return same_call(a, b) && a.result && a.result == b.result;
}

// How often the last `round` calls stand at the end, one time after another.
std::size_t repetitions(const std::vector<LedgerEntry>& ledger, std::size_t round) {
  std::size_t matched = round;
  while (matched < ledger.size()) {
    const std::size_t at = ledger.size() - matched - 1;
    if (!same_outcome(ledger[at], ledger[at + round])) break;
    ++matched;
  }
  return matched / round;
}

}  // namespace

std::vector<LedgerEntry> call_ledger(const Conversation& conversation) {
  std::vector<LedgerEntry> out;
  std::map<std::string, std::size_t> by_id;  // the latest of that id
  std::size_t turn = 0;
  for (const Message& message : conversation.messages) {
    for (const ToolCall& call : message.calls) {
      LedgerEntry entry{.id = call.id, .name = call.name, .arguments = digest_of(call), .turn = turn};
      const auto before = std::find_if(out.rbegin(), out.rend(),
                                       [&](const LedgerEntry& one) { return same_call(one, entry); });
      if (before != out.rend() && before->error) entry.retry_of = static_cast<std::size_t>(out.rend() - before) - 1;
      by_id[call.id] = out.size();
      out.push_back(std::move(entry));
    }
    if (message.role == Role::assistant) ++turn;
    const auto answered = message.role == Role::tool ? by_id.find(message.call_id) : by_id.end();
    if (answered == by_id.end()) continue;
    out[answered->second].result = blake2b(as_byte_span(message.text));
    out[answered->second].error = is_error_text(message.text);
  }
  return out;
}

std::optional<CallLoop> find_loop(const std::vector<LedgerEntry>& ledger) {
  for (std::size_t round = 1; round <= loop_round_max && round <= ledger.size(); ++round) {
    const std::size_t times = ledger.back().result ? repetitions(ledger, round) : 0;
    if (times < loop_times_min) continue;
    CallLoop out{.times = times, .errors = true};
    for (std::size_t i = ledger.size() - round; i < ledger.size(); ++i) {
      out.names.push_back(ledger[i].name);
      out.errors = out.errors && ledger[i].error;
    }
    return out;
  }
  return std::nullopt;
}

std::string loop_warning(const CallLoop& loop) {
  std::size_t told_at = loop_times_min;
  while (told_at < loop.times) told_at *= 2;
  if (told_at != loop.times) return {};
  std::string names;
  for (const std::string& name : loop.names) names += (names.empty() ? "" : ", ") + name;
  return "[Hearth: the same calls (" + names + ") were made " + std::to_string(loop.times) + " times with the same " +
         (loop.errors ? "errors" : "results") + "; repeating them will not help.]\n";
}

}  // namespace hearth::chat
