#pragma once
// What stands where a model would, in a server that only routes: every question is unavailable, which clients
// hear as "overloaded". So what may not leave is refused here and goes nowhere else.

#include "hearth/engine/model_service.h"

namespace hearth::gateway {

class NoModel final : public engine::ModelService {
 public:
  engine::ModelFacts facts() const override { return {}; }
  bool is_ready() const override { return false; }
  Result<std::vector<Token>> tokenize(std::string_view, bool, const StopToken&) override { return none(); }
  Result<std::unique_ptr<engine::AnswerStream>> generate(engine::GenerateRequest, const StopToken&) override { return none(); }

 private:
  static std::unexpected<Error> none() {
    return fail(Code::unavailable, "no model is served here: this work has to wait until hearth serve is started with --model FILE");
  }
};

}  // namespace hearth::gateway
