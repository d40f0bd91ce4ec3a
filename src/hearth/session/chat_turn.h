#pragma once
// One answer of the model, with the calls of the memory tool that it makes on the way: asked for,
// shown as it comes, and kept in the session. What was stopped or broken off is kept as far as it
// came. Blocks; one thread.

#include <functional>
#include <optional>
#include <string>

#include "hearth/session/chat_screen.h"
#include "hearth/session/session.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::session {

inline constexpr int tool_rounds_max = 32;  // of one answer

struct AskOptions {
  std::string model = "any";
  std::optional<bool> thinking;
  std::optional<std::uint32_t> tokens_max;
  chat::SamplingChoice sampling;
};

struct TurnOutcome {
  enum class End : std::uint8_t { answered, stopped, too_long, failed };
  End end = End::answered;
  chat::ApiError error;  // too_long, failed
  ContextUse use;        // as far as it was told
  Duration to_first_piece{};
};

// An error is the session's file; whatever the service did is an outcome.
Result<TurnOutcome> take_turn(Session& session, upstream::Endpoint& endpoint, const AskOptions& options,
                              std::uint32_t window_tokens, ChatScreen& screen,
                              const std::function<std::int64_t()>& now_s);

// Reads the opening of a session ahead, so that its first answer begins at once: computes what of
// the prefix has no KV yet. How much of it was there, or why it could not be done.
chat::ApiResult<chat::Usage> read_ahead(const chat::Conversation& opening, upstream::Endpoint& endpoint,
                                        const AskOptions& options, const std::function<void(double)>& progress,
                                        const StopToken& stop);

}  // namespace hearth::session
