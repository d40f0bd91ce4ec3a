#pragma once
// Sampled tokens to answer events: markup parsed, calls collected until they are whole, stop
// strings found in the answer's text (not in thinking, not in calls), ids given. A state machine
// without I/O; one object per answer, one thread.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hearth/base/random.h"
#include "hearth/chat/message.h"
#include "hearth/chat/output_parser.h"
#include "hearth/engine/job.h"
#include "hearth/engine/text_assembler.h"
#include "hearth/gateway/api.h"

namespace hearth::gateway {

struct MarkerToken {
  std::string text;
  chat::PieceKind kind = chat::PieceKind::control;
};
using MarkerTokens = std::unordered_map<Token, MarkerToken>;

struct PipelineOptions {
  std::unique_ptr<chat::OutputParser> parser;  // null: raw continuation, all is text
  const MarkerTokens* markers = nullptr;       // not owned; null: none
  bool thinking_open = false;
  std::vector<std::string> stop_strings;
  std::string call_id_prefix = "call_";
  std::uint64_t random_seed = 0;
};

class AnswerPipeline {
 public:
  explicit AnswerPipeline(PipelineOptions options);

  // What became certain with this token.
  std::vector<AnswerEvent> take(const engine::TokenDone& token);
  std::vector<AnswerEvent> finish(const engine::Finished& finished);
  // A stop string was written: more tokens add nothing, cancel the generation and call finish.
  bool stopped() const { return content_.stopped(); }

  // After finish.
  AnswerEnd::Reason reason() const { return reason_; }
  const std::string& stop_string() const { return content_.stop_string(); }
  std::uint32_t answer_tokens() const { return static_cast<std::uint32_t>(tokens_.size()); }
  std::uint32_t thinking_tokens() const { return thinking_tokens_; }
  std::uint32_t calls_malformed() const { return calls_malformed_; }
  // The turn as the client will send it back, and whether tokens() say exactly that.
  const chat::Message& turn() const { return turn_; }
  bool is_repeatable() const { return repeatable_; }
  const std::vector<Token>& tokens() const { return tokens_; }

 private:
  const MarkerToken* marker_of(Token token) const;
  void read(std::vector<chat::Event> parsed, std::vector<AnswerEvent>& out);
  void show_text(std::string_view text, std::vector<AnswerEvent>& out);
  void end_text(std::vector<AnswerEvent>& out);
  void end_call(const chat::Event& event, std::vector<AnswerEvent>& out);

  const PipelineOptions options_;
  Random random_;
  engine::TextAssembler content_;
  std::string call_name_;
  std::vector<TokenChoice> choices_;  // of text not shown yet
  bool thinking_;
  bool cut_off_ = false;  // by a limit
  std::uint32_t thinking_tokens_ = 0;
  std::uint32_t calls_malformed_ = 0;
  std::vector<Token> tokens_;
  chat::Message turn_;
  bool repeatable_ = true;
  AnswerEnd::Reason reason_ = AnswerEnd::Reason::end_turn;
};

}  // namespace hearth::gateway
