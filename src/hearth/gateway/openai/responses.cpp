// OpenAI Responses; what is served, ignored and refused: docs/api_openai.md.
#include "hearth/gateway/dialect.h"
#include "hearth/gateway/openai/errors.h"
#include "hearth/gateway/openai/responses_answer.h"
#include "hearth/gateway/openai/responses_request.h"

namespace hearth::gateway {
namespace {

class OpenaiResponses final : public Dialect {
 public:
  std::string_view name() const override { return "openai_responses"; }
  ApiResult<ChatRequest> parse(const Json& body, bool) const override {
    return openai::read_responses_request(body);
  }
  std::unique_ptr<AnswerWriter> make_writer(const AnswerInfo& info,
                                            const ChatRequest& request) const override {
    return openai::make_responses_writer(info, request);
  }
  Json whole(const AnswerInfo& info, const ChatRequest& request,
             const WholeAnswer& answer) const override {
    return openai::whole_response(info, request, answer);
  }
  int error_status(const ApiError& error) const override { return openai::error_status(error); }
  Json error_body(const ApiError& error, std::string_view) const override {
    return openai::error_body(error);
  }
  // Codex knows an overflow only as a failed response; a status of 400 ends its session.
  bool tells_in_stream(const ApiError& error) const override {
    return error.kind == ApiError::Kind::prompt_too_long;
  }
  std::string_view call_id_prefix() const override { return "call_"; }
};

}  // namespace

std::unique_ptr<Dialect> make_openai_responses() { return std::make_unique<OpenaiResponses>(); }

}  // namespace hearth::gateway
