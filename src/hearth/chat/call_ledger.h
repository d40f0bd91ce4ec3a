#pragma once
// The tool calls of a conversation in order: what was called, with what, what came back, which were tries
// again. And whether the conversation goes round in circles. A pure function of the conversation, so it
// is the same after a restart and wherever the calls were answered. No text is kept: digests.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/chat/message.h"

namespace hearth::chat {

struct LedgerEntry {
  std::string id;    // outward
  std::string name;
  Digest256 arguments;             // of canonical JSON: members sorted, without spaces
  std::optional<Digest256> result;
  bool error = false;              // the result says that it is one
  std::size_t turn = 0;            // of the assistant, from 0
  std::optional<std::size_t> retry_of;  // entry with the same call whose result was an error
};

std::vector<LedgerEntry> call_ledger(const Conversation& conversation);

// The newest calls repeat: one call, or a round of several, with the same results each time.
struct CallLoop {
  std::vector<std::string> names;  // of one round
  std::size_t times = 0;
  bool errors = false;             // every result was an error
};
inline constexpr std::size_t loop_times_min = 3;   // so many equal rounds are a loop
inline constexpr std::size_t loop_round_max = 4;   // calls of a round
std::optional<CallLoop> find_loop(const std::vector<LedgerEntry>& ledger);

// Said once when a loop is first seen and again each time it has doubled; empty: nothing to say.
std::string loop_warning(const CallLoop& loop);

}  // namespace hearth::chat
