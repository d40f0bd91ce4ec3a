#include "hearth/upstream/exchange.h"

#include <fmt/format.h>

#include <deque>

#include "hearth/net/sse.h"
#include "hearth/net/url.h"

namespace hearth::upstream {
namespace {

constexpr std::size_t error_bytes_max = 64 * 1024;
constexpr Duration error_body_time_max = std::chrono::seconds(5);

Instant now() { return std::chrono::steady_clock::now(); }

chat::ApiError cancelled() {
  return {.kind = chat::ApiError::Kind::overloaded, .message = "cancelled", .retry_after = Duration::zero()};
}

constexpr Duration rest_time_max = std::chrono::milliseconds(200);
constexpr std::size_t rest_bytes_max = 64 * 1024;

class Exchange final : public AnswerStream {
 public:
  Exchange(ExchangePlan plan, std::uint64_t seed, StopToken stop)
      : plan_(std::move(plan)), stop_(std::move(stop)), retry_(plan_.spec.tries_max, seed) {
    times_.asked = now();
  }

  // After the answer only the end of the body is to come. Read, the connection serves the next call, and
  // whoever relays the body knows that nothing was cut.
  ~Exchange() override {
    if (!over_ || !stream_) return;
    const Deadline deadline = Deadline::after(rest_time_max);
    for (std::size_t bytes = 0; bytes < rest_bytes_max;) {
      const auto piece = stream_->read(deadline);
      if (!piece || piece->empty()) return;
      bytes += piece->size();
    }
  }

  chat::ApiResult<void> open(Deadline head_deadline) {
    for (;;) {
      const Attempt<> done = try_once(head_deadline);
      if (done) return {};
      TRY(wait_or_fail(done.error(), head_deadline));
    }
  }

  chat::ApiResult<std::optional<Arrival>> next(Deadline deadline) override {
    while (ready_.empty()) {
      if (over_) return std::unexpected(chat::ApiError{.message = "the answer is over"});
      const Attempt<bool> more = later_ ? std::unexpected(*std::exchange(later_, std::nullopt)) : read(deadline);
      if (!more) {
        TRY(wait_or_fail(more.error(), Deadline::never()));
        TRY(open(Deadline::never()));
      } else if (!*more) {
        return std::nullopt;
      }
    }
    Arrival out = std::move(ready_.front());
    ready_.pop_front();
    over_ = std::holds_alternative<Answered>(out.what);
    return out;
  }

  const ExchangeTimes& times() const override { return times_; }

 private:
  // Another try is due, or the failure is the caller's.
  chat::ApiResult<void> wait_or_fail(const Failure& failure, Deadline deadline) {
    stream_.reset();
    if (stop_.stop_requested()) return std::unexpected(cancelled());
    const auto wait = retry_.after(failure, given_out_);
    const Instant until = now() + wait.value_or(Duration::zero());
    if (!wait || (!deadline.is_never() && until >= deadline.when())) {
      over_ = true;
      return std::unexpected(failure.error);
    }
    if (stopped_while_waiting(stop_, Deadline::at(until))) return std::unexpected(cancelled());
    return {};
  }

  Attempt<> try_once(Deadline head_deadline) {
    stream_.reset();
    times_.sent = now();
    ++times_.tries;
    call_ = TRY(plan_.call(head_deadline, stop_));
    times_.bytes_out += call_.body.size();
    auto opened = plan_.transport->open(call_, head_deadline, stop_);
    if (!opened) return std::unexpected(failure_of_transport(plan_.spec, opened.error()));
    stream_ = *std::move(opened);
    times_.head = last_byte_ = now();
    if (stream_->status() != 200) {
      const std::string body = read_error_body(*stream_, Deadline::after(error_body_time_max));
      return std::unexpected(failure_of_reply(plan_.spec, stream_->status(), stream_->headers(), body));
    }
    if (!stream_->headers().get("content-type").starts_with(net::sse_content_type)) return not_a_stream();
    reader_ = plan_.reader();
    return {};
  }

  // A success that holds an error, or a service that does not stream.
  Attempt<> not_a_stream() {
    const std::string body = read_error_body(*stream_, Deadline::after(error_body_time_max));
    const auto json = parse_json(body);
    const Json* error = json ? json->find("error") : nullptr;
    if (error != nullptr && !error->is_null()) return std::unexpected(failure_in_stream(plan_.spec, *error));
    auto failed = broken(plan_.spec, "did not answer with a stream of events");
    failed.error().may_repeat = false;
    return failed;
  }

