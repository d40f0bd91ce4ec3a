#include "hearth/net/http_grammar.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <iterator>

namespace hearth::net {

namespace http = boost::beast::http;
using boost::beast::error_code;

namespace {

std::string text_of(boost::beast::string_view text) { return {text.data(), text.size()}; }

Refusal malformed(std::string message) {
  return {400, {Code::invalid_argument, "malformed request: " + std::move(message)}};
}

Refusal refusal_of(const error_code& error) {
  if (error == http::error::header_limit) {
    return {431, {Code::invalid_argument, "the request's head is larger than this server takes"}};
  }
  return malformed(error.message());
}

}  // namespace

struct RequestParser::Parser {
  http::request_parser<http::empty_body> beast;
  std::size_t fields_max = 0;
  // Beast keeps a reference to its one callback, so it lives here; the two pointers are those of
  // the current put_body.
  const std::function<Result<>(ByteSpan)>* sink = nullptr;
  std::optional<Refusal>* refusal = nullptr;
  std::function<std::size_t(std::uint64_t, boost::beast::string_view, error_code&)> on_chunk =
      [this](std::uint64_t, boost::beast::string_view piece, error_code& error) {
        const auto taken = (*sink)(as_byte_span({piece.data(), piece.size()}));
        if (!taken) {
          *refusal = Refusal{413, taken.error()};
          error = http::error::body_limit;
        }
        return piece.size();
      };
};

RequestParser::RequestParser(HeadLimits limits) : parser_(std::make_unique<Parser>()) {
  parser_->fields_max = limits.fields_max;
  parser_->beast.header_limit(static_cast<std::uint32_t>(limits.bytes_max));
  parser_->beast.body_limit(boost::none);  // the connection knows the route's limit
  parser_->beast.on_chunk_body(parser_->on_chunk);
}

RequestParser::~RequestParser() = default;

bool RequestParser::head_done() const { return parser_->beast.is_header_done(); }
bool RequestParser::body_done() const { return parser_->beast.is_done(); }

std::size_t RequestParser::put_head(ByteSpan input, std::optional<Refusal>& refusal) {
  error_code error;
  const std::size_t taken =
      parser_->beast.put(boost::asio::const_buffer(input.data(), input.size()), error);
  if (error && error != http::error::need_more) refusal = refusal_of(error);
  return taken;
}

RequestHead RequestParser::take_head(std::optional<Refusal>& refusal) {
  auto& message = parser_->beast.get();
  RequestHead head;
  head.request.method = text_of(message.method_string());
  head.http_1_0 = message.version() == 10;
  head.keep_alive = parser_->beast.keep_alive();
  head.chunked = parser_->beast.chunked();
  if (!head.chunked) head.content_length = parser_->beast.content_length().value_or(0);
  for (const auto& field : message) {
    head.request.headers.add(text_of(field.name_string()), text_of(field.value()));
  }

  const Headers& headers = head.request.headers;
  const auto coding = headers.get("Transfer-Encoding");
  const auto expect = headers.get("Expect");
  head.expects_continue = !head.http_1_0 && equals_ignoring_case(expect, "100-continue");
  if (headers.size() > parser_->fields_max) {
    refusal = {431, {Code::invalid_argument, fmt::format("more than {} header fields",
                                                         parser_->fields_max)}};
  } else if (!coding.empty() && !equals_ignoring_case(coding, "chunked")) {
    refusal = {501, {Code::unsupported, "the only transfer coding here is chunked"}};
  } else if (!expect.empty() && !equals_ignoring_case(expect, "100-continue")) {
    refusal = {417, {Code::unsupported, "the only expectation here is 100-continue"}};
  } else if (!head.http_1_0 && !headers.contains("Host")) {
    refusal = malformed("no Host field");
  } else if (const auto read = set_target(head.request, text_of(message.target())); !read) {
    refusal = malformed(read.error().message);
  }
  return head;
}

std::size_t RequestParser::put_body(ByteSpan input, const std::function<Result<>(ByteSpan)>& sink,
                                    std::optional<Refusal>& refusal) {
  parser_->sink = &sink;
  parser_->refusal = &refusal;
  error_code error;
  const std::size_t taken =
      parser_->beast.put(boost::asio::const_buffer(input.data(), input.size()), error);
  if (!refusal && error && error != http::error::need_more) refusal = refusal_of(error);
  return taken;
}

}  // namespace hearth::net
