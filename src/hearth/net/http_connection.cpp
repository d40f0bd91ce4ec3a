#include "hearth/net/http_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <optional>
#include <vector>

#include "hearth/base/log.h"
#include "hearth/net/growing_buffer.h"
#include "hearth/net/http_error.h"
#include "hearth/net/http_grammar.h"
#include "hearth/net/response_writer.h"

namespace hearth::net {
namespace {

constexpr std::size_t read_bytes = 8 * 1024;
constexpr std::size_t linger_bytes_max = 1024 * 1024;
constexpr Duration linger_time_max = std::chrono::seconds(1);

// What has been read and not yet taken. Holds memory only while there is something in it.
class Incoming {
 public:
  ByteSpan bytes() const { return bytes_; }
  void take(std::size_t count) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
    if (bytes_.empty()) bytes_ = {};
  }
  // 0: the peer has finished sending.
  Result<std::size_t> fill(Stream& stream, Deadline deadline) {
    std::array<std::byte, read_bytes> block;
    const std::size_t count = TRY(stream.read_some(block, deadline, {}));
    bytes_.insert(bytes_.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }

 private:
  Bytes bytes_;
};

class Connection {
 public:
  Connection(Stream& stream, const ConnectionContext& context)
      : stream_(stream), context_(context), options_(context.options) {}

  void serve() {
    while (!context_.server_stop.stop_requested() && serve_one()) has_served_ = true;
  }

 private:
  // One request. False: the connection has come to its end.
  bool serve_one() {
    std::optional<Refusal> refusal;
    auto parser = std::make_unique<RequestParser>(
        HeadLimits{options_.header_bytes_max, options_.header_count_max});
    RequestHead head = read_head(*parser, refusal);
    if (refusal && refusal->status == 0) return refuse(head, *refusal);
    if (!may_ask(head.request)) return false;
    if (refusal) return refuse(head, *refusal);

    head.request.remote = stream_.peer();
    head.request.body_began = std::chrono::steady_clock::now();
    const RouteMatch match = context_.router.match(head.request.method, head.request.path);
    if (match.route == nullptr) return answer_no_route(head, match);
    std::optional<Response> answer, unread_answer;
    if (match.route->options.admit) refusal = admit(head, match, answer, unread_answer);
    if (unread_answer) return answer_unread(head, *unread_answer);
    if (!refusal) {
      read_body(*parser, head, match.route->options.body_bytes_max, /*keep=*/!answer, refusal);
    }
    if (refusal) return refuse(head, *refusal);
    parser.reset();  // an idle stream keeps no parser
    return answer ? write(head, *answer) : run(head, match);
  }

  // Before a byte of its body is looked at. `answer`: the body is to be thrown away; `unread_answer`: it is
  // not to be read at all.
  std::optional<Refusal> admit(RequestHead& head, const RouteMatch& match, std::optional<Response>& answer,
                               std::optional<Response>& unread_answer) {
    const RouteOptions& route = match.route->options;
    if (head.chunked && !route.admits_chunked) {
      return Refusal{411, {Code::invalid_argument, "the body's length is wanted"}};
    }
    auto admitted = route.admit(head.request, head.chunked ? route.body_bytes_max : head.content_length, match.params);
    if (!admitted) return Refusal{status_of(admitted.error().code), admitted.error()};
    if (auto* response = std::get_if<Response>(&*admitted)) answer = std::move(*response);
    else if (auto* away = std::get_if<TurnedAway>(&*admitted)) unread_answer = std::move(away->response);
    else head.request.admission = std::get<std::shared_ptr<void>>(*std::move(admitted));
    return {};
  }

  bool write(const RequestHead& head, Response& response) {
    StopSource unused;
    return write_response(stream_, response, mode_of(head, head.keep_alive), options_, unused);
  }

  // A TLS peer may have been revoked, or its certificate may have expired, since the handshake.
  bool may_ask(Request& request) {
    const PeerIdentity* peer = stream_.peer_identity();
    if (!options_.tls) return true;
    if (peer == nullptr) return false;
    const TlsServerOptions& tls = *options_.tls;
    Result<> allowed;
    // In whole seconds: the year 9999 of certificates without an end is none in nanoseconds.
    const auto today = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (peer->from_authority && today > peer->certificate.expires) {
      allowed = fail(Code::permission, "its certificate has expired");
    } else if (tls.admit) {
      allowed = tls.admit(*peer);
    }
    if (allowed && tls.allow) allowed = tls.allow(*peer, request.method, request.path);
    if (!allowed) {
      log_info(fmt::format("{}: '{}' may not {} {}: {}", stream_.peer(),
                           peer->certificate.common_name, request.method, request.path,
                           allowed.error().message));
    }
    request.peer_identity = *peer;
    return allowed.has_value();
  }

