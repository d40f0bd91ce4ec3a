// Anthropic Messages; what is served, ignored and refused: docs/api_anthropic.md.
#include "hearth/gateway/anthropic/answer_json.h"
#include "hearth/gateway/anthropic/errors.h"
#include "hearth/gateway/anthropic/request.h"
#include "hearth/gateway/anthropic/writer.h"
#include "hearth/gateway/dialect.h"

namespace hearth::gateway {
namespace {

class AnthropicMessages final : public Dialect {
 public:
  std::string_view name() const override { return "anthropic"; }
  ApiResult<ChatRequest> parse(const Json& body, bool counting) const override {
    return anthropic::read_request(body, counting);
  }
  std::unique_ptr<AnswerWriter> make_writer(const AnswerInfo& info,
                                            const ChatRequest& request) const override {
    return anthropic::make_message_writer(info, request);
  }
  Json whole(const AnswerInfo& info, const ChatRequest& request,
             const WholeAnswer& answer) const override {
    return anthropic::whole_message(info, request, answer);
  }
  int error_status(const ApiError& error) const override { return anthropic::error_status(error); }
  Json error_body(const ApiError& error, std::string_view request_id) const override {
    return anthropic::error_body(error, request_id);
  }
  std::string_view call_id_prefix() const override { return "toolu_"; }
};

}  // namespace

std::unique_ptr<Dialect> make_anthropic_messages() {
  return std::make_unique<AnthropicMessages>();
}

}  // namespace hearth::gateway
