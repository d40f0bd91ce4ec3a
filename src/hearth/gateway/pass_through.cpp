#include "hearth/gateway/pass_through.h"

#include <array>

#include "hearth/gateway/answer_response.h"
#include "hearth/gateway/warning_insert.h"
#include "hearth/net/sse.h"
#include "hearth/upstream/pass.h"

namespace hearth::gateway {
namespace {

constexpr Duration head_time_max = std::chrono::minutes(15);
constexpr Duration count_time_max = std::chrono::seconds(20);
constexpr std::size_t count_bytes_max = 64 * 1024;
constexpr std::array<std::string_view, 4> headers_back = {"content-type", "retry-after", "retry-after-ms", "x-should-retry"};

Instant now() { return std::chrono::steady_clock::now(); }

// The reply as it comes; when it has ended, its counts are recorded.
class PassedBody final : public net::BodySource {
 public:
  PassedBody(Metrics& metrics, const upstream::EndpointSpec& spec, upstream::PassedReply reply,
             bool streamed, PassPlan plan)
      : metrics_(metrics), spec_(spec), reply_(std::move(reply)), meter_(spec, streamed), plan_(std::move(plan)) {
    if (!plan_.warning.empty() && reply_.stream->status() == 200) insert_.emplace(plan_.warning, streamed);
  }

  ~PassedBody() override {
    store::RouteRecord& record = plan_.entry->record();
    if (record.outcome.empty()) record.outcome = "left";
    if (const auto answered = meter_.answered()) {
      const Usage& usage = answered->end.usage;
      record.outcome = answered->reason.empty() ? "end_turn" : answered->reason;
      record.model = answered->model;
      record.prompt_tokens = usage.prompt_tokens;
      record.cached_tokens = usage.cached_tokens;
      record.answer_tokens = usage.answer_tokens;
      record.cost_usd = upstream::cost_usd(spec_.prices, usage, answered->cache_write_tokens);
      for (const std::string& finding : answered->findings) record.findings += finding + "\n";
      metrics_.prompt_tokens += usage.prompt_tokens;
      metrics_.cached_tokens += usage.cached_tokens;
      metrics_.answer_tokens += usage.answer_tokens;
      metrics_.thinking_tokens += usage.thinking_tokens;
      ++metrics_.answers_finished;
    } else {
      ++metrics_.answers_failed;
    }
    metrics_.duration.observe(now() - plan_.entry->began());
    plan_.entry->finish();
  }

  Result<ByteSpan> next(const StopToken&) override {  // the stream has the same token
    for (;;) {
      const ByteSpan piece = TRY(read());
      if (!insert_) return piece;
      if (piece.empty()) {
        changed_ = std::exchange(over_, true) ? std::string() : insert_->finish();
        return as_byte_span(changed_);
      }
      changed_ = insert_->push(piece);
      if (!changed_.empty()) return as_byte_span(changed_);
    }
  }

 private:
  Result<ByteSpan> read() {
    if (over_) return ByteSpan();
    auto piece = reply_.stream->read(Deadline::never());
    if (!piece) {
      plan_.entry->record().outcome = "broken";
      return piece;
    }
    if (!std::exchange(begun_, true)) metrics_.ttft.observe(now() - plan_.entry->began());
    meter_.push(*piece);
    if (piece->empty()) plan_.entry->record().outcome = "over";
    return piece;
  }

