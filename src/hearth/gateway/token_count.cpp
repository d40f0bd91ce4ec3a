#include "hearth/gateway/token_count.h"

#include "hearth/gateway/pass_through.h"

namespace hearth::gateway {
namespace {

constexpr std::uint64_t bytes_per_token = 3;  // of an estimate without a tokenizer: rather too many tokens

// The model here is asked; where there is none the length of the request has to do.
ApiResult<std::uint64_t> estimate(const AnsweringParts& parts, const ChatRequest& request, const net::Request& http) {
  if (!parts.options.has_model) return http.body_text().size() / bytes_per_token + 1;
  return TRY(build_prompt(parts.prompts, request, http.stop)).tokens.size();
}

}  // namespace

ApiResult<TokenCount> count_tokens_of(const AnsweringParts& parts, const Dialect& dialect, const net::Request& http) {
  const Json body = TRY(parse_body(http));
  auto parsed = dialect.parse(body, /*counting=*/true);
  const Routing* routing = parts.options.routing;
  // What the model here cannot read, an image, may be counted where the request goes.
  auto readable = parsed || routing == nullptr ? parsed : dialect.parse(without_images(body), /*counting=*/true);
  if (!readable) return std::unexpected(parsed.error());
  TokenCount out{.by = std::string(route::local_target)};
  seal::Clearance clearance;
  if (parts.options.labeller != nullptr) {
    clearance = TRY(label_of(*parts.options.labeller, parts.access, http, *readable, body));
  }
  out.label = clearance.decision.label;
  if (routing != nullptr) {
    const route::Decision decision =
        routing->router.explain(ask_of(routing->conversation_key, parts.access, http, *readable, out.label, {}));
    out.route = route::route_header(decision);
    if (decision.target.empty()) {
      return std::unexpected(ApiError{.kind = ApiError::Kind::permission, .message = decision.because.back()});
    }
    if (passes_through(*routing, dialect.name(), decision.target)) {
      if (const auto told = count_there(*routing, http, body, clearance, decision.target)) {
        out.tokens = *told;
        out.by = decision.target;
        return out;
      }
    }
    if (decision.target != route::local_target || !parts.options.has_model) out.by = "estimate";
  }
  if (!parsed) return std::unexpected(parsed.error());
  out.tokens = TRY(estimate(parts, *parsed, http));
  return out;
}

}  // namespace hearth::gateway
