#include "hearth/eval/study/service.h"

namespace hearth::eval {
namespace {

constexpr Duration look_time_max = std::chrono::seconds(5);

chat::ToolCall call_of(const chat::AnswerEvent& event) {
  chat::ToolCall out{.id = event.id, .name = event.name};
  if (auto arguments = parse_json(event.text); arguments && arguments->is_object()) {
    out.arguments = *std::move(arguments);
    chat::restore_unparsed_input(out);
  } else {
    out.raw_arguments = event.text;
  }
  return out;
}

class HouseService final : public Service {
 public:
  explicit HouseService(upstream::Endpoint& endpoint) : endpoint_(endpoint) {}

  chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress egress, const StopToken& stop) override {
    const seal::Label label = egress == Egress::deny ? seal::Label::sealed : seal::Label::open;
    auto stream = endpoint_.ask_labelled(request, label, Deadline::never(), stop);
    if (!stream) return std::unexpected(std::move(stream).error());
    auto whole = upstream::read_whole(**stream, Deadline::never());
    if (!whole) return std::unexpected(std::move(whole).error());
    return reply_of(*whole, endpoint_.spec().prices);
  }

  upstream::EndpointState look(const StopToken& stop) override {
    return endpoint_.look(Deadline::after(look_time_max), stop);
  }

 private:
  upstream::Endpoint& endpoint_;
};

class OutsideService final : public Service {
 public:
  OutsideService(upstream::RemoteEndpoint& endpoint, const seal::RemoteGate& gate, Egress least)
      : endpoint_(endpoint), gate_(gate), least_(least) {}

  chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress egress, const StopToken& stop) override {
    auto cleared = clear(request, egress);
    if (!cleared)
      return std::unexpected(
          chat::ApiError{.kind = chat::ApiError::Kind::permission, .message = cleared.error().message});
    auto stream = endpoint_.ask(*cleared, Deadline::never(), stop);
    if (!stream) return std::unexpected(std::move(stream).error());
    auto whole = upstream::read_whole(**stream, Deadline::never());
    if (!whole) return std::unexpected(std::move(whole).error());
    return reply_of(*whole, endpoint_.spec().prices);
  }

  // Nothing is sent just to look.
  upstream::EndpointState look(const StopToken&) override { return {.alive = true, .ready = true}; }

 private:
  Result<seal::ClearedForRemote<chat::ChatRequest>> clear(const chat::ChatRequest& request, Egress egress) const {
    const bool may = egress == Egress::open || (egress == Egress::judge && least_ == Egress::judge);
    seal::Labelled<chat::ChatRequest> labelled{request, {.decision = {}, .conversation = "eval", .client = "eval"}};
    labelled.clearance.decision.add({.source = seal::Source::session,
                                     .label = may ? seal::Label::open : seal::Label::sealed,
                                     .rule = "egress " + std::string(egress_name(egress))});
    auto sorted = seal::sort(std::move(labelled));
    auto* open = std::get_if<seal::Open<chat::ChatRequest>>(&sorted);
    if (!open) {
      return fail(Code::permission, "an item whose egress is " + std::string(egress_name(egress)) + " may not go to " +
                                        endpoint_.spec().name + ", which is outside the house");
    }
    return seal::clear_for_remote(std::move(*open), gate_);
  }

  upstream::RemoteEndpoint& endpoint_;
  const seal::RemoteGate& gate_;
  const Egress least_;
};

}  // namespace

std::unique_ptr<Service> make_outside_service(upstream::RemoteEndpoint& endpoint, const seal::RemoteGate& gate,
                                              Egress least) {
  return std::make_unique<OutsideService>(endpoint, gate, least);
}

std::unique_ptr<Service> make_house_service(upstream::Endpoint& endpoint) {
  return std::make_unique<HouseService>(endpoint);
}

std::string ServiceReply::said() const {
  std::string out = text;
  for (const chat::ToolCall& call : calls) {
    out += call.name + (call.raw_arguments.empty() ? dump_json(call.arguments) : call.raw_arguments);
  }
  return out;
}

ServiceReply reply_of(const upstream::WholeReply& whole, const upstream::Prices& prices) {
  ServiceReply out{.text = whole.text(),
                   .thinking = {},
                   .calls = {},
                   .end = whole.last.end,
                   .model = whole.last.model,
                   .build = whole.last.build};
  for (const upstream::Arrival& arrival : whole.arrivals) {
    const auto* piece = std::get_if<upstream::Piece>(&arrival.what);
    if (!piece) continue;
    if (piece->event.kind == chat::AnswerEvent::Kind::thinking) out.thinking += piece->event.text;
    if (piece->event.kind == chat::AnswerEvent::Kind::call) out.calls.push_back(call_of(piece->event));
  }
  const upstream::ExchangeTimes& times = whole.times;
  if (times.first_piece) out.first_piece_s = seconds(*times.first_piece - times.sent);
  if (times.last) out.total_s = seconds(*times.last - times.sent);
  out.cost_usd = upstream::cost_usd(prices, whole.last.end.usage, whole.last.cache_write_tokens);
  out.tries = static_cast<std::uint32_t>(std::max(1, times.tries));
  return out;
}

}  // namespace hearth::eval
