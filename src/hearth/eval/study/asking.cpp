#include "hearth/eval/study/asking.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::eval {
namespace {

constexpr double tokens_per_price = 1e6;
constexpr double bytes_per_token_min = 2;  // on the careful side
constexpr std::size_t markup_bytes = 64;  // around a message, a call, a tool
constexpr std::uint32_t answer_tokens_default = 8'192;  // where nothing limits the answer

std::size_t bytes_of(const chat::ChatRequest& request) {
  std::size_t out = dump_json(request.response_format.schema).size();
  for (const chat::Tool& tool : request.conversation.tools) out += dump_json(chat::tool_json(tool)).size() + markup_bytes;
  for (const chat::Message& message : request.conversation.messages) {
    out += message.text.size() + message.thinking.size() + message.call_id.size() + markup_bytes;
    for (const chat::ToolCall& call : message.calls) {
      out += call.id.size() + call.name.size() + dump_json(call.arguments).size() + call.raw_arguments.size() + markup_bytes;
    }
  }
  return out;
}

Error stopped() { return {.code = Code::cancelled, .message = "stopped; the same command goes on from here"}; }

}  // namespace

double cost_max_usd(const upstream::Prices& prices, const chat::ChatRequest& request) {
  const double prompt_tokens = static_cast<double>(bytes_of(request)) / bytes_per_token_min;
  return (prompt_tokens * std::max(prices.prompt, prices.cache_write) +
          request.tokens_max.value_or(answer_tokens_default) * prices.answer) /
         tokens_per_price;
}

Purse::Purse(std::string owner, const upstream::Prices& prices, double spent_usd, double cap_usd)
    : owner_(std::move(owner)), prices_(prices), cap_usd_(cap_usd), spent_usd_(spent_usd) {}

Result<double> Purse::reserve(const chat::ChatRequest& request) {
  const double cost = cost_max_usd(prices_, request);
  const std::lock_guard hold(mutex_);
  if (cap_usd_ > 0 && spent_usd_ + reserved_usd_ + cost > cap_usd_) {
    return fail(Code::resource_exhausted,
                fmt::format("{}: its cap of {:.4g} dollars is reached: {:.4g} are spent and one more call may cost "
                            "{:.4f}; what came back is kept, raise money_max and run the same command again to go on",
                            owner_, cap_usd_, spent_usd_, cost));
  }
  reserved_usd_ += cost;
  return cost;
}

void Purse::settle(double reserved_usd, double cost_usd) {
  const std::lock_guard hold(mutex_);
  reserved_usd_ -= reserved_usd;
  spent_usd_ += cost_usd;
}

double Purse::spent_usd() const {
  const std::lock_guard hold(mutex_);
  return spent_usd_;
}

Result<Asked> ask_patiently(Service& service, const std::function<Result<chat::ChatRequest>()>& make_request,
                            Egress egress, Purse& purse, const RetryPolicy& policy, const StopToken& stop) {
  for (std::uint32_t tries = 1;; ++tries) {
    const chat::ChatRequest request = TRY(make_request());
    const double reserved = TRY(purse.reserve(request));
    auto reply = service.ask(request, egress, stop);
    purse.settle(reserved, reply ? reply->cost_usd : 0);
    if (reply) {
      reply->tries = std::max(reply->tries, tries);
      return Asked{std::move(reply), tries};
    }
    if (stop.stop_requested()) return std::unexpected(stopped());
    const auto pause = pause_before_retry(reply.error(), tries, policy);
    if (!pause) return Asked{std::move(reply), tries};
    if (stopped_while_waiting(stop, Deadline::after(*pause))) return std::unexpected(stopped());
  }
}

}  // namespace hearth::eval
