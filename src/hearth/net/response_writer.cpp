#include "hearth/net/response_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "hearth/base/log.h"

namespace hearth::net {
namespace {

bool is_ours(std::string_view name) {  // framing belongs to the writer
  return equals_ignoring_case(name, "Content-Length") ||
         equals_ignoring_case(name, "Transfer-Encoding") ||
         equals_ignoring_case(name, "Connection");
}

// A line break in a value would let its author write headers of their own.
std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  return text;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

ByteSpan whole_body(const Body& body) {
  if (const auto* text = std::get_if<std::string>(&body)) return as_byte_span(*text);
  if (const auto* buffer = std::get_if<Buffer>(&body)) return buffer->span();
  if (const auto* shared = std::get_if<SharedBody>(&body)) return shared->bytes;
  return {};
}

std::string head_text(const Response& response, bool streams, WriteMode mode) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  for (const auto& [name, value] : response.headers) {
    if (!is_ours(name)) out += fmt::format("{}: {}\r\n", one_line(name), one_line(value));
  }
  if (has_body(response.status)) {
    if (!streams) {
      out += fmt::format("Content-Length: {}\r\n", whole_body(response.body).size());
    } else if (!mode.http_1_0) {
      out += "Transfer-Encoding: chunked\r\n";
    }
  }
  if (!mode.keep_alive) {
    out += "Connection: close\r\n";
  } else if (mode.http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  return out += "\r\n";
}

bool write_piece(Stream& stream, ByteSpan piece, bool chunked, const HttpServerOptions& options) {
  const Deadline deadline = transfer_deadline(options, piece.size());
  if (!chunked) return stream.write_all(piece, deadline, {}).has_value();
  const std::string size_line = fmt::format("{:x}\r\n", piece.size());
  const std::array parts{as_byte_span(size_line), piece, as_byte_span("\r\n")};
  return stream.write_parts(parts, deadline, {}).has_value();
}

bool write_stream(Stream& stream, BodySource& source, bool chunked,
                  const HttpServerOptions& options, StopSource& request_stop) {
  const StopToken stop = request_stop.token();
  for (;;) {
    // Without a descriptor nobody watches the peer: ask between pieces.
    if (stream.watch_fd() < 0 && stream.poll_peer_closed()) request_stop.request_stop();
    if (stop.stop_requested()) return false;
    const auto piece = source.next(stop);
    if (!piece) {
      log_debug(fmt::format("{}: body cut: {}", stream.peer(), piece.error().message));
      return false;
    }
    if (stop.stop_requested()) return false;  // not a word more, nor an end that looks regular
    if (piece->empty()) {
      return !chunked || stream.write_all(as_byte_span("0\r\n\r\n"),
                                          transfer_deadline(options, 0), {}).has_value();
    }
    if (!write_piece(stream, *piece, chunked, options)) {
      request_stop.request_stop();
      return false;
    }
  }
}

}  // namespace

Deadline transfer_deadline(const HttpServerOptions& options, std::uint64_t bytes) {
  return Deadline::after(options.transfer_time +
                         std::chrono::seconds(bytes / options.transfer_bytes_per_s_min));
}

bool write_response(Stream& stream, Response& response, WriteMode mode,
                    const HttpServerOptions& options, StopSource& request_stop) {
  auto* source = std::get_if<std::unique_ptr<BodySource>>(&response.body);
  const bool streams = source != nullptr && *source != nullptr;
  if (streams && mode.http_1_0) mode.keep_alive = false;
  const std::string head = head_text(response, streams, mode);
  const bool sends_body = !mode.head_only && has_body(response.status);
  if (!streams || !sends_body) {
    const std::array parts{as_byte_span(head), sends_body ? whole_body(response.body) : ByteSpan()};
    const auto deadline = transfer_deadline(options, parts[1].size());
    return stream.write_parts(parts, deadline, {}).has_value() && mode.keep_alive;
  }
  if (!stream.write_all(as_byte_span(head), transfer_deadline(options, 0), {})) {
    request_stop.request_stop();
    return false;
  }
  return write_stream(stream, **source, !mode.http_1_0, options, request_stop) && mode.keep_alive;
}

}  // namespace hearth::net
