#include "hearth/upstream/remote.h"

#include <fmt/format.h>

#include <random>

#include "hearth/net/http_error.h"
#include "hearth/net/url.h"
#include "hearth/upstream/exchange.h"

namespace hearth::upstream {
namespace {

constexpr Duration egress_error_time_max = std::chrono::seconds(5);

class EgressTransport final : public Transport {
 public:
  EgressTransport(EndpointSpec spec, net::Address egress, net::HttpClient& http, seal::Clearance clearance)
      : spec_(std::move(spec)), egress_(std::move(egress)), http_(http), clearance_(std::move(clearance)) {}

  Result<std::unique_ptr<net::ResponseStream>> open(const WireCall& call, Deadline head_deadline,
                                                    const StopToken& stop) override {
    net::ClientRequest request{.method = "POST", .address = egress_, .target = egress_target(spec_, call.target),
                               .headers = call.headers, .body = {as_byte_span(call.body)},
                               .stall_time_max = spec_.silence_max};
    request.headers.set(egress_header::label, std::string(seal::label_name(clearance_.decision.label)));
    request.headers.set(egress_header::reasons, dump_json(reasons_json(clearance_.decision)));
    request.headers.set(egress_header::conversation, clearance_.conversation);
    request.headers.set(egress_header::client, clearance_.client);
    auto stream = http_.open_stream(request, head_deadline, stop);
    if (!stream) {
      if (stream.error().code != Code::unavailable) return std::unexpected(std::move(stream.error()));
      return fail(Code::unavailable, fmt::format("the egress process does not answer at {}: start hearth egress", egress_.text()));
    }
    if (!(*stream)->headers().contains(egress_header::from_egress)) return stream;
    const std::string body = read_error_body(**stream, Deadline::after(egress_error_time_max));
    return std::unexpected(net::error_of_reply((*stream)->status(), as_byte_span(body), "hearth egress"));
  }

 private:
  const EndpointSpec spec_;
  const net::Address egress_;
  net::HttpClient& http_;
  const seal::Clearance clearance_;
};

class EgressEndpoint final : public RemoteEndpoint {
 public:
  EgressEndpoint(EndpointSpec spec, net::Address egress, net::HttpClient& http)
      : spec_(std::move(spec)), egress_(std::move(egress)), http_(http) {}

  const EndpointSpec& spec() const override { return spec_; }

  chat::ApiResult<std::unique_ptr<AnswerStream>> ask(const seal::ClearedForRemote<chat::ChatRequest>& request,
                                                     Deadline head_deadline, const StopToken& stop) override {
    ExchangePlan plan{.spec = spec_,
                      .transport = std::make_shared<EgressTransport>(spec_, egress_, http_, request.clearance())};
    plan.call = [spec = spec_, asked = request.request()](Deadline, const StopToken&) { return write_call(spec, asked); };
    plan.reader = [spec = spec_, asked = request.request()] { return make_reader(spec, asked); };
    return open_exchange(std::move(plan), std::random_device()(), head_deadline, stop);
  }

 private:
  const EndpointSpec spec_;
  const net::Address egress_;
  net::HttpClient& http_;
};

}  // namespace

std::string egress_target(const EndpointSpec& spec, std::string_view target) {
  return fmt::format("/v1/send/{}{}", spec.name, target);
}

Json reasons_json(const seal::LabelDecision& decision) {
  Json out = Json::array();
  for (const seal::Reason& reason : decision.reasons) {
    out.push(Json::array({seal::source_name(reason.source), seal::label_name(reason.label), reason.rule}));
  }
  return out;
}

Result<std::vector<seal::Reason>> read_reasons(std::string_view json) {
  const Json list = TRY(parse_json(json));
  const auto wrong = [] { return fail(Code::invalid_argument, "reasons: expected [[source, label, rule], ...]"); };
  if (!list.is_array() || list.as_array().size() > seal::reasons_max) return wrong();
  std::vector<seal::Reason> out;
  for (const Json& one : list.as_array()) {
    if (!one.is_array() || one.as_array().size() != 3) return wrong();
    for (const Json& part : one.as_array()) {
      if (!part.is_string()) return wrong();
    }
    const auto source = seal::parse_source(one.as_array()[0].as_string());
    if (!source) return wrong();
    out.push_back({.source = *source, .label = TRY(seal::parse_label(one.as_array()[1].as_string())), .rule = one.as_array()[2].as_string()});
  }
  return out;
}

Result<std::unique_ptr<RemoteEndpoint>> make_remote_endpoint(EndpointSpec spec, net::Address egress,
                                                             net::HttpClient& http) {
  TRY(check_spec(spec));
  if (spec.reach != seal::Reach::remote) {
    return fail(Code::invalid_argument, "upstream " + spec.name + " is in the house: it is asked without the egress process");
  }
  return std::make_unique<EgressEndpoint>(std::move(spec), std::move(egress), http);
}

}  // namespace hearth::upstream
