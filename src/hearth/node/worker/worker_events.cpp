#include "hearth/node/worker/worker_events.h"

#include <fmt/format.h>

#include "hearth/base/check.h"

namespace hearth::node {
namespace {

double to_ms(Duration d) { return milliseconds(d); }
Duration from_ms(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

Result<engine::FinishReason> parse_reason(std::string_view name) {
  using engine::FinishReason;
  for (const auto reason : {FinishReason::end_of_generation, FinishReason::stop_string,
                            FinishReason::token_limit, FinishReason::context_full,
                            FinishReason::prefilled}) {
    if (engine::finish_reason_name(reason) == name) return reason;
  }
  return fail(Code::invalid_argument, fmt::format("reason: '{}' is not known", name));
}

Json token_event(const engine::TokenDone& done) {
  Json out = Json::object({{"event", "token"}, {"token", done.token}, {"text", done.text}});
  if (!done.top.empty()) {
    out.set("logprob", done.logprob);
    Json top = Json::array();
    for (const auto& each : done.top) {
      top.push(Json::array({each.token, each.logprob, to_hex(as_byte_span(each.text))}));
    }
    out.set("piece", to_hex(as_byte_span(done.piece)));
    out.set("top", std::move(top));
  }
  if (!done.first_logits.empty()) {
    Json logits = Json::array();
    for (const float value : done.first_logits) logits.push(double{value});
    out.set("first_logits", std::move(logits));
  }
  return out;
}

// A token's own text may be half a character, which JSON cannot carry.
Result<std::string> text_from_hex(std::string_view hex) {
  const Bytes bytes = TRY(from_hex(hex));
  return std::string(as_text(bytes));
}

Result<engine::TokenLogprob> logprob_from_json(const Json& json) {
  if (!json.is_array() || json.as_array().size() != 3) {
    return fail(Code::invalid_argument, "top: expected [token, logprob, text in hex]");
  }
  engine::TokenLogprob out;
  out.token = static_cast<Token>(TRY(read_json<std::int64_t>(json.as_array()[0], "top")));
  out.logprob = TRY(read_json<double>(json.as_array()[1], "top"));
  const auto hex = TRY(read_json<std::string>(json.as_array()[2], "top"));
  out.text = TRY(text_from_hex(hex));
  return out;
}

Result<engine::TokenDone> token_from_json(const Json& json) {
  engine::TokenDone out;
  out.token = static_cast<Token>(TRY(get<std::int64_t>(json, "token")));
  out.text = TRY(get<std::string>(json, "text"));
  out.logprob = TRY(get_or<double>(json, "logprob", 0));
  if (const Json* top = json.find("top"); top != nullptr && top->is_array()) {
    for (const Json& item : top->as_array()) out.top.push_back(TRY(logprob_from_json(item)));
    const auto piece = TRY(get<std::string>(json, "piece"));
    out.piece = TRY(text_from_hex(piece));
  }
  if (const Json* logits = json.find("first_logits"); logits != nullptr && logits->is_array()) {
    for (const Json& value : logits->as_array()) {
      const double logit = TRY(read_json<double>(value, "first_logits"));
      out.first_logits.push_back(static_cast<float>(logit));
    }
  }
  return out;
}

Result<engine::Finished> finished_from_json(const Json& json) {
  engine::Finished out;
  const auto reason = TRY(get<std::string>(json, "reason"));
  out.reason = TRY(parse_reason(reason));
  out.text = TRY(get_or<std::string>(json, "text", {}));
  out.stop_string = TRY(get_or<std::string>(json, "stop_string", {}));
  out.answer_tokens = TRY(get<std::uint32_t>(json, "answer_tokens"));
  out.decode = from_ms(TRY(get<double>(json, "decode_ms")));
  return out;
}

Result<engine::PromptDone> prompt_from_json(const Json& json) {
  engine::PromptDone out;
  out.prompt_tokens = TRY(get<std::uint32_t>(json, "prompt_tokens"));
  out.reused_tokens = TRY(get<std::uint32_t>(json, "reused_tokens"));
  out.computed_tokens = TRY(get<std::uint32_t>(json, "computed_tokens"));
  out.queued = from_ms(TRY(get<double>(json, "queued_ms")));
  out.prefill = from_ms(TRY(get<double>(json, "prefill_ms")));
  out.foreign_tokens = TRY(get_or<std::uint32_t>(json, "foreign_tokens", 0));
  return out;
}

}  // namespace

Json event_json(const engine::JobEvent& event) {
  struct Writer {
    Json operator()(const engine::PromptProgress& e) const {
      return Json::object({{"event", "progress"}, {"tokens_done", e.tokens_done},
                           {"tokens_total", e.tokens_total},
                           {"reused_tokens", e.reused_tokens}});
    }
    Json operator()(const engine::PromptDone& e) const {
      return Json::object({{"event", "prompt"}, {"prompt_tokens", e.prompt_tokens},
                           {"reused_tokens", e.reused_tokens},
                           {"computed_tokens", e.computed_tokens},
                           {"queued_ms", to_ms(e.queued)}, {"prefill_ms", to_ms(e.prefill)},
                           {"foreign_tokens", e.foreign_tokens}});
    }
    Json operator()(const engine::TokenDone& e) const { return token_event(e); }
    Json operator()(const engine::StateDone&) const { return none(); }
    Json operator()(const engine::LogitsDone&) const { return none(); }
    static Json none() {
      CHECK(false);
      return {};
    }
    Json operator()(const engine::Finished& e) const {
      return Json::object({{"event", "finished"}, {"reason", engine::finish_reason_name(e.reason)},
                           {"text", e.text}, {"stop_string", e.stop_string},
                           {"answer_tokens", e.answer_tokens}, {"decode_ms", to_ms(e.decode)}});
    }
    Json operator()(const Error& e) const {
      Json out = error_json(e);
      out.set("event", "error");
      return out;
    }
  };
  return std::visit(Writer{}, event);
}

Result<engine::JobEvent> event_from_json(const Json& json) {
  const auto kind = TRY(get<std::string>(json, "event"));
  if (kind == "token") return engine::JobEvent(TRY(token_from_json(json)));
  if (kind == "prompt") return engine::JobEvent(TRY(prompt_from_json(json)));
  if (kind == "finished") return engine::JobEvent(TRY(finished_from_json(json)));
  if (kind == "error") return engine::JobEvent(error_from_json(json));
  if (kind == "progress") {
    const auto done = TRY(get<std::uint32_t>(json, "tokens_done"));
    const auto total = TRY(get<std::uint32_t>(json, "tokens_total"));
    const auto reused = TRY(get<std::uint32_t>(json, "reused_tokens"));
    return engine::JobEvent(engine::PromptProgress{done, total, reused});
  }
  return fail(Code::invalid_argument, fmt::format("event: '{}' is not known", kind));
}

Json error_json(const Error& error) {
  return Json::object({{"error", Json::object({{"code", code_name(error.code)},
                                               {"message", error.message}})}});
}

Error error_from_json(const Json& json) {
  const Json* error = json.find("error");
  if (error == nullptr) return Error{Code::internal, "the worker failed without saying why"};
  const auto name = get_or<std::string>(*error, "code", "internal").value_or("internal");
  const auto message = get_or<std::string>(*error, "message", {}).value_or("");
  for (int code = 0; code <= static_cast<int>(Code::internal); ++code) {
    if (code_name(static_cast<Code>(code)) == name) return Error{static_cast<Code>(code), message};
  }
  return Error{Code::internal, message};
}

}  // namespace hearth::node
