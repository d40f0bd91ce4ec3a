#include "hearth/upstream/endpoint.h"

#include <algorithm>
#include <random>

#include "hearth/seal/rules.h"
#include "hearth/upstream/exchange.h"
#include "hearth/upstream/look.h"
#include "hearth/upstream/vllm_pair.h"

namespace hearth::upstream {
namespace {

// exo sends its head at once; a longer silence is a pause of its cluster.
constexpr Duration exo_head_time_max = std::chrono::seconds(5);

class HttpEndpoint final : public Endpoint {
 public:
  HttpEndpoint(EndpointSpec spec, std::string key, net::HttpClient& http)
      : spec_(std::move(spec)), key_(std::move(key)), http_(http) {}

  const EndpointSpec& spec() const override { return spec_; }

  chat::ApiResult<std::unique_ptr<AnswerStream>> ask(const chat::ChatRequest& request, Deadline head_deadline,
                                                     const StopToken& stop) override {
    return ask_labelled(request, seal::Label::open, head_deadline, stop);
  }

  chat::ApiResult<std::unique_ptr<AnswerStream>> ask_labelled(const chat::ChatRequest& request, seal::Label label,
                                                              Deadline head_deadline, const StopToken& stop) override {
    const std::uint64_t seed = std::random_device()();
    if (spec_.kind == Kind::exo) {
      head_deadline = Deadline::at(std::min(head_deadline.when(), Deadline::after(exo_head_time_max).when()));
    }
    return open_exchange(plan(request, label, seed), seed, head_deadline, stop);
  }

  EndpointState look(Deadline deadline, const StopToken& stop) override {
    return look_at(spec_, key_, http_, deadline, stop);
  }

 private:
  ExchangePlan plan(const chat::ChatRequest& request, seal::Label label, std::uint64_t seed) const {
    if (spec_.kind == Kind::vllm_pair) return plan_vllm_pair(spec_, key_, http_, request, seed);
    ExchangePlan out{.spec = spec_, .transport = make_direct_transport(spec_, key_, http_)};
    out.call = [spec = spec_, request, label](Deadline, const StopToken&) {
      auto call = write_call(spec, request);
      if (call && spec.kind == Kind::hearth && label != seal::Label::open) {
        call->headers.set(seal::label_header, std::string(seal::label_name(label)));
      }
      return call;
    };
    out.reader = [spec = spec_, request] { return make_reader(spec, request); };
    return out;
  }

  const EndpointSpec spec_;
  const std::string key_;
  net::HttpClient& http_;
};

}  // namespace

chat::ApiResult<std::unique_ptr<AnswerStream>> Endpoint::ask(
    const seal::ClearedForCluster<chat::ChatRequest>& request, Deadline head_deadline, const StopToken& stop) {
  if (spec().reach != seal::Reach::cluster) {
    return std::unexpected(chat::ApiError{.kind = chat::ApiError::Kind::permission,
                                          .message = spec().name + " is no machine of the cluster"});
  }
  return ask_labelled(request.request(), request.clearance().decision.label, head_deadline, stop);
}

Result<std::unique_ptr<Endpoint>> make_endpoint(EndpointSpec spec, std::string key, net::HttpClient& http) {
  TRY(check_spec(spec));
  if (spec.reach == seal::Reach::remote) {
    return fail(Code::invalid_argument, "upstream " + spec.name + " is outside of the house: only hearth egress reaches it");
  }
  return std::make_unique<HttpEndpoint>(std::move(spec), std::move(key), http);
}

std::string WholeReply::text() const {
  std::string out;
  for (const Arrival& arrival : arrivals) {
    const auto* piece = std::get_if<Piece>(&arrival.what);
    if (piece != nullptr && piece->event.kind == chat::AnswerEvent::Kind::text) out += piece->event.text;
  }
  return out;
}

chat::ApiResult<WholeReply> read_whole(AnswerStream& stream, Deadline deadline) {
  WholeReply out;
  for (;;) {
    auto arrival = TRY(stream.next(deadline));
    if (!arrival) {
      return std::unexpected(chat::ApiError{.kind = chat::ApiError::Kind::timed_out,
                                            .message = "the answer was not complete in time"});
    }
    if (auto* answered = std::get_if<Answered>(&arrival->what)) {
      out.last = std::move(*answered);
      out.times = stream.times();
      return out;
    }
    out.arrivals.push_back(*std::move(arrival));
  }
}

}  // namespace hearth::upstream
