#pragma once
// Conversations to token ids, and back into memory: renders with the model's format, tokenises
// segment by segment (each text once: ids are cached by its digest), re-uses the sampled tokens of
// turns it remembers. The same conversation always gives the same ids.
//
// Thread-safe. Errors of the client are invalid_request; a model that is not there is overloaded.

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/chat/format.h"
#include "hearth/chat/turn_memory.h"
#include "hearth/engine/model_service.h"
#include "hearth/gateway/answer_pipeline.h"
#include "hearth/gateway/api.h"
#include "hearth/gateway/prefix_memory.h"
#include "hearth/gateway/turn_keeper.h"

namespace hearth::gateway {

// Token ids of texts; the least recently used go first. Not thread-safe.
class TokenCache {
 public:
  static constexpr std::size_t tokens_max = 4 << 20;  // 16 MiB of ids
  static constexpr std::size_t entries_max = 64 << 10;  // about 12 MiB beside them

  const std::vector<Token>* find(const Digest256& key);
  void put(const Digest256& key, std::vector<Token> tokens);

 private:
  using Entries = std::list<std::pair<Digest256, std::vector<Token>>>;  // most recent first
  Entries entries_;
  std::unordered_map<Digest256, Entries::iterator> by_key_;
  std::size_t held_tokens_ = 0;
};

struct Prompt {
  std::vector<Token> tokens;
  bool thinking = false;       // the answer may think
  bool thinking_open = false;  // it begins inside a thinking block
  bool continues_last = false; // it goes on with a turn: no turn of its own to remember
  std::size_t turns_remembered = 0, turns_rendered = 0, types_degraded = 0;
  std::size_t calls_before = 0;
  chat::Conversation conversation;  // arranged, as it was rendered; empty for raw prompts
};

// Whose conversation a turn belongs to; one that is labelled is never on the disk.
struct TurnOwner {
  std::string user = {};
  bool is_labelled = false;
};

class PromptBuilder {
 public:
  // `service` and `format` outlive this.
  PromptBuilder(engine::ModelService& service, const chat::Format& format);

  // Learns which markers are tokens of this vocabulary. Once, before build; unavailable while
  // the model is not there.
  Result<> learn_markers(const StopToken& stop);
  const MarkerTokens& markers() const { return markers_; }
  std::vector<std::string> marker_texts() const;
  std::optional<Token> marker_id(std::string_view text) const;

  // `thinking`: the answer may, where the model can.
  ApiResult<Prompt> build(const ChatRequest& request, bool thinking, const StopToken& stop);
  // Turns are kept in `file` from now on, and those that are there are remembered. Once, before build.
  Result<> keep_turns(const std::filesystem::path& file);

  // `turn` was given as the answer to `prompt` and sampled as `tokens`.
  void remember(const Prompt& prompt, const chat::Message& turn, std::vector<Token> tokens, TurnOwner owner = {});
  Result<> forget(const std::string& user, Deadline deadline);
  // Where `prompt` leaves what is known of the conversation that it goes on with (prefix_memory.h).
  std::optional<Departure> departure(const Prompt& prompt, const std::string& user);

 private:
  ApiResult<Prompt> build_raw(const RawPrompt& raw, const StopToken& stop);
  ApiResult<std::vector<Token>> tokenize(const chat::Segment& segment, const StopToken& stop);
  void add_bos(std::vector<Token>& tokens) const;

  engine::ModelService& service_;
  const chat::Format& format_;
  MarkerTokens markers_;
  std::mutex mutex_;  // memory_, prefixes_ and cache_
  chat::TurnMemory memory_;
  PrefixMemory prefixes_;
  TokenCache cache_;
  std::unique_ptr<TurnKeeper> keeper_;  // nullptr: turns are forgotten with this process
};

ApiError api_error(const Error& error);

}  // namespace hearth::gateway
