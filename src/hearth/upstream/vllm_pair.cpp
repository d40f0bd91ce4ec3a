#include "hearth/upstream/vllm_pair.h"

#include <fmt/format.h>

#include "hearth/chat/ids.h"
#include "hearth/net/url.h"
#include "hearth/upstream/members.h"
#include "hearth/upstream/raw_member.h"

namespace hearth::upstream {
namespace {

constexpr std::string_view ticket_key = "kv_transfer_params";
constexpr std::uint64_t prefill_reply_bytes_max = 16u << 20;

struct Learnt {
  std::optional<std::uint32_t> cached_tokens;
  bool without_ticket = false;
};

class PairCalls {
 public:
  PairCalls(EndpointSpec spec, std::string key, net::HttpClient& http, const chat::ChatRequest& request, std::uint64_t seed)
      : spec_(std::move(spec)), key_(std::move(key)), http_(http), call_(write_chat_call(spec_, request)), random_(seed) {}

  Attempt<WireCall> next(Deadline deadline, const StopToken& stop) {
    WireCall call = TRY(Attempt<WireCall>(call_));
    call.headers.set("X-Request-Id", chat::random_outward_id("hearth-", random_));
    learnt_ = {};
    const PrefillReply reply = TRY(prefill(call, deadline, stop));
    learnt_ = {reply.cached_tokens, reply.ticket.empty()};
    if (!reply.ticket.empty()) call.body = with_raw_member(call.body, ticket_key, reply.ticket);
    return call;
  }

  void amend(Answered& answered) const {
    if (learnt_.without_ticket) answered.findings.push_back("the prefill server gave no ticket: the other read the prompt itself");
    if (!answered.usage_known) return;
    // What came over the wire counts as cached at the second server.
    answered.end.usage.cached_tokens = std::min(learnt_.cached_tokens.value_or(0), answered.end.usage.prompt_tokens);
  }

 private:
  Attempt<PrefillReply> prefill(const WireCall& call, Deadline deadline, const StopToken& stop) {
    const auto url = net::parse_url(spec_.prefill_url);
    if (!url) return PrefillReply{};
    const std::string body = prefill_body(call);
    const std::string path = call.target.ends_with("/chat/completions") ? "/v1/chat/completions" : "/v1/completions";
    net::ClientRequest request{.method = "POST", .address = url->address, .target = target_below(spec_.prefill_url, path),
                               .headers = call.headers, .body = {as_byte_span(body)},
                               .reply_bytes_max = prefill_reply_bytes_max, .connect_time_max = spec_.connect_time_max,
                               .stall_time_max = spec_.silence_max};
    request.headers.set("Accept", "application/json");
    add_key(spec_.kind, key_, request.headers);
    const auto reply = http_.send(request, deadline, stop);
    if (!reply && reply.error().code == Code::cancelled) return std::unexpected(failure_of_transport(spec_, reply.error()));
    if (!reply) return PrefillReply{};
    if (is_the_requests_fault(reply->status)) {
      return std::unexpected(failure_of_reply(spec_, reply->status, reply->headers, reply->body_text()));
    }
    return reply->status == 200 ? read_prefill_reply(reply->body_text()) : PrefillReply{};
  }

  const EndpointSpec spec_;
  const std::string key_;
  net::HttpClient& http_;
  const Attempt<WireCall> call_;
  Random random_;
  Learnt learnt_;
};

}  // namespace

std::string prefill_body(const WireCall& call) {
  auto body = parse_json(call.body);
  if (!body) return call.body;
  body->set("stream", false);
  body->set("max_tokens", 1);
  if (body->find("max_completion_tokens") != nullptr) body->set("max_completion_tokens", 1);
  for (const std::string_view key : {"stream_options", "min_tokens", "min_completion_tokens", "logprobs", "top_logprobs"}) body->erase(key);
  body->set(std::string(ticket_key),
            Json::object({{"do_remote_decode", true}, {"do_remote_prefill", false}, {"remote_engine_id", nullptr},
                          {"remote_block_ids", nullptr}, {"remote_host", nullptr}, {"remote_port", nullptr}}));
  return dump_json(*body);
}

PrefillReply read_prefill_reply(std::string_view body) {
  PrefillReply out;
  const auto json = parse_json(body);
  if (!json || !json->is_object()) return out;
  const Json* ticket = json->find(ticket_key);
  if (ticket != nullptr && ticket->is_object() && !ticket->as_object().empty()) {
    out.ticket = raw_member(body, ticket_key).value_or("");
  }
  if (const Json* usage = json->find("usage"); usage != nullptr) {
    out.cached_tokens = count_in(*usage, "prompt_tokens_details", "cached_tokens");
  }
  return out;
}

bool is_the_requests_fault(int status) { return status >= 400 && status < 452; }

ExchangePlan plan_vllm_pair(EndpointSpec spec, std::string key, net::HttpClient& http,
                            const chat::ChatRequest& request, std::uint64_t seed) {
  const auto calls = std::make_shared<PairCalls>(spec, key, http, request, seed);  // by all functions of the plan
  ExchangePlan out{.spec = spec, .transport = make_direct_transport(spec, std::move(key), http)};
  out.call = [calls](Deadline deadline, const StopToken& stop) { return calls->next(deadline, stop); };
  out.reader = [spec, request] { return make_chat_reader(spec, request); };
  out.amend = [calls](Answered& answered) { calls->amend(answered); };
  return out;
}

}  // namespace hearth::upstream