  // False: nothing by the deadline.
  Attempt<bool> read(Deadline deadline) {
    auto piece = stream_->read(deadline);
    const Instant at = now();
    std::vector<Arrival> arrived;
    if (!piece) {
      const bool only_late = piece.error().code == Code::timed_out && deadline.passed();
      if (only_late && at - last_byte_ < plan_.spec.silence_max) return false;
      return std::unexpected(failure_of_body(piece.error()));
    }
    last_byte_ = at;
    Attempt<> taken;
    if (piece->empty()) {
      taken = reader_->finish(at, arrived);
    } else {
      if (!times_.first_byte) times_.first_byte = at;
      times_.bytes_in += piece->size();
      taken = reader_->push(*piece, at, arrived);
    }
    // What came before a failure still counts, unless all is tried again.
    for (Arrival& one : arrived) keep(std::move(one));
    if (!taken && ready_.empty()) return std::unexpected(std::move(taken.error()));
    if (!taken) later_ = std::move(taken.error());
    return true;
  }

  Failure failure_of_body(const Error& error) {
    if (stop_.stop_requested()) return {.error = cancelled()};
    if (error.code == Code::timed_out) return failure_of_transport(plan_.spec, error);
    return broken(plan_.spec, "broke its answer off").error();
  }

  void keep(Arrival arrival) {
    if (std::holds_alternative<Piece>(arrival.what)) {
      given_out_ = true;
      if (!times_.first_piece) times_.first_piece = arrival.at;
    }
    if (auto* answered = std::get_if<Answered>(&arrival.what)) {
      given_out_ = true;
      if (plan_.amend) plan_.amend(*answered);
    }
    times_.last = arrival.at;
    ready_.push_back(std::move(arrival));
  }

  const ExchangePlan plan_;
  const StopToken stop_;
  RetryPlan retry_;
  ExchangeTimes times_;
  WireCall call_;
  std::unique_ptr<net::ResponseStream> stream_;  // after call_, whose body it sends
  std::unique_ptr<AnswerReader> reader_;
  std::deque<Arrival> ready_;
  std::optional<Failure> later_;
  Instant last_byte_{};
  bool given_out_ = false;
  bool over_ = false;
};

class DirectTransport final : public Transport {
 public:
  DirectTransport(EndpointSpec spec, std::string key, net::HttpClient& http)
      : spec_(std::move(spec)), key_(std::move(key)), http_(http) {}

  Result<std::unique_ptr<net::ResponseStream>> open(const WireCall& call, Deadline head_deadline,
                                                    const StopToken& stop) override {
    const auto url = net::parse_url(spec_.url);
    if (!url) return std::unexpected(url.error());
    net::ClientRequest request{.method = "POST", .address = url->address, .target = call.target,
                               .headers = call.headers, .body = {as_byte_span(call.body)},
                               .connect_time_max = spec_.connect_time_max, .stall_time_max = spec_.silence_max};
    add_key(spec_.kind, key_, request.headers);
    return http_.open_stream(request, head_deadline, stop);
  }

 private:
  const EndpointSpec spec_;
  const std::string key_;
  net::HttpClient& http_;
};

}  // namespace

chat::ApiResult<std::unique_ptr<AnswerStream>> open_exchange(ExchangePlan plan, std::uint64_t seed,
                                                             Deadline head_deadline, const StopToken& stop) {
  auto out = std::make_unique<Exchange>(std::move(plan), seed, stop);
  TRY(out->open(head_deadline));
  return out;
}

std::string read_error_body(net::ResponseStream& stream, Deadline deadline) {
  std::string out;
  while (out.size() < error_bytes_max) {
    const auto piece = stream.read(deadline);
    if (!piece || piece->empty()) break;
    out += as_text(*piece);
  }
  return out;
}

std::shared_ptr<Transport> make_direct_transport(EndpointSpec spec, std::string key, net::HttpClient& http) {
  return std::make_shared<DirectTransport>(std::move(spec), std::move(key), http);
}

}  // namespace hearth::upstream
