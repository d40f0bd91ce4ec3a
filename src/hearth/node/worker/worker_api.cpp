#include "hearth/node/worker/worker_api.h"

#include <fmt/format.h>

namespace hearth::node {
namespace {

constexpr std::uint32_t tokens_max_default = 256;

Result<std::optional<engine::LeaseId>> find_lease(const Json& object) {
  const auto lease = TRY(find<std::uint64_t>(object, "lease"));
  if (!lease) return std::optional<engine::LeaseId>();
  return std::optional(engine::LeaseId{*lease});
}

}  // namespace

Result<std::string> adapter_from_json(const Json& json) {
  return get_or<std::string>(json, "adapter", {});
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
  if (!request.adapter.empty()) out.set("adapter", request.adapter);
  if (request.logprobs > 0) out.set("logprobs", request.logprobs);
  if (request.first_logits) out.set("first_logits", true);
  if (request.ignore_eos) out.set("ignore_eos", true);
  return out;
}

Result<engine::GenerateRequest> generate_from_json(PromptBody body) {
  const Json& json = body.head;
  engine::GenerateRequest out;
  out.prompt = std::move(body.tokens);
  out.tokens_max = TRY(get_or<std::uint32_t>(json, "tokens_max", tokens_max_default));
  if (const Json* sampling = json.find("sampling")) {
    out.sampling = TRY(engine::read_sampling(*sampling, "sampling"));
  }
  if (const Json* stops = json.find("stop")) {
    if (!stops->is_array() || stops->as_array().size() > engine::stop_strings_max) {
      return fail(Code::invalid_argument,
                  fmt::format("stop: expected an array of at most {} strings",
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
  out.adapter = TRY(adapter_from_json(json));
  out.logprobs = static_cast<int>(TRY(get_or<std::uint32_t>(json, "logprobs", 0)));
  if (out.logprobs > engine::logprobs_max) {
    return fail(Code::invalid_argument,
                fmt::format("logprobs: {} is more than {}", out.logprobs, engine::logprobs_max));
  }
  out.first_logits = TRY(get_or<bool>(json, "first_logits", false));
  out.ignore_eos = TRY(get_or<bool>(json, "ignore_eos", false));
  return out;
}

Json prefill_json(const engine::PrefillRequest& request) {
  Json out = Json::object();
  if (request.lease) out.set("lease", request.lease->value);
  if (request.export_from) out.set("export_from", *request.export_from);
  if (!request.adapter.empty()) out.set("adapter", request.adapter);
  return out;
}

Result<engine::PrefillRequest> prefill_from_json(PromptBody body) {
  const Json& json = body.head;
  engine::PrefillRequest out;
  out.prompt = std::move(body.tokens);
  out.lease = TRY(find_lease(json));
  out.export_from = TRY(find<std::uint32_t>(json, "export_from"));
  out.adapter = TRY(adapter_from_json(json));
  return out;
}

Json score_json(const engine::ScoreRequest& request) {
  return Json::object({{"from", request.from}});
}

Result<engine::ScoreRequest> score_from_json(PromptBody body) {
  const auto from = TRY(get_or<std::uint32_t>(body.head, "from", 1));
  return engine::ScoreRequest{std::move(body.tokens), from};
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

}  // namespace hearth::node
