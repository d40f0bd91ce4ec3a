#include "hearth/cli/routing_setup.h"

#include <fmt/format.h>

#include <sys/stat.h>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/route/verdicts.h"
#include "hearth/seal/audit.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t key_bytes_max = 16 * 1024;

class Parts final : public RoutingSetup {
 public:
  const gateway::Routing& routing() const override { return *routing_; }

  Result<> open_all(const ServeConfig& config, std::function<store::VerdictBasis()> basis,
                    const seal::RemoteGate& gate) {
    const auto log_file = TRY(in_config_directory({}, "routes.db"));
    const auto key = TRY(seal::load_or_make_key(TRY(in_config_directory({}, "conversations.key"))));
    const auto socket = TRY(in_config_directory(config.egress_socket, "egress.sock"));
    const std::filesystem::path verdicts = verdicts_file_of(config, TRY(in_config_directory({}, "")));
    http_ = net::make_curl_client();
    fleet_ = TRY(upstream::Fleet::create(config.upstreams, read_upstream_key,
                                         net::Address::unix_socket(socket), *http_));
    router_ =
        TRY(route::Router::open({.table = config.routes,
                                 .log_file = log_file,
                                 .verdicts = [verdicts, basis = std::move(basis)](
                                                 const std::string& verdict_class, const std::string& arm) {
                                   return route::ask_file(verdicts, verdict_class, arm, basis());
                                 }}));
    routing_.emplace(gateway::Routing{*router_, *fleet_, gate, key});
    return {};
  }

 private:
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<upstream::Fleet> fleet_;
  std::unique_ptr<route::Router> router_;
  std::optional<gateway::Routing> routing_;
};

Result<std::string> read_key_file(const upstream::EndpointSpec& spec) {
  struct stat facts {};
  if (::stat(spec.key_file.c_str(), &facts) == 0 && (facts.st_mode & (S_IRGRP | S_IROTH)) != 0) {
    return fail(Code::permission, fmt::format("upstream {}: others can read its key_file {}: chmod 600 it",
                                              spec.name, spec.key_file));
  }
  auto text = read_text_file(spec.key_file, key_bytes_max);
  if (!text) {
    return std::unexpected(
        with_context(std::move(text.error()), fmt::format("upstream {}: key_file", spec.name)));
  }
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
  return text;
}

}  // namespace

Result<std::filesystem::path> in_config_directory(const std::filesystem::path& chosen, std::string_view name) {
  if (!chosen.empty()) return chosen;
  auto directory = TRY(config_directory());
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return fail(Code::permission, fmt::format("{}: {}", directory.string(), failed.message()));
  return name.empty() ? directory : directory / name;
}

Result<std::string> read_upstream_key(const upstream::EndpointSpec& spec) {
  if (!spec.key_file.empty()) return read_key_file(spec);
  if (spec.key_variable.empty()) return std::string();
  std::string key = variable_value(spec.key_variable);
  if (key.empty()) {
    return fail(Code::invalid_argument,
                fmt::format("upstream {}: the variable {} is not set; export it, or use key_file", spec.name,
                            spec.key_variable));
  }
  return key;
}

std::string verdicts_file_of(const ServeConfig& config, const std::filesystem::path& directory) {
  return config.routes.verdicts_file.empty() ? (directory / "verdicts.db").string() : config.routes.verdicts_file;
}

Result<std::unique_ptr<RoutingSetup>> RoutingSetup::open(const ServeConfig& config,
                                                         std::function<store::VerdictBasis()> basis,
                                                         const seal::RemoteGate& gate) {
  auto out = std::make_unique<Parts>();
  TRY(out->open_all(config, std::move(basis), gate));
  return out;
}

}  // namespace hearth::cli