  RequestHead read_head(RequestParser& parser, std::optional<Refusal>& refusal) {
    // Whoever connects and says nothing has no place for long.
    Deadline deadline = Deadline::after(has_served_ ? options_.idle_time_max : options_.head_time_max);
    bool begun = false;
    std::size_t head_bytes = 0;
    while (!parser.head_done() && !refusal) {
      if (!begun && !incoming_.bytes().empty()) {
        begun = true;
        deadline = Deadline::after(options_.head_time_max);
      }
      if (begun) {
        const std::size_t taken = parser.put_head(incoming_.bytes(), refusal);
        incoming_.take(taken);
        head_bytes += taken;
        if (parser.head_done() || refusal) break;
      }
      if (head_bytes + incoming_.bytes().size() > options_.header_bytes_max) {
        refusal = Refusal{
            431,
            {Code::invalid_argument,
             fmt::format("a request's head has at most {} bytes here", options_.header_bytes_max)}};
        break;
      }
      refusal = fill(deadline, begun ? 408 : 0);
    }
    return refusal ? RequestHead() : parser.take_head(refusal);
  }

  // Reads more. A client that closed or vanished gets no answer, a slow one `slow_status`.
  std::optional<Refusal> fill(Deadline deadline, int slow_status) {
    const auto count = incoming_.fill(stream_, deadline);
    if (count && *count > 0) return {};
    if (!count) return refusal_of_read(count.error(), slow_status);
    return Refusal{0, {Code::unavailable, "the client closed"}};
  }
  static Refusal refusal_of_read(const Error& error, int slow_status) {
    return {error.code == Code::timed_out ? slow_status : 0, error};
  }

  void read_body(RequestParser& parser, RequestHead& head, std::uint64_t bytes_max, bool keep,
                 std::optional<Refusal>& refusal) {
    if (head.content_length > bytes_max) {
      refusal = Refusal{413,
                        {Code::resource_exhausted,
                         fmt::format("a body of {} bytes; {} are the limit of {}",
                                     head.content_length, bytes_max, head.request.path)}};
      return;
    }
    if (head.content_length == 0 && !head.chunked) return;
    if (head.expects_continue && incoming_.bytes().empty() &&
        !stream_.write_all(as_byte_span("HTTP/1.1 100 Continue\r\n\r\n"),
                           transfer_deadline(options_, 0), {})) {
      refusal = Refusal{0, {Code::unavailable, "the client closed"}};
      return;
    }
    refusal = head.chunked ? read_chunks(parser, head.request, bytes_max)
              : keep       ? read_counted(head.request, head.content_length)
                           : throw_away(head.content_length);
  }

  // Of the next piece of a body.
  Deadline within_silence(Deadline whole) const {
    const Deadline silence = Deadline::after(options_.body_silence_max);
    return silence.when() < whole.when() ? silence : whole;
  }

  std::optional<Refusal> throw_away(std::uint64_t length) {
    std::array<std::byte, 16'384> piece;
    const std::size_t here = std::min<std::uint64_t>(incoming_.bytes().size(), length);
    incoming_.take(here);
    const Deadline deadline = transfer_deadline(options_, length);
    for (std::uint64_t left = length - here; left > 0;) {
      const auto wanted = std::span(piece).first(std::min<std::uint64_t>(left, piece.size()));
      const auto count = stream_.read_some(wanted, within_silence(deadline), {});
      if (!count) return refusal_of_read(count.error(), 408);
      if (*count == 0) return Refusal{0, {Code::unavailable, "the client left inside a body"}};
      left -= *count;
    }
    return {};
  }

  // Straight from the stream into the request's own buffer.
  std::optional<Refusal> read_counted(Request& request, std::uint64_t length) {
    auto buffer = Buffer::create(static_cast<std::size_t>(length));
    if (!buffer) return Refusal{503, buffer.error()};
    std::size_t filled = std::min(incoming_.bytes().size(), buffer->size());
    if (filled > 0) std::memcpy(buffer->data(), incoming_.bytes().data(), filled);
    incoming_.take(filled);
    const Deadline deadline = transfer_deadline(options_, length);
    while (filled < buffer->size()) {
      const auto count = stream_.read_some(buffer->span().subspan(filled), within_silence(deadline), {});
      if (!count) return refusal_of_read(count.error(), 408);
      if (*count == 0) return Refusal{0, {Code::unavailable, "the client left inside a body"}};
      filled += *count;
    }
    request.body = *std::move(buffer);
    return {};
  }

