#include "hearth/upstream/spec.h"

#include <fmt/format.h>

#include <array>

#include "hearth/net/url.h"

namespace hearth::upstream {
namespace {

struct KindName {
  Kind kind;
  std::string_view name;
};
constexpr std::array kinds = {
    KindName{Kind::hearth, "hearth"},       KindName{Kind::anthropic, "anthropic"},
    KindName{Kind::openai, "openai"},       KindName{Kind::llama_server, "llama-server"},
    KindName{Kind::exo, "exo"},             KindName{Kind::mlx, "mlx"},
    KindName{Kind::vllm_pair, "vllm-pair"},
};

std::unexpected<Error> refuse(const EndpointSpec& spec, std::string_view field, std::string_view expected) {
  return fail(Code::invalid_argument,
              fmt::format("upstream {}: {} {}", spec.name.empty() ? "without a name" : spec.name, field, expected));
}

// A name goes into headers, records and file names.
bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!plain) return false;
  }
  return true;
}

Result<> check_url(const EndpointSpec& spec, std::string_view field, const std::string& text) {
  const auto url = net::parse_url(text);
  if (!url) return refuse(spec, field, "expected like \"http://studio.local:8080\": " + url.error().message);
  if (!url->query().empty()) return refuse(spec, field, "has a query; give the address without it");
  if (spec.reach == seal::Reach::remote && !url->address.tls && !url->address.is_local()) {
    return refuse(spec, field, "leaves the house unencrypted: use https");
  }
  return {};
}

}  // namespace

std::string_view kind_name(Kind kind) {
  for (const KindName& one : kinds) {
    if (one.kind == kind) return one.name;
  }
  return "";
}

std::optional<Kind> kind_of_name(std::string_view name) {
  for (const KindName& one : kinds) {
    if (one.name == name) return one.kind;
  }
  return std::nullopt;
}

double cost_usd(const Prices& prices, const chat::Usage& usage, std::uint32_t cache_write_tokens) {
  const auto plain = static_cast<double>(usage.prompt_tokens) - usage.cached_tokens - cache_write_tokens;
  return (std::max(plain, 0.0) * prices.prompt + usage.cached_tokens * prices.cached +
          cache_write_tokens * prices.cache_write + usage.answer_tokens * prices.answer) / 1e6;
}

Result<> check_spec(const EndpointSpec& spec) {
  if (!is_plain_name(spec.name)) {
    return refuse(spec, "name", "expected 1 to 64 letters, digits, '-', '_' or '.'");
  }
  TRY(check_url(spec, "url", spec.url));
  if (spec.kind == Kind::vllm_pair) TRY(check_url(spec, "prefill_url", spec.prefill_url));
  else if (!spec.prefill_url.empty()) return refuse(spec, "prefill_url", "is for kind \"vllm-pair\" only");
  if (!spec.key_variable.empty() && !spec.key_file.empty()) {
    return refuse(spec, "key_variable", "and key_file are both given; give one");
  }
  if ((spec.kind == Kind::exo || spec.kind == Kind::mlx || spec.kind == Kind::vllm_pair) && spec.reach == seal::Reach::remote) {
    return refuse(spec, "reach", fmt::format("of kind \"{}\" expected \"house\" or \"cluster\": such servers ask for no key", kind_name(spec.kind)));
  }
  if (spec.kind == Kind::exo && spec.model.empty()) {
    return refuse(spec, "model", "is needed: exo answers for the exact id of a running instance only");
  }
  if (spec.kind == Kind::anthropic && spec.model.empty()) {
    return refuse(spec, "model", "is needed, like \"claude-sonnet-4-5\"");
  }
  if (spec.tries_max < 1 || spec.tries_max > 10) return refuse(spec, "tries", "expected 1 to 10");
  for (const double price : {spec.prices.prompt, spec.prices.cached, spec.prices.cache_write, spec.prices.answer}) {
    if (!(price >= 0 && price < 1e6)) return refuse(spec, "prices", "expected US dollars per million tokens, 0 or more");
  }
  return {};
}

}  // namespace hearth::upstream
