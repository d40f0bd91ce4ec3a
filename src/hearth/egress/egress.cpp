#include "hearth/egress/egress.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "hearth/base/log.h"
#include "hearth/base/unix_time.h"
#include "hearth/net/http_error.h"
#include "hearth/net/url.h"
#include "hearth/upstream/keys.h"
#include "hearth/upstream/remote.h"

namespace hearth::egress {
namespace {

namespace header = upstream::egress_header;

constexpr Duration head_time_max = std::chrono::minutes(15);
constexpr std::size_t conversation_bytes_max = 256;
constexpr std::array<std::string_view, 4> headers_out = {"content-type", "accept", "anthropic-version", "anthropic-beta"};
constexpr std::array<std::string_view, 5> headers_back = {"content-type", "retry-after", "retry-after-ms", "x-should-retry", "request-id"};

net::Response own_error(const Error& error) {
  net::Response out = net::error_response(error);
  out.headers.set(header::from_egress, "refused");
  return out;
}

// The label must be there once, and be one. Whoever leaves it out has not been cleared.
Result<seal::Clearance> read_clearance(const net::Request& request) {
  seal::Clearance out;
  std::size_t labels = 0;
  for (const auto& [name, value] : request.headers) labels += net::equals_ignoring_case(name, header::label) ? 1u : 0u;
  if (labels != 1) return fail(Code::permission, "a message without exactly one label does not leave");
  const auto label = seal::parse_label(request.headers.get(header::label));
  if (!label) return fail(Code::permission, "a message with an unknown label does not leave");
  auto reasons = upstream::read_reasons(request.headers.get(header::reasons, "[]"));
  if (!reasons) return fail(Code::permission, "a message whose label has unreadable reasons does not leave");
  out.decision.add({.source = seal::Source::header, .label = *label, .rule = "message"});
  out.decision.label = *label;
  for (seal::Reason& reason : *reasons) out.decision.add(std::move(reason));
  out.conversation = request.headers.get(header::conversation);
  out.client = request.headers.get(header::client);
  if (out.conversation.size() > conversation_bytes_max || out.client.size() > conversation_bytes_max) {
    return fail(Code::permission, "a conversation's name is at most 256 bytes");
  }
  return out;
}

// The service's reply as it comes; the record is completed when it ends, however it does.
class Relay final : public net::BodySource {
 public:
  using OnEnd = std::function<void(std::uint64_t bytes_in, bool whole)>;
  Relay(std::shared_ptr<Buffer> body, std::unique_ptr<net::ResponseStream> stream, OnEnd on_end)
      : body_(std::move(body)), stream_(std::move(stream)), on_end_(std::move(on_end)) {}
  ~Relay() override { on_end_(bytes_in_, whole_); }

  Result<ByteSpan> next(const StopToken&) override {  // the stream has the same token
    auto piece = stream_->read(Deadline::never());
    if (!piece) return piece;
    bytes_in_ += piece->size();
    whole_ = piece->empty();
    return piece;
  }

 private:
  const std::shared_ptr<Buffer> body_;  // what the stream sends
  std::unique_ptr<net::ResponseStream> stream_;
  const OnEnd on_end_;
  std::uint64_t bytes_in_ = 0;
  bool whole_ = false;
};

class EgressService final : public Egress {
 public:
  explicit EgressService(EgressParts parts) : parts_(std::move(parts)) {}

  net::Router routes() override {
    net::Router router;
    router.add("POST", "/v1/send/{name}/{target*}",
               [this](net::Request& request, const net::PathParams& path) -> Result<net::Response> {
                 return send(request, path["name"], "/" + path["target"]);
               }, {.body_bytes_max = body_bytes_max});
    router.add("GET", "/v1/upstreams", [this](net::Request&, const net::PathParams&) -> Result<net::Response> { return list(); });
    return router;
  }

 private:
  struct Going {
    seal::AuditRecord record;
    const EgressUpstream* upstream = nullptr;
  };

  net::Response list() const {
    Json out = Json::array();
    for (const EgressUpstream& one : parts_.upstreams) {
      const auto url = net::parse_url(one.spec.url);
      out.push(Json::object({{"name", one.spec.name}, {"kind", upstream::kind_name(one.spec.kind)},
                             {"host", url ? url->address.host : ""}, {"has_key", !one.key.empty()}}));
    }
    return net::Response::json(200, Json::object({{"upstreams", std::move(out)}}));
  }

  net::Response send(net::Request& request, const std::string& name, const std::string& target) {
    seal::AuditRecord record{.at_s = unix_time_s(), .act = seal::AuditAct::refused, .upstream = name.substr(0, conversation_bytes_max),
                             .bytes_out = request.body.size(),
                             .body_digest = seal::audit_digest(parts_.audit_key, request.body.span())};
    auto going = clear(request, name, target, std::move(record));
    if (!going) return own_error(going.error());
    return forward(request, target, *std::move(going));
  }

