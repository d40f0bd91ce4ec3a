#pragma once
// The way of ggml's RPC between machines, which has no protection of its own: from a port on the
// loopback of the machine whose worker wants layers elsewhere, over mutual TLS, to the RPC server on
// the loopback of the machine that lends its memory.
//
// After the handshake the lending side sends one line: "ok", or why not. Then bytes, both ways.
// Threads: those of net/relay.h.

#include <functional>
#include <memory>
#include <string>

#include "hearth/base/guarded.h"
#include "hearth/net/relay.h"
#include "hearth/net/tls.h"

namespace hearth::node {

// The server takes one client after another: one is served, others wait. A worker opens two or three
// in a row, and one that has ended counts until both ends have noticed; a connection that is turned
// away ends the worker.
inline constexpr std::size_t tunnel_connections_max = 8;
// That have not yet shown who they are among them.
inline constexpr std::size_t tunnel_strangers_max = 64;
// A machine that has vanished is noticed so soon.
inline constexpr Duration tunnel_silence_max = std::chrono::seconds(12);
inline constexpr Duration tunnel_open_time_max = std::chrono::seconds(10);

// Lends: takes tunnels of the cluster's members. One machine at a time.
class LendingTunnel {
 public:
  // Where the RPC server is now; an Error while it is not.
  using FindServer = std::function<Result<net::Address>()>;
  static std::unique_ptr<LendingTunnel> start(net::Listener listener, net::TlsServerOptions tls,
                                              FindServer find_server);
  const net::Address& address() const { return relay_->address(); }
  std::string used_by() const;  // empty: nobody

 private:
  struct Use {
    std::string machine;
    std::uint32_t connections = 0;
  };
  LendingTunnel(net::TlsServerOptions tls, FindServer find_server)
      : tls_(std::move(tls)), find_server_(std::move(find_server)) {}
  Result<net::RelayEnds> open(std::unique_ptr<net::Stream> accepted, const StopToken& stop);
  Result<std::shared_ptr<void>> hold_for(const std::string& machine);

  const net::TlsServerOptions tls_;
  const FindServer find_server_;
  const std::shared_ptr<Guarded<Use>> use_ = std::make_shared<Guarded<Use>>();
  std::unique_ptr<net::Relay> relay_;
};

// Borrows: a port on loopback that leads to the peer's RPC server. Whoever can connect to loopback
// on this machine can use it while it is open.
Result<std::unique_ptr<net::Relay>> start_borrowing_tunnel(net::Address lender, net::TlsClientOptions tls);

}  // namespace hearth::node
