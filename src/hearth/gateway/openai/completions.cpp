// OpenAI plain completions; what is served, ignored and refused: docs/api_openai.md.
#include "hearth/gateway/dialect.h"
#include "hearth/gateway/openai/completions_answer.h"
#include "hearth/gateway/openai/completions_request.h"
#include "hearth/gateway/openai/errors.h"

namespace hearth::gateway {
namespace {

class OpenaiCompletions final : public Dialect {
 public:
  std::string_view name() const override { return "openai_completions"; }
  ApiResult<ChatRequest> parse(const Json& body, bool) const override {
    return openai::read_completions_request(body);
  }
  std::unique_ptr<AnswerWriter> make_writer(const AnswerInfo& info,
                                            const ChatRequest& request) const override {
    return openai::make_completions_writer(info, request);
  }
  Json whole(const AnswerInfo& info, const ChatRequest& request,
             const WholeAnswer& answer) const override {
    return openai::whole_completion(info, request, answer);
  }
  int error_status(const ApiError& error) const override { return openai::error_status(error); }
  Json error_body(const ApiError& error, std::string_view) const override {
    return openai::error_body(error);
  }
  std::string_view call_id_prefix() const override { return "call_"; }
};

}  // namespace

std::unique_ptr<Dialect> make_openai_completions() { return std::make_unique<OpenaiCompletions>(); }

}  // namespace hearth::gateway