  // Everything that must hold; each refusal is recorded.
  Result<Going> clear(const net::Request& request, const std::string& name, const std::string& target, seal::AuditRecord record) {
    auto clearance = read_clearance(request);
    if (!clearance) return refuse(std::move(record), "label", clearance.error());
    record.clearance = *std::move(clearance);
    if (record.clearance.decision.label != seal::Label::open) {
      return refuse(std::move(record), "label", {Code::permission, "only what is labelled open leaves the house"});
    }
    const auto found = std::ranges::find_if(parts_.upstreams, [&](const EgressUpstream& one) { return one.spec.name == name; });
    if (found == parts_.upstreams.end()) return refuse(std::move(record), "upstream", {Code::not_found, "no remote upstream of that name is configured here"});
    const auto url = net::parse_url(found->spec.url);
    record.host = url ? url->address.host : "";
    const auto targets = targets_of(found->spec.kind);
    const bool known = std::ranges::any_of(targets, [&](std::string_view one) { return target == upstream::target_below(found->spec.url, one); });
    if (!known) return refuse(std::move(record), "target", {Code::permission, "that path of the service is not one that is asked"});
    if (parts_.inspect) {
      if (const auto clean = parts_.inspect(record.clearance, request.body.span()); !clean) return refuse(std::move(record), "inspection", clean.error());
    }
    record.act = seal::AuditAct::sent;
    record.outcome = "going";
    if (const auto written = append(record); !written) {
      log_error("the audit log cannot be written: nothing leaves");
      return fail(Code::unavailable, "the audit log cannot be written, so nothing leaves: " + written.error().message);
    }
    return Going{std::move(record), &*found};
  }

  std::unexpected<Error> refuse(seal::AuditRecord record, std::string outcome, Error error) {
    record.outcome = std::move(outcome);
    if (!append(record)) log_error("the audit log cannot be written");
    return std::unexpected(std::move(error));
  }

  Result<> append(const seal::AuditRecord& record) {
    const std::lock_guard hold(mutex_);
    return parts_.audit.append(record);
  }

  net::Response forward(net::Request& request, const std::string& target, Going going) {
    const upstream::EndpointSpec& spec = going.upstream->spec;
    const auto body = std::make_shared<Buffer>(std::move(request.body));
    net::ClientRequest out{.method = "POST", .address = net::parse_url(spec.url)->address, .target = target,
                           .body = {body->span()}, .connect_time_max = spec.connect_time_max,
                           .stall_time_max = spec.silence_max};
    for (const std::string_view name : headers_out) {
      if (const std::string* value = request.headers.find(name)) out.headers.set(name, *value);
    }
    upstream::add_key(spec.kind, going.upstream->key, out.headers);
    auto stream = parts_.http.open_stream(out, Deadline::after(head_time_max), request.stop);
    if (!stream) {
      finish(std::move(going.record), "no answer", 0);
      return own_error(stream.error());
    }
    net::Response reply;
    reply.status = (*stream)->status();
    for (const std::string_view name : headers_back) {
      if (const std::string* value = (*stream)->headers().find(name)) reply.headers.set(name, *value);
    }
    reply.body = std::make_unique<Relay>(body, *std::move(stream),
        [this, record = std::move(going.record), status = reply.status](std::uint64_t bytes_in, bool whole) mutable {
          finish(std::move(record), whole ? std::to_string(status) : fmt::format("{} cut", status), bytes_in);
        });
    return reply;
  }

  void finish(seal::AuditRecord record, std::string outcome, std::uint64_t bytes_in) {
    record.at_s = unix_time_s();
    record.outcome = std::move(outcome);
    record.bytes_in = bytes_in;
    if (!append(record)) log_error("the audit log cannot be written");
  }

  const EgressParts parts_;
  std::mutex mutex_;
};

}  // namespace

std::vector<std::string_view> targets_of(upstream::Kind kind) {
  if (kind == upstream::Kind::anthropic) return {"/v1/messages", "/v1/messages/count_tokens"};
  return {"/v1/chat/completions", "/v1/completions"};
}

Result<std::unique_ptr<Egress>> make_egress(EgressParts parts) {
  for (const EgressUpstream& one : parts.upstreams) {
    TRY(upstream::check_spec(one.spec));
    if (one.spec.reach != seal::Reach::remote) return fail(Code::invalid_argument, "upstream " + one.spec.name + " is not remote");
  }
  return std::make_unique<EgressService>(std::move(parts));
}

}  // namespace hearth::egress
