#include "hearth/seal_check/canned_model.h"

#include <utility>

namespace hearth::seal_check {
namespace {

constexpr Token first_marker = 256;
constexpr std::uint32_t context_tokens = 1 << 20;

class CannedAnswer final : public engine::AnswerStream {
 public:
  CannedAnswer(std::size_t prompt_tokens, std::string text, bool fails)
      : prompt_tokens_(static_cast<std::uint32_t>(prompt_tokens)), text_(std::move(text)), fails_(fails) {}

  Result<engine::JobEvent> next(Deadline) override {
    if (!std::exchange(is_started_, true)) {
      return engine::JobEvent(engine::PromptDone{.prompt_tokens = prompt_tokens_, .computed_tokens = prompt_tokens_});
    }
    if (fails_ && at_ > 0) return engine::JobEvent(Error{Code::unavailable, "the worker ended"});
    if (at_ == text_.size()) {
      return engine::JobEvent(engine::Finished{.reason = engine::FinishReason::end_of_generation,
                                               .answer_tokens = static_cast<std::uint32_t>(at_)});
    }
    const char letter = text_[at_++];
    engine::TokenDone out;
    out.token = static_cast<Token>(static_cast<unsigned char>(letter));
    out.text = std::string(1, letter);
    return engine::JobEvent(std::move(out));
  }

 private:
  const std::uint32_t prompt_tokens_;
  const std::string text_;
  const bool fails_;
  bool is_started_ = false;
  std::size_t at_ = 0;
};

}  // namespace

CannedModel::CannedModel(const chat::Format& format) {
  for (const std::string_view marker : format.markers()) markers_.emplace_back(marker);
}

void CannedModel::set_answer(std::string text) {
  state_.with([&](State& state) { state.answer = std::move(text); });
}

void CannedModel::set_trouble(Trouble trouble) {
  state_.with([&](State& state) { state.trouble = trouble; });
}

std::string CannedModel::text_of(const std::vector<Token>& tokens) const {
  std::string out;
  for (const Token token : tokens) {
    if (token < first_marker) out += static_cast<char>(token);
    else out += markers_[static_cast<std::size_t>(token - first_marker)];
  }
  return out;
}

engine::ModelFacts CannedModel::facts() const {
  engine::ModelFacts out{.model_name = "canned"};
  out.limits = {.context_tokens = context_tokens, .batch_tokens = 512, .ubatch_tokens = 512, .sequences = 4};
  out.limits.vocabulary = static_cast<std::uint32_t>(first_marker) + static_cast<std::uint32_t>(markers_.size());
  return out;
}

bool CannedModel::is_ready() const {
  return state_.with([](const State& state) { return state.trouble != Trouble::gone; });
}

Result<std::vector<Token>> CannedModel::tokenize(std::string_view text, bool special, const StopToken&) {
  std::vector<Token> out;
  while (!text.empty()) {
    std::size_t length = 1;
    Token token = static_cast<Token>(static_cast<unsigned char>(text[0]));
    for (std::size_t i = 0; special && i < markers_.size(); ++i) {
      if (markers_[i].size() <= length || !text.starts_with(markers_[i])) continue;
      length = markers_[i].size();
      token = first_marker + static_cast<Token>(i);
    }
    out.push_back(token);
    text.remove_prefix(length);
  }
  return out;
}

Result<std::unique_ptr<engine::AnswerStream>> CannedModel::generate(engine::GenerateRequest request, const StopToken&) {
  return state_.with([&](const State& state) -> Result<std::unique_ptr<engine::AnswerStream>> {
    if (state.trouble == Trouble::gone) return fail(Code::unavailable, "the worker is being started");
    if (state.trouble == Trouble::full) return fail(Code::resource_exhausted, "too many requests wait");
    return std::make_unique<CannedAnswer>(request.prompt.size(), state.answer, state.trouble == Trouble::fails_in_the_middle);
  });
}

}  // namespace hearth::seal_check
