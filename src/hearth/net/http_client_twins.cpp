#include "hearth/net/http_client_twins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hearth/base/guarded.h"
#include "hearth/base/random.h"
#include "hearth/net/growing_buffer.h"

namespace hearth::net {
namespace {

Result<Buffer> gather(const std::vector<ByteSpan>& parts) {
  std::size_t bytes = 0;
  for (const ByteSpan part : parts) bytes += part.size();
  Buffer out = TRY(Buffer::create(bytes));
  std::size_t offset = 0;
  for (const ByteSpan part : parts) {
    if (!part.empty()) std::memcpy(out.data() + offset, part.data(), part.size());
    offset += part.size();
  }
  return out;
}

class RouterStream final : public ResponseStream {
 public:
  RouterStream(Response response, StopToken stop)
      : response_(std::move(response)), stop_(std::move(stop)) {}
  int status() const override { return response_.status; }
  const Headers& headers() const override { return response_.headers; }

  Result<ByteSpan> read(Deadline) override {  // the source waits by its token, not by deadlines
    if (stop_.stop_requested()) return fail(Code::cancelled, "in-process: request cancelled");
    if (ended_) return ByteSpan();
    if (auto* source = std::get_if<std::unique_ptr<BodySource>>(&response_.body)) {
      const auto piece = TRY((*source)->next(stop_));
      ended_ = piece.empty();
      return piece;
    }
    ended_ = true;
    if (const auto* text = std::get_if<std::string>(&response_.body)) return as_byte_span(*text);
    if (const auto* buffer = std::get_if<Buffer>(&response_.body)) {
      return std::as_const(*buffer).span();
    }
    return std::get<SharedBody>(response_.body).bytes;
  }

 private:
  Response response_;
  StopToken stop_;
  bool ended_ = false;
};

class RouterClient final : public HttpClient {
 public:
  RouterClient(const Router& router, std::optional<PeerIdentity> as)
      : router_(router), as_(std::move(as)) {}

  Result<ClientReply> send(const ClientRequest& request, Deadline deadline,
                           const StopToken& stop) override {
    const auto stream = TRY(open_stream(request, deadline, stop));
    GrowingBuffer body(request.reply_bytes_max);
    for (;;) {
      const auto piece = TRY(stream->read(deadline));
      if (piece.empty()) break;
      TRY(body.append(piece));
    }
    return ClientReply{stream->status(), stream->headers(), body.take()};
  }

  Result<std::unique_ptr<ResponseStream>> open_stream(const ClientRequest& request, Deadline,
                                                      const StopToken& stop) override {
    if (stop.stop_requested()) return fail(Code::cancelled, "in-process: request cancelled");
    Request local;
    local.method = request.method;
    local.headers = request.headers;
    local.remote = "in-process";
    local.peer_identity = as_;
    local.stop = stop;
    TRY(set_target(local, request.target));
    local.body = TRY(gather(request.body));
    Response response = router_.dispatch(local);
    if (request.method == "HEAD") response.body = std::string();
    return std::make_unique<RouterStream>(std::move(response), stop);
  }

 private:
  const Router& router_;
  const std::optional<PeerIdentity> as_;
};

// Gives `pass_bytes` of what the inner stream has, then fails.
class CutStream final : public ResponseStream {
 public:
  CutStream(std::unique_ptr<ResponseStream> inner, std::size_t pass_bytes)
      : inner_(std::move(inner)), left_bytes_(pass_bytes) {}
  int status() const override { return inner_->status(); }
  const Headers& headers() const override { return inner_->headers(); }
  Result<ByteSpan> read(Deadline deadline) override {
    if (left_bytes_ > 0) {
      const auto piece = TRY(inner_->read(deadline));
      const std::size_t count = std::min(piece.size(), left_bytes_);
      left_bytes_ -= count;
      if (count > 0) return piece.first(count);
    }
    left_bytes_ = 0;
    return fail(Code::unavailable, "injected fault: the body was cut");
  }

