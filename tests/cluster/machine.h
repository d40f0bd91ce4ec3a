#pragma once
// A machine of the cluster inside the test process: a real worker process, a store, an agent that
// listens on loopback. Without TLS: that is tested apart.

#include <memory>
#include <string>
#include <vector>

#include "hearth/net/http_server.h"
#include "hearth/node/agent/agent_service.h"
#include "hearth/node/local_model.h"
#include "tests/support/local_models.h"

namespace hearth::testing {

// Says in the clear whose requests these are.
class NamedHttp final : public net::HttpClient {
 public:
  explicit NamedHttp(std::string name) : name_(std::move(name)), inner_(net::make_curl_client()) {}
  Result<net::ClientReply> send(const net::ClientRequest& request, Deadline deadline,
                                const StopToken& stop) override {
    return inner_->send(named(request), deadline, stop);
  }
  Result<std::unique_ptr<net::ResponseStream>> open_stream(const net::ClientRequest& request,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) override {
    return inner_->open_stream(named(request), head_deadline, stop);
  }

 private:
  net::ClientRequest named(net::ClientRequest request) const {
    request.headers.add("X-Test-Machine", name_);
    return request;
  }
  const std::string name_;
  const std::unique_ptr<net::HttpClient> inner_;
};

class Machine {
 public:
  struct Options {
    std::string architecture = "kimi";
    std::string kv_type = "f16";
    std::string weight_type = "q8_0";
    std::uint32_t chunk_tokens = 256;  // small, so that short prompts have many
    std::uint32_t prefills_max = 1;
    std::uint32_t context_tokens = 16384;
  };

  Machine(std::string name, const Options& options)
      : name_(std::move(name)), http_(std::make_unique<NamedHttp>(name_)) {
    node::LocalModelOptions model;
    model.keeper.worker_executable = HEARTH_WORKER_EXECUTABLE;
    model.keeper.worker = local_run_options(options.architecture, options.kv_type).worker;
    model.keeper.worker.model_path = tiny_model(options.architecture, options.weight_type);
    model.keeper.worker.context_tokens = options.context_tokens;
    model.keeper.worker.chunk_tokens = options.chunk_tokens;
    model.store_directory = store_directory_.path();
    auto started = node::LocalModel::start(model, {}, {});
    EXPECT_TRUE(started) << started.error().message;
    model_ = *std::move(started);
    inbox_ = std::make_unique<node::Inbox>(name_, /*incarnation=*/1, *model_->store());
    agent_ = std::make_unique<node::AgentService>(
        node::AgentOptions{.name = name_, .hearth_version = "test",
                           .prefills_max = options.prefills_max},
        model_->keeper(), *model_->store(), *inbox_, *http_, identify);
    listen(0);
  }

  static Result<std::string> identify(const net::Request& request) {
    return std::string(request.headers.get("X-Test-Machine"));
  }

  void listen(std::uint16_t port) {
    auto listener = net::Listener::listen(net::Address::tcp("127.0.0.1", port));
    EXPECT_TRUE(listener) << listener.error().message;
    auto server = net::HttpServer::start(*std::move(listener), agent_->routes());
    EXPECT_TRUE(server) << server.error().message;
    server_ = *std::move(server);
  }
  void stop_listening() { server_.reset(); }

  node::LocalModel& model() { return *model_; }
  node::Inbox& inbox() { return *inbox_; }
  node::AgentService& agent() { return *agent_; }
  net::HttpClient& http() { return *http_; }
  const net::Address& address() const { return server_->address(); }
  node::Peer as_peer() const { return {.name = name_, .address = server_->address()}; }

 private:
  const std::string name_;
  const TemporaryDirectory store_directory_ = TemporaryDirectory::create("hearth-cluster-test").value();
  const std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<node::LocalModel> model_;
  std::unique_ptr<node::Inbox> inbox_;
  std::unique_ptr<node::AgentService> agent_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace hearth::testing
