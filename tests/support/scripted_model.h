#pragma once
// A double of ModelService for tests of what stands on top of it. Its tokens are bytes, and above
// them the markers of one chat format. What it answers is scripted; how far it goes, and when, is
// the test's decision (Gate). It is strict where a worker is: prompts must fit, tokens must exist,
// text must be UTF-8. KV is modelled by the tokens that its slots hold. Thread-safe.

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hearth/chat/format.h"
#include "hearth/engine/model_service.h"

namespace hearth::test {

// Holds a scripted answer up, step by step. Thread-safe.
class Gate {
 public:
  void open();                     // all steps, from now on
  void allow(std::size_t steps);   // so many more
  bool pass(Deadline deadline);    // takes one step; false: none was allowed in time

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t allowed_ = 0;
  bool open_ = false;
};

struct ScriptedAnswer {
  std::string text;             // markers become their tokens
  std::vector<Token> tokens{};  // after those of `text`
  engine::FinishReason finish = engine::FinishReason::end_of_generation;
  std::optional<Error> refusal{};  // instead of an answer
  std::optional<Error> death{};    // instead of the end
  std::shared_ptr<Gate> prompt_gate{};  // a step for each slice of the prompt
  std::shared_ptr<Gate> token_gate{};   // a step for each token, and one for the end
};

struct ScriptedModelOptions {
  engine::ModelFacts facts{.model_name = "scripted", .limits = {.context_tokens = 1 << 20,
                           .batch_tokens = 512, .ubatch_tokens = 512, .sequences = 4}};
  // Markers that are tokens even where plain text spells them, as user-defined tokens are.
  std::vector<std::string> added_markers{"<think>", "</think>"};
  std::uint32_t slice_tokens = 512;  // of a prompt
};

class ScriptedModel final : public engine::ModelService {
 public:
  // Knows the format's markers; none: bytes only.
  explicit ScriptedModel(const chat::Format* format, ScriptedModelOptions options = {});
  ~ScriptedModel() override;

  // --- what tests set
  // The next answers, in this order; then `fallback` again and again.
  void script(ScriptedAnswer answer);
  void set_fallback(ScriptedAnswer answer);
  void set_ready(bool ready);
  void set_stall(std::optional<engine::ModelStall> found);

  // --- what tests read
  std::vector<engine::GenerateRequest> requests() const;
  engine::GenerateRequest last_request() const;
  std::size_t tokenize_calls() const;
  struct Counts {
    std::size_t started = 0;    // answers
    std::size_t finished = 0;   // told their end or their death
    std::size_t cancelled = 0;  // dropped before
  };
  Counts counts() const;
  // False when it has not come true after 20 seconds.
  bool wait_for(const std::function<bool(const Counts&)>& condition) const;
  std::optional<Token> marker(std::string_view text) const;
  std::vector<Token> tokens_of(std::string_view text, bool special) const;
  // Markers as they are spelled.
  std::string text_of(std::span<const Token> tokens) const;

  // --- ModelService
  engine::ModelFacts facts() const override { return options_.facts; }
  bool is_ready() const override;
  std::optional<engine::ModelStall> stall() const override;
  Result<std::vector<Token>> tokenize(std::string_view text, bool special,
                                      const StopToken& stop) override;
  Result<std::unique_ptr<engine::AnswerStream>> generate(engine::GenerateRequest request,
                                                         const StopToken& stop) override;

 private:
  class Stream;
  struct Slot {
    std::vector<Token> tokens;
    std::uint64_t last_used = 0;
  };
  // The slot that takes `prompt`, and how much of it is there.
  std::pair<std::size_t, std::uint32_t> place(std::span<const Token> prompt);
  void keep(std::size_t slot, std::vector<Token> tokens);
  void count(std::size_t Counts::*which);

  ScriptedModelOptions options_;
  std::vector<std::string> markers_;  // token 256 + index
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<ScriptedAnswer> script_;
  ScriptedAnswer fallback_{.text = "ok"};
  bool ready_ = true;
  std::optional<engine::ModelStall> stall_;
  std::vector<engine::GenerateRequest> requests_;
  std::size_t tokenize_calls_ = 0;
  Counts counts_;
  std::vector<Slot> slots_;
  std::uint64_t use_counter_ = 0;
};

}  // namespace hearth::test
