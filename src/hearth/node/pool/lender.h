#pragma once
// A machine that lends its memory and what computes beside it: the RPC server on loopback, and the
// tunnel that members of the cluster reach it by. Thread-safe.

#include <memory>

#include "hearth/node/pool/rpc_server.h"
#include "hearth/node/pool/tunnel.h"

namespace hearth::node {

struct LenderOptions {
  RpcServerOptions server{};
  std::uint16_t tunnel_port = 0;  // 0: any free one
};

class Lender {
 public:
  // `tunnel` is where to listen for other machines.
  static Result<std::unique_ptr<Lender>> start(LenderOptions options, const net::Address& tunnel,
                                               net::TlsServerOptions tls, const StopToken& stop);

  // unavailable while the RPC server is being started again.
  Result<LenderFacts> facts() const;
  std::uint16_t tunnel_port() const { return tunnel_->address().port; }
  std::string used_by() const { return tunnel_->used_by(); }
  std::uint32_t restarts() const { return server_->restarts(); }
  const RpcServer& server() const { return *server_; }

 private:
  explicit Lender(std::unique_ptr<RpcServer> server) : server_(std::move(server)) {}

  const std::unique_ptr<RpcServer> server_;
  std::unique_ptr<LendingTunnel> tunnel_;
};

}  // namespace hearth::node
