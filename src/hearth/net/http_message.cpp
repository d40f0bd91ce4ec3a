#include "hearth/net/http_message.h"

#include <fmt/format.h>

#include <algorithm>

namespace hearth::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  c = lower(c);
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Response with_type(int status, Body body, std::string content_type) {
  Response out;
  out.status = status;
  out.headers.add("Content-Type", std::move(content_type));
  out.body = std::move(body);
  return out;
}

}  // namespace

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  erase(name);
  add(std::string(name), std::move(value));
}

void Headers::erase(std::string_view name) {
  std::erase_if(fields_, [&](const Field& f) { return equals_ignoring_case(f.first, name); });
}

const std::string* Headers::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields_, [&](const Field& field) { return equals_ignoring_case(field.first, name); });
  return found == fields_.end() ? nullptr : &found->second;
}

std::string_view Headers::get(std::string_view name, std::string_view fallback) const {
  const std::string* value = find(name);
  return value == nullptr ? fallback : std::string_view(*value);
}

const std::string* Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return &value;
  }
  return nullptr;
}

Response Response::text(int status, std::string body, std::string content_type) {
  return with_type(status, std::move(body), std::move(content_type));
}

Response Response::json(int status, const Json& value) {
  return with_type(status, dump_json(value), "application/json");
}

Response Response::bytes(Buffer body, std::string content_type) {
  return with_type(200, std::move(body), std::move(content_type));
}

Response Response::stream(std::unique_ptr<BodySource> source, std::string content_type) {
  return with_type(200, std::move(source), std::move(content_type));
}

Response Response::empty(int status) {
  Response out;
  out.status = status;
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 529: return "Site Is Overloaded";
    default: return "Status";
  }
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0 || high + low == 0) {
        return fail(Code::invalid_argument,
                    fmt::format("'{}' is not a percent escape", text.substr(i, 3)));
      }
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      const auto value = static_cast<unsigned char>(c);
      out += {'%', digits[value >> 4], digits[value & 15]};
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text,
                                                                     std::size_t pairs_max) {
  std::vector<std::pair<std::string, std::string>> out;
  while (!text.empty()) {
    const auto end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (out.size() == pairs_max) {
      return fail(Code::invalid_argument,
                  fmt::format("more than {} query parameters", pairs_max));
    }
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = TRY(percent_decode(pair.substr(0, equals), true));
    auto value = TRY(percent_decode(pair.substr(std::min(equals + 1, pair.size())), true));
    out.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

Result<> set_target(Request& request, std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    // Servers must accept the absolute form too (RFC 9112, section 3.2.2).
    if (!target.starts_with(scheme)) continue;
    const auto slash = target.find('/', scheme.size());
    target = slash == target.npos ? "/" : target.substr(slash);
    break;
  }
  if (!target.starts_with('/')) {
    return fail(Code::invalid_argument, "the target does not start with a slash");
  }
  target = target.substr(0, target.find('#'));
  const auto question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  TRY(percent_decode(request.path));
  request.query = TRY(parse_query(target.substr(std::min(question + 1, target.size()))));
  return {};
}

}  // namespace hearth::net