 private:
  std::unique_ptr<ResponseStream> inner_;
  std::size_t left_bytes_;
};

enum class Fault { none, lose_request, lose_reply, cut_body, duplicate };
constexpr std::size_t cut_after_bytes_max = 4096;

struct Draw {
  Fault fault = Fault::none;
  Duration delay{0};
  std::size_t cut_after_bytes = 0;
};

struct Dice {
  Random random;
  std::uint64_t calls = 0;

  explicit Dice(std::uint64_t seed) : random(seed) {}
  Draw roll(const FaultPolicy& policy) {
    ++calls;
    Draw draw;
    if (policy.delay_max > Duration::zero()) {
      draw.delay = Duration(random.below(static_cast<std::uint64_t>(policy.delay_max.count())));
    }
    draw.cut_after_bytes = random.below(cut_after_bytes_max);
    const std::pair<double, Fault> chances[] = {{policy.lose_request, Fault::lose_request},
                                                {policy.lose_reply, Fault::lose_reply},
                                                {policy.cut_body, Fault::cut_body},
                                                {policy.duplicate, Fault::duplicate}};
    for (const auto& [chance, fault] : chances) {
      // Every die is thrown, so that one chance's value does not shift the others' luck.
      if (random.chance(chance) && draw.fault == Fault::none) draw.fault = fault;
    }
    if (calls == policy.fail_call) draw.fault = Fault::lose_request;
    return draw;
  }
};

Result<> wait(Duration delay, Deadline deadline, const StopToken& stop) {
  if (delay <= Duration::zero()) return {};
  const Instant until = std::min(deadline.when(), std::chrono::steady_clock::now() + delay);
  if (stopped_while_waiting(stop, Deadline::at(until))) {
    return fail(Code::cancelled, "injected delay: request cancelled");
  }
  if (deadline.passed()) return fail(Code::timed_out, "injected delay: the deadline passed");
  return {};
}

std::unexpected<Error> lost(std::string_view what) {
  return fail(Code::unavailable, fmt::format("injected fault: the {} was lost", what));
}

}  // namespace

std::unique_ptr<HttpClient> make_router_client(const Router& router,
                                               std::optional<PeerIdentity> as) {
  return std::make_unique<RouterClient>(router, std::move(as));
}

struct FaultyHttpClient::State {
  HttpClient& inner;
  FaultPolicy policy;
  Guarded<Dice> dice;
};

FaultyHttpClient::FaultyHttpClient(HttpClient& inner, FaultPolicy policy)
    : state_(new State{inner, policy, Guarded<Dice>(policy.seed)}) {}
FaultyHttpClient::~FaultyHttpClient() = default;

std::uint64_t FaultyHttpClient::call_count() const {
  return state_->dice.with([](const Dice& dice) { return dice.calls; });
}

Result<ClientReply> FaultyHttpClient::send(const ClientRequest& request, Deadline deadline,
                                           const StopToken& stop) {
  const Draw draw = state_->dice.with([&](Dice& dice) { return dice.roll(state_->policy); });
  TRY(wait(draw.delay, deadline, stop));
  if (draw.fault == Fault::lose_request) return lost("request");
  auto reply = state_->inner.send(request, deadline, stop);
  if (draw.fault == Fault::lose_reply) return lost("reply");
  if (draw.fault == Fault::cut_body) return lost("end of the body");  // a short body is no reply
  if (draw.fault == Fault::duplicate) return state_->inner.send(request, deadline, stop);
  return reply;
}

Result<std::unique_ptr<ResponseStream>> FaultyHttpClient::open_stream(const ClientRequest& request,
                                                                      Deadline head_deadline,
                                                                      const StopToken& stop) {
  const Draw draw = state_->dice.with([&](Dice& dice) { return dice.roll(state_->policy); });
  TRY(wait(draw.delay, head_deadline, stop));
  if (draw.fault == Fault::lose_request) return lost("request");
  auto stream = TRY(state_->inner.open_stream(request, head_deadline, stop));
  if (draw.fault == Fault::lose_reply) return lost("reply");
  if (draw.fault == Fault::duplicate) {
    stream.reset();
    return state_->inner.open_stream(request, head_deadline, stop);
  }
  if (draw.fault == Fault::cut_body) {
    return std::make_unique<CutStream>(std::move(stream), draw.cut_after_bytes);
  }
  return stream;
}

}  // namespace hearth::net
