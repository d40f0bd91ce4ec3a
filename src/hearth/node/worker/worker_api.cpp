#include "hearth/node/worker/worker_api.h"

#include <fmt/format.h>

#include "hearth/base/check.h"

namespace hearth::node {
namespace {

constexpr std::uint32_t tokens_max_default = 256;

double to_ms(Duration d) { return milliseconds(d); }
Duration from_ms(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

Result<std::uint32_t> get_u32(const Json& object, std::string_view key) {
  const auto value = TRY(get<std::uint64_t>(object, key));
  if (value > UINT32_MAX) {
    return fail(Code::invalid_argument, fmt::format("{}: {} is too large", key, value));
  }
  return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> get_u32_or(const Json& object, std::string_view key, std::uint32_t fallback) {
  if (object.find(key) == nullptr) return fallback;
  return get_u32(object, key);
}

Result<std::optional<engine::LeaseId>> find_lease(const Json& object) {
  const auto lease = TRY(find<std::uint64_t>(object, "lease"));
  if (!lease) return std::optional<engine::LeaseId>();
  return std::optional(engine::LeaseId{*lease});
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
  out.answer_tokens = TRY(get_u32(json, "answer_tokens"));
  out.decode = from_ms(TRY(get<double>(json, "decode_ms")));
  return out;
}

Result<engine::PromptDone> prompt_from_json(const Json& json) {
  engine::PromptDone out;
  out.prompt_tokens = TRY(get_u32(json, "prompt_tokens"));
  out.reused_tokens = TRY(get_u32(json, "reused_tokens"));
  out.computed_tokens = TRY(get_u32(json, "computed_tokens"));
  out.queued = from_ms(TRY(get<double>(json, "queued_ms")));
  out.prefill = from_ms(TRY(get<double>(json, "prefill_ms")));
  return out;
}

}  // namespace

std::optional<model::LayoutDigest> WorkerInfo::layout() const {
  if (!identity) return {};
  return model::layout_digest(*identity);
}

Json info_json(const WorkerInfo& info) {
  Json out = Json::object(
      {{"engine", Json::object({{"version", info.engine_version}, {"build", info.engine_build},
                                {"backend", info.backend}})},
       {"model", Json::object({{"architecture", info.architecture}, {"name", info.model_name},
                               {"parameters_total", info.parameters_total},
                               {"parameters_active", info.parameters_active},
                               {"layers", info.layers}, {"bytes", info.model_bytes}})},
       {"limits", Json::object({{"context_tokens", info.limits.context_tokens},
                                {"batch_tokens", info.limits.batch_tokens},
                                {"ubatch_tokens", info.limits.ubatch_tokens},
                                {"sequences", info.limits.sequences},
                                {"vocabulary", info.limits.vocabulary}})},
       {"chunk_tokens", info.chunk_tokens},
       {"kv_bytes", info.kv_bytes},
       {"kv_refusal", info.kv_refusal},
       {"chat_template", info.chat_template},
       {"bos_token", info.bos_token},
       {"adds_bos", info.adds_bos}});
  if (info.identity) {
    out.set("layout", info.layout()->hex());
    out.set("identity", model::identity_json(*info.identity));
  }
  return out;
}

Result<WorkerInfo> info_from_json(const Json& json) {
  WorkerInfo out;
  const Json nothing = Json::object();
  const auto part = [&](std::string_view key) -> const Json& {
    const Json* found = json.find(key);
    return found != nullptr ? *found : nothing;
  };
  const Json& engine = part("engine");
  out.engine_version = TRY(get<std::string>(engine, "version"));
  out.engine_build = TRY(get<std::string>(engine, "build"));
  out.backend = TRY(get<std::string>(engine, "backend"));
  const Json& model = part("model");
  out.architecture = TRY(get<std::string>(model, "architecture"));
  out.model_name = TRY(get<std::string>(model, "name"));
  out.parameters_total = TRY(get<std::uint64_t>(model, "parameters_total"));
  out.parameters_active = TRY(get<std::uint64_t>(model, "parameters_active"));
  out.layers = TRY(get_u32(model, "layers"));
  out.model_bytes = TRY(get<std::uint64_t>(model, "bytes"));
  const Json& limits = part("limits");
  out.limits.context_tokens = TRY(get_u32(limits, "context_tokens"));
  out.limits.batch_tokens = TRY(get_u32(limits, "batch_tokens"));
  out.limits.ubatch_tokens = TRY(get_u32(limits, "ubatch_tokens"));
  out.limits.sequences = TRY(get_u32(limits, "sequences"));
  out.limits.vocabulary = TRY(get_u32(limits, "vocabulary"));
  out.chunk_tokens = TRY(get_u32(json, "chunk_tokens"));
  out.kv_bytes = TRY(get<std::uint64_t>(json, "kv_bytes"));
  out.kv_refusal = TRY(get_or<std::string>(json, "kv_refusal", {}));
  out.chat_template = TRY(get_or<std::string>(json, "chat_template", {}));
  out.bos_token = static_cast<Token>(TRY(get<std::int64_t>(json, "bos_token")));
  out.adds_bos = TRY(get<bool>(json, "adds_bos"));
  if (const Json* identity = json.find("identity")) {
    out.identity = TRY(model::identity_from_json(*identity));
  }
  return out;
}

Json stats_json(const engine::SchedulerStats& stats, std::uint64_t resident_bytes) {
  return Json::object({{"jobs_started", stats.jobs_started},
                       {"jobs_finished", stats.jobs_finished},
                       {"jobs_failed", stats.jobs_failed},
                       {"jobs_cancelled", stats.jobs_cancelled},
                       {"jobs_running", stats.jobs_running},
                       {"jobs_pending", stats.jobs_pending},
                       {"prompt_tokens_computed", stats.prompt_tokens_computed},
                       {"prompt_tokens_reused", stats.prompt_tokens_reused},
                       {"answer_tokens", stats.answer_tokens},
                       {"states_exported", stats.states_exported},
                       {"states_imported", stats.states_imported},
                       {"states_refused", stats.states_refused},
                       {"slots_busy", stats.slots_busy},
                       {"slots_leased", stats.slots_leased},
                       {"tokens_held", stats.tokens_held},
                       {"resident_bytes", resident_bytes}});
}

Json generate_json(const engine::GenerateRequest& request) {
  Json out = Json::object({{"tokens_max", request.tokens_max},
                           {"sampling", engine::sampling_json(request.sampling)}});
  if (!request.stop_strings.empty()) {
    Json stops = Json::array();
    for (const std::string& stop : request.stop_strings) stops.push(stop);
    out.set("stop", std::move(stops));
  }
  if (request.lease) out.set("lease", request.lease->value);
  if (request.logprobs > 0) out.set("logprobs", request.logprobs);
  if (request.first_logits) out.set("first_logits", true);
  return out;
}

Result<engine::GenerateRequest> generate_from_json(PromptBody body) {
  const Json& json = body.head;
  engine::GenerateRequest out;
  out.prompt = std::move(body.tokens);
  out.tokens_max = TRY(get_u32_or(json, "tokens_max", tokens_max_default));
  if (const Json* sampling = json.find("sampling")) {
    out.sampling = TRY(engine::read_sampling(*sampling, "sampling"));
  }
  if (const Json* stops = json.find("stop")) {
    if (!stops->is_array() || stops->as_array().size() > engine::stop_strings_max) {
      return fail(Code::invalid_argument, fmt::format("stop: expected an array of at most {} strings",
                                                      engine::stop_strings_max));
    }
    for (const Json& stop : stops->as_array()) {
      auto text = TRY(read_json<std::string>(stop, "stop"));
      if (text.empty() || text.size() > engine::stop_string_bytes_max) {
        return fail(Code::invalid_argument, fmt::format("stop: a stop string has 1 to {} bytes",
                                                        engine::stop_string_bytes_max));
      }
      out.stop_strings.push_back(std::move(text));
    }
  }
  out.lease = TRY(find_lease(json));
  out.logprobs = static_cast<int>(TRY(get_u32_or(json, "logprobs", 0)));
  if (out.logprobs > engine::logprobs_max) {
    return fail(Code::invalid_argument,
                fmt::format("logprobs: {} is more than {}", out.logprobs, engine::logprobs_max));
  }
  out.first_logits = TRY(get_or<bool>(json, "first_logits", false));
  return out;
}

Json prefill_json(const engine::PrefillRequest& request) {
  Json out = Json::object();
  if (request.lease) out.set("lease", request.lease->value);
  if (request.export_from) out.set("export_from", *request.export_from);
  return out;
}

Result<engine::PrefillRequest> prefill_from_json(PromptBody body) {
  const Json& json = body.head;
  engine::PrefillRequest out;
  out.prompt = std::move(body.tokens);
  out.lease = TRY(find_lease(json));
  if (json.find("export_from") != nullptr) out.export_from = TRY(get_u32(json, "export_from"));
  return out;
}

Json files_json(std::span<const ChunkFile> files) {
  Json list = Json::array();
  for (const ChunkFile& file : files) {
    list.push(Json::object({{"path", file.path.string()}, {"key", file.key.hex()}}));
  }
  return Json::object({{"files", std::move(list)}});
}

Result<std::vector<ChunkFile>> files_from_json(const Json& json) {
  const Json* list = json.find("files");
  if (list == nullptr || !list->is_array()) {
    return fail(Code::invalid_argument, "files: expected an array of {path, key}");
  }
  std::vector<ChunkFile> out;
  for (const Json& item : list->as_array()) {
    const auto path = TRY(get<std::string>(item, "path", "files[]"));
    const auto key = TRY(get<std::string>(item, "key", "files[]"));
    const auto parsed = TRY(model::ChunkKey::parse(key));
    out.push_back({path, parsed});
  }
  return out;
}

Json imported_json(const FilesImported& imported) {
  Json out = imported.error ? error_json(*imported.error) : Json::object();
  out.set("imported", imported.count);
  return out;
}

Result<FilesImported> imported_from_json(const Json& json) {
  FilesImported out;
  out.count = static_cast<std::size_t>(TRY(get<std::uint64_t>(json, "imported")));
  if (json.find("error") != nullptr) out.error = error_from_json(json);
  return out;
}

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
                           {"queued_ms", to_ms(e.queued)}, {"prefill_ms", to_ms(e.prefill)}});
    }
    Json operator()(const engine::TokenDone& e) const { return token_event(e); }
    Json operator()(const engine::StateDone&) const {
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
    const auto done = TRY(get_u32(json, "tokens_done"));
    const auto total = TRY(get_u32(json, "tokens_total"));
    const auto reused = TRY(get_u32(json, "reused_tokens"));
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
