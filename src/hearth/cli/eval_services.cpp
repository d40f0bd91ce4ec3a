#include "hearth/cli/eval_services.h"

#include <fmt/format.h>

#include "hearth/cli/environment.h"
#include "hearth/cli/routing_setup.h"

namespace hearth::cli {
namespace {

// The items' egress flags decide, and nothing besides.
class NoFurtherGate final : public seal::RemoteGate {
 public:
  Result<> check(const seal::Clearance&) const override { return {}; }
};
const NoFurtherGate no_further_gate;

// A service with the client that it needs.
template <class Client>
class OwnedService final : public eval::Service {
 public:
  OwnedService(std::unique_ptr<Client> client, std::unique_ptr<eval::Service> service)
      : client_(std::move(client)), service_(std::move(service)) {}
  chat::ApiResult<eval::ServiceReply> ask(const chat::ChatRequest& request, eval::Egress egress,
                                          const StopToken& stop) override {
    return service_->ask(request, egress, stop);
  }
  upstream::EndpointState look(const StopToken& stop) override { return service_->look(stop); }

 private:
  std::unique_ptr<Client> client_;
  std::unique_ptr<eval::Service> service_;
};

}  // namespace

Result<FileDescriptor> claim_records(const std::filesystem::path& folder) {
  return lock_file(folder / "in-use.lock", fmt::format("another hearth works on {}; wait until it has ended, or give "
                                                       "another folder with --study",
                                                       folder.string()));
}

EvalServices::EvalServices() : http_(net::make_curl_client()) {}
EvalServices::~EvalServices() = default;

Result<std::unique_ptr<eval::Service>> EvalServices::connect(const upstream::EndpointSpec& spec, eval::Egress least) {
  if (spec.reach == seal::Reach::remote) {
    const auto socket = TRY(in_config_directory({}, "egress.sock"));
    auto endpoint = TRY(upstream::make_remote_endpoint(spec, net::Address::unix_socket(socket), *http_));
    auto service = eval::make_outside_service(*endpoint, no_further_gate, least);
    return std::make_unique<OwnedService<upstream::RemoteEndpoint>>(std::move(endpoint), std::move(service));
  }
  std::string key = TRY(read_upstream_key(spec));
  auto endpoint = TRY(upstream::make_endpoint(spec, std::move(key), *http_));
  auto service = eval::make_house_service(*endpoint);
  return std::make_unique<OwnedService<upstream::Endpoint>>(std::move(endpoint), std::move(service));
}

}  // namespace hearth::cli
