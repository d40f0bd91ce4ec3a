#include "hearth/upstream/look.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/net/url.h"
#include "hearth/upstream/exchange.h"
#include "hearth/upstream/members.h"

namespace hearth::upstream {
namespace {

constexpr std::uint64_t reply_bytes_max = 4u << 20;
constexpr std::size_t models_max = 1000;

class Look {
 public:
  Look(const EndpointSpec& spec, const std::string& key, net::HttpClient& http, Deadline deadline, const StopToken& stop)
      : spec_(spec), key_(key), http_(http), deadline_(deadline), stop_(stop) {}

  EndpointState run() {
    switch (spec_.kind) {
      case Kind::hearth: health("/health"); break;
      case Kind::llama_server: llama(); break;
      case Kind::exo: exo(); break;
      case Kind::mlx:
        health("/health");
        out_.ready = false;
        if (out_.alive) note("mlx_lm.server does not tell whether its model is loaded: ask it for one token");
        break;
      case Kind::vllm_pair: vllm(); break;
      case Kind::anthropic:
      case Kind::openai: break;
    }
    if (spec_.kind != Kind::exo) models();
    return std::move(out_);
  }

 private:
  void note(std::string text) { out_.findings.push_back(std::move(text)); }

  std::optional<net::ClientReply> get(std::string_view path, std::string_view base) {
    const auto url = net::parse_url(base);
    if (!url) return std::nullopt;
    net::ClientRequest request{.address = url->address, .target = target_below(base, path),
                               .reply_bytes_max = reply_bytes_max, .connect_time_max = spec_.connect_time_max};
    add_key(spec_.kind, key_, request.headers);
    if (spec_.kind == Kind::anthropic) request.headers.set("anthropic-version", "2023-06-01");
    auto reply = http_.send(request, deadline_, stop_);
    if (reply) return *std::move(reply);
    note(fmt::format("{} does not answer: {}; is it running, and is its address {} right?", spec_.name, reply.error().message, base));
    return std::nullopt;
  }

  Json get_json(std::string_view path) {
    const auto reply = get(path, spec_.url);
    if (!reply || reply->status != 200) return {};
    auto json = parse_json(reply->body_text());
    return json ? *std::move(json) : Json();
  }

  // Another hearth tells what stands still; others answer so while they load.
  static std::string why_not_ready(const net::ClientReply& reply) {
    const auto body = parse_json(reply.body_text());
    const std::string status = body ? text_of(*body, "status") : std::string();
    return status == "stalled" ? "it is stalled: " + text_of(*body, "message") : "it is loading its model";
  }

  void health(std::string_view path) {
    const auto reply = get(path, spec_.url);
    if (!reply) return;
    out_.alive = reply->status == 200 || reply->status == 503;
    out_.ready = reply->status == 200;
    if (reply->status == 503) note(why_not_ready(*reply));
    else if (!out_.alive) note(fmt::format("{} answered with status {}: is it a server of kind {}?", path, reply->status, kind_name(spec_.kind)));
  }

  void llama() {
    health("/health");
    if (!out_.ready) return;
    const Json props = get_json("/props");
    out_.build = text_of(props, "build_info");
    out_.model = text_of(props, "model_path");
    if (const Json* settings = props.find("default_generation_settings"); settings != nullptr) {
      if (const auto n = count_of(*settings, "n_ctx"); n > 0) out_.context_tokens = n;
    }
    if (const auto n = count_of(props, "total_slots"); n > 0) out_.slots = n;
    if (props.is_null()) note("/props was refused: is the key right?");
  }

  void exo() {
    out_.alive = get_json("/node_id").is_string();
    if (!out_.alive) return;
    const Json instances = get_json("/state/instances"), runners = get_json("/state/runners");
    const Json* placed = nullptr;
    for (const auto& [id, tagged] : members_of(&instances)) {
      for (const auto& [tag, instance] : members_of(&tagged)) {
        const Json* shards = instance.find("shardAssignments");
        if (shards != nullptr && text_of(*shards, "modelId") == spec_.model) placed = shards;
      }
    }
    if (placed == nullptr) return note(fmt::format("no instance of {} is placed", spec_.model));
    out_.model = spec_.model;
    out_.ready = true;
    const Json* shard_of = placed->find("runnerToShard");
    for (const auto& [runner, shard] : members_of(shard_of)) {
      const Json* state = runners.find(runner);
      const bool runs = state != nullptr && (state->find("RunnerReady") != nullptr || state->find("RunnerRunning") != nullptr);
      if (runs) continue;
      out_.ready = false;
      note(fmt::format("runner {} is not ready", runner));
    }
    if (const Json flags = get_json("/v1/feature-flags"); flags.find("disaggregation") != nullptr && flags.find("disaggregation")->is_bool() &&
                                                          flags.find("disaggregation")->as_bool()) {
      note("its own prefill/decode split is on: turn ENABLE_DISAGGREGATION off");
    }
  }

  void vllm() {
    health("/health");
    const bool decodes = out_.ready;
    const auto prefill = get("/health", spec_.prefill_url);
    out_.ready = decodes && prefill && prefill->status == 200;
    if (decodes && !out_.ready) note("the prefill server is not ready: the other one reads prompts itself");
  }

  void models() {
    const auto reply = get("/v1/models", spec_.url);
    if (!reply) return;
    if (reply->status == 401 || reply->status == 403) return note("the key is refused");
    const auto json = parse_json(reply->body_text());
    const Json* data = reply->status == 200 && json ? json->find("data") : nullptr;
    if (data == nullptr || !data->is_array()) return;
    const bool only_sign = spec_.kind == Kind::anthropic || spec_.kind == Kind::openai;
    if (only_sign) out_.alive = out_.ready = true;
    for (const Json& model : data->as_array()) {
      if (out_.models.size() < models_max) out_.models.push_back(text_of(model, "id"));
      if (const auto n = count_of(model, "max_model_len"); n > 0 && !out_.context_tokens) out_.context_tokens = n;
      if (const auto n = count_of(model, "max_input_tokens"); n > 0 && !out_.context_tokens) out_.context_tokens = n;
    }
    const bool named = !spec_.model.empty() && spec_.kind != Kind::mlx && spec_.kind != Kind::llama_server;
    if (named && std::ranges::find(out_.models, spec_.model) == out_.models.end()) {
      note(fmt::format("it has no model {}", spec_.model));
    }
  }

  static const Json::Object& members_of(const Json* value) {
    static const Json::Object none;
    return value != nullptr && value->is_object() ? value->as_object() : none;
  }

  const EndpointSpec& spec_;
  const std::string& key_;
  net::HttpClient& http_;
  const Deadline deadline_;
  const StopToken& stop_;
  EndpointState out_;
};

}  // namespace

EndpointState look_at(const EndpointSpec& spec, const std::string& key, net::HttpClient& http,
                      Deadline deadline, const StopToken& stop) {
  return Look(spec, key, http, deadline, stop).run();
}

}  // namespace hearth::upstream
