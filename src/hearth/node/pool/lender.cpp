#include "hearth/node/pool/lender.h"

namespace hearth::node {

Result<std::unique_ptr<Lender>> Lender::start(LenderOptions options, const net::Address& tunnel,
                                              net::TlsServerOptions tls, const StopToken& stop) {
  auto listener = TRY(net::Listener::listen(tunnel));
  std::unique_ptr<Lender> lender(new Lender(TRY(RpcServer::start(std::move(options.server), stop))));
  lender->tunnel_ = LendingTunnel::start(
      std::move(listener), std::move(tls), [server = lender->server_.get()]() -> Result<net::Address> {
        const RpcServer::Running running = TRY(server->running());
        return running.address;
      });
  return lender;
}

Result<LenderFacts> Lender::facts() const {
  RpcServer::Running running = TRY(server_->running());
  return LenderFacts{.engine = std::move(running.engine), .tunnel_port = tunnel_port(), .used_by = used_by()};
}

}  // namespace hearth::node
