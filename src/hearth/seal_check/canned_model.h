#pragma once
// A model of a check: its tokens are bytes and the markers of one format, its answer is what it is told.
// It computes nothing and keeps nothing. Thread-safe.

#include <string>
#include <vector>

#include "hearth/base/guarded.h"
#include "hearth/chat/format.h"
#include "hearth/engine/model_service.h"

namespace hearth::seal_check {

class CannedModel final : public engine::ModelService {
 public:
  enum class Trouble { none, gone, full, fails_in_the_middle };
  explicit CannedModel(const chat::Format& format);

  void set_answer(std::string text);
  void set_trouble(Trouble trouble);
  std::string text_of(const std::vector<Token>& tokens) const;

  engine::ModelFacts facts() const override;
  bool is_ready() const override;
  Result<std::vector<Token>> tokenize(std::string_view text, bool special, const StopToken& stop) override;
  Result<std::unique_ptr<engine::AnswerStream>> generate(engine::GenerateRequest request, const StopToken& stop) override;

 private:
  struct State {
    std::string answer = "ok";
    Trouble trouble = Trouble::none;
  };
  std::vector<std::string> markers_;  // token 256 + index
  Guarded<State> state_;
};

}  // namespace hearth::seal_check
