#include "hearth/cli/service_spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/net/url.h"

namespace hearth::cli {
namespace {

constexpr std::string_view key_mark = ",key=";

// "llama-server-8080", "exo-studio.local-52415".
std::string name_of(std::string_view kind, const net::Address& address) {
  std::string host = address.is_local() ? "" : address.host + "-";
  std::ranges::replace(host, ':', '-');
  return fmt::format("{}-{}{}", kind, host, address.port);
}

}  // namespace

Result<upstream::EndpointSpec> parse_service(std::string_view text) {
  const std::size_t equals = text.find('=');
  std::string_view kind_text = text.substr(0, equals);
  const std::size_t colon = kind_text.rfind(':');
  const std::string_view name = colon == std::string_view::npos ? std::string_view() : kind_text.substr(0, colon);
  if (colon != std::string_view::npos) kind_text.remove_prefix(colon + 1);
  const auto kind = equals == std::string_view::npos ? std::nullopt : upstream::kind_of_name(kind_text);
  if (!kind) {
    return fail(
        Code::invalid_argument,
        fmt::format(
            "'{}': expected KIND=URL with hearth, llama-server, exo, mlx, openai or anthropic as its kind, "
            "such as llama-server=http://127.0.0.1:8080",
            text));
  }
  std::string_view place = text.substr(equals + 1);
  std::string_view key_variable;
  if (const std::size_t key = place.rfind(key_mark); key != std::string_view::npos) {
    key_variable = place.substr(key + key_mark.size());
    place = place.substr(0, key);
  }
  const std::size_t hash = place.find('#');
  const net::Url url = TRY(net::parse_url(place.substr(0, hash)));
  upstream::EndpointSpec out;
  out.kind = *kind;
  out.url = url.text();
  while (out.url.ends_with('/')) out.url.pop_back();
  out.name = name.empty() ? name_of(kind_text, url.address) : std::string(name);
  if (hash != std::string_view::npos) out.model = place.substr(hash + 1);
  out.key_variable = key_variable;
  out.reach = seal::Reach::house;
  TRY(upstream::check_spec(out));
  return out;
}

}  // namespace hearth::cli
