// OpenAI chat completions; what is served, ignored and refused: docs/api_openai.md.
#include "hearth/gateway/dialect.h"
#include "hearth/gateway/openai/chat_answer.h"
#include "hearth/gateway/openai/chat_request.h"
#include "hearth/gateway/openai/errors.h"

namespace hearth::gateway {
namespace {

class OpenaiChat final : public Dialect {
 public:
  std::string_view name() const override { return "openai_chat"; }
  ApiResult<ChatRequest> parse(const Json& body, bool) const override {
    return openai::read_chat_request(body);
  }
  std::unique_ptr<AnswerWriter> make_writer(const AnswerInfo& info,
                                            const ChatRequest& request) const override {
    return openai::make_chat_writer(info, request);
  }
  Json whole(const AnswerInfo& info, const ChatRequest& request,
             const WholeAnswer& answer) const override {
    return openai::whole_chat_answer(info, request, answer);
  }
  int error_status(const ApiError& error) const override { return openai::error_status(error); }
  Json error_body(const ApiError& error, std::string_view) const override {
    return openai::error_body(error);
  }
  std::string_view call_id_prefix() const override { return "call_"; }
};

}  // namespace

std::unique_ptr<Dialect> make_openai_chat() { return std::make_unique<OpenaiChat>(); }

}  // namespace hearth::gateway