  std::optional<Refusal> read_chunks(RequestParser& parser, Request& request,
                                     std::uint64_t bytes_max) {
    GrowingBuffer body(bytes_max);
    const auto sink = [&](ByteSpan piece) { return body.append(piece); };
    const Instant start = std::chrono::steady_clock::now();
    std::optional<Refusal> refusal;
    while (!parser.body_done()) {
      const std::size_t taken = parser.put_body(incoming_.bytes(), sink, refusal);
      incoming_.take(taken);
      if (refusal) return refusal;
      if (taken > 0 || parser.body_done()) continue;
      if (incoming_.bytes().size() > options_.header_bytes_max) {  // a chunk's size line
        return Refusal{400, {Code::invalid_argument, "malformed request: a chunk's head"}};
      }
      const auto earned = std::chrono::seconds(body.size() / options_.transfer_bytes_per_s_min);
      refusal = fill(within_silence(Deadline::at(start + options_.transfer_time + earned)), 408);
      if (refusal) return refusal;
    }
    request.body = body.take();
    return {};
  }

  bool run(RequestHead& head, const RouteMatch& match) {
    StopSource request_stop;
    const StopCallback chain(context_.server_stop,
                             [request_stop]() mutable { request_stop.request_stop(); });
    const PeerWatcher::Watch watch(context_.watcher, stream_.watch_fd(), request_stop);
    head.request.stop = request_stop.token();
    auto result = call_route(match, head.request);
    Response response = result
                            ? *std::move(result)
                            : render(head.request, status_of(result.error().code), result.error());
    head.request.body = Buffer();  // a long stream does not keep its request's bytes, nor their room
    head.request.admission.reset();
    return write_response(stream_, response, mode_of(head, head.keep_alive), options_,
                          request_stop);
  }

  WriteMode mode_of(const RequestHead& head, bool keep_alive) const {
    return {.head_only = head.request.method == "HEAD",
            .keep_alive = keep_alive && !context_.server_stop.stop_requested(),
            .http_1_0 = head.http_1_0};
  }

  bool answer_no_route(RequestHead& head, const RouteMatch& match) {
    const NoRoute why = no_route(match, head.request);
    Response response = render(head.request, why.status, why.error);
    if (!match.allow.empty()) response.headers.set("Allow", match.allow);
    return answer_unread(head, response);
  }

  // The body, if any, has not been read: the connection ends after the answer.
  bool answer_unread(const RequestHead& head, Response& response) {
    const bool has_body = head.chunked || head.content_length > 0;
    StopSource unused;
    const bool again = write_response(
        stream_, response, mode_of(head, head.keep_alive && !has_body), options_, unused);
    if (has_body) linger(stream_);
    return again;
  }

  bool refuse(const RequestHead& head, const Refusal& refusal) {
    log_debug(fmt::format("{}: {} {}", stream_.peer(), refusal.status, refusal.error.message));
    if (refusal.status == 0) return false;
    Response response = render(head.request, refusal.status, refusal.error);
    StopSource unused;
    write_response(stream_, response, mode_of(head, false), options_, unused);
    linger(stream_);
    return false;
  }

  Response render(const Request& request, int status, const Error& error) const {
    return options_.render_error ? options_.render_error(request, status, error)
                                 : error_response(status, error);
  }

  Stream& stream_;
  const ConnectionContext& context_;
  bool has_served_ = false;  // a request, on this connection
  const HttpServerOptions& options_;
  Incoming incoming_;
};

}  // namespace

void linger(Stream& stream) {
  stream.shutdown_write();
  const Deadline deadline = Deadline::after(linger_time_max);
  std::array<std::byte, read_bytes> thrown_away;
  for (std::size_t read = 0; read < linger_bytes_max;) {
    const auto count = stream.read_some(thrown_away, deadline, {});
    if (!count || *count == 0) return;
    read += *count;
  }
}

void serve_connection(Stream& stream, const ConnectionContext& context) {
  Connection(stream, context).serve();
}

void refuse_connection(Stream& stream, const ConnectionContext& context) {
  const Error full{
      Code::resource_exhausted,
      fmt::format("{} connections are open, the most this server takes; try again soon",
                  context.options.connections_max)};
  Response response = context.options.render_error
                          ? context.options.render_error(Request(), 503, full)
                          : error_response(503, full);
  if (!response.headers.contains("Retry-After")) response.headers.add("Retry-After", "1");
  StopSource unused;
  write_response(stream, response, {}, context.options, unused);
  linger(stream);
}

}  // namespace hearth::net