  Metrics& metrics_;
  const upstream::EndpointSpec& spec_;
  upstream::PassedReply reply_;
  upstream::PassMeter meter_;
  PassPlan plan_;
  std::optional<WarningInsert> insert_;
  std::string changed_;  // what was handed out last
  bool begun_ = false, over_ = false;
};

// What it says of our key is not for the client.
bool is_about_our_key(int status) { return status == 401 || status == 402 || status == 403; }

void replace_images(Json& value) {
  if (value.is_array()) {
    for (Json& item : value.as_array()) replace_images(item);
  } else if (value.is_object()) {
    const Json* type = value.find("type");
    if (type != nullptr && type->is_string() && type->as_string() == "image") {
      value = Json::object({{"type", "text"}, {"text", "[image]"}});
      return;
    }
    for (auto& [key, member] : value.as_object()) {
      if (key == "content" || key == "messages") replace_images(member);
    }
  }
}

// The body as it would leave, which it may only when it is open.
Result<seal::ClearedForRemote<upstream::PassedRequest>> clear(const Routing& routing, const upstream::EndpointSpec& spec, std::string target,
                                                              const net::Request& http, const Json& body, const seal::Clearance& clearance) {
  seal::Labelled<upstream::PassedRequest> labelled{
      {.target = std::move(target), .body = upstream::pass_body(spec, body), .headers = upstream::pass_headers(http.headers)}, clearance};
  auto sorted = seal::sort(std::move(labelled));
  auto* open = std::get_if<seal::Open<upstream::PassedRequest>>(&sorted);
  if (open == nullptr) return fail(Code::permission, "the label of this work does not let it go to " + spec.name);
  return seal::clear_for_remote(std::move(*open), routing.gate);
}

}  // namespace

bool passes_through(const Routing& routing, std::string_view dialect, const std::string& target) {
  const upstream::RemoteEndpoint* remote = routing.fleet.remote(target);
  return dialect == "anthropic" && remote != nullptr && remote->spec().kind == upstream::Kind::anthropic;
}

Json without_images(const Json& body) {
  Json out = body;
  replace_images(out);
  return out;
}

ApiResult<net::Response> pass_through(const Routing& routing, Metrics& metrics, const net::Request& http,
                                      const Json& body, PassPlan plan) {
  upstream::RemoteEndpoint& remote = *routing.fleet.remote(plan.target);
  const upstream::EndpointSpec& spec = remote.spec();
  const auto refused = [&](ApiError error) {
    plan.entry->refused(error);
    return std::unexpected(std::move(error));
  };
  const auto cleared = clear(routing, spec, "/v1/messages", http, body, plan.clearance);
  if (!cleared) return refused({.kind = ApiError::Kind::permission, .message = cleared.error().message});
  plan.entry->record().answered_by = plan.target;
  auto reply = remote.pass(*cleared, Deadline::after(head_time_max), http.stop);
  if (!reply) return refused(std::move(reply.error()));
  if (is_about_our_key(reply->stream->status())) {
    return refused({.kind = ApiError::Kind::bad_upstream,
                    .message = plan.target + " refuses the key that Hearth has for it: look at the key and its account"});
  }
  net::Response out;
  out.status = reply->stream->status();
  for (const std::string_view name : headers_back) {
    if (const std::string* value = reply->stream->headers().find(name)) out.headers.set(name, *value);
  }
  const bool streamed = out.headers.get("content-type").starts_with(net::sse_content_type);
  if (streamed) {
    out.headers.set("Cache-Control", "no-cache");
    out.headers.set("X-Accel-Buffering", "no");
  }
  out.body = std::make_unique<PassedBody>(metrics, spec, *std::move(reply), streamed, std::move(plan));
  return out;
}

std::optional<std::uint64_t> count_there(const Routing& routing, const net::Request& http, const Json& body,
                                         const seal::Clearance& clearance, const std::string& target) {
  upstream::RemoteEndpoint& remote = *routing.fleet.remote(target);
  const auto cleared = clear(routing, remote.spec(), "/v1/messages/count_tokens", http, body, clearance);
  if (!cleared) return std::nullopt;
  const Deadline deadline = Deadline::after(count_time_max);
  auto reply = remote.pass(*cleared, deadline, http.stop);
  if (!reply || reply->stream->status() != 200) return std::nullopt;
  std::string text;
  for (;;) {
    const auto piece = reply->stream->read(deadline);
    if (!piece || text.size() + piece->size() > count_bytes_max) return std::nullopt;
    if (piece->empty()) break;
    text += as_text(*piece);
  }
  const auto told = parse_json(text);
  const auto count = told ? get<std::int64_t>(*told, "input_tokens") : std::unexpected(told.error());
  if (!count || *count < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*count);
}

}  // namespace hearth::gateway
