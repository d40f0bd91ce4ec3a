#include "hearth/node/pool/tunnel.h"

#include <fmt/format.h>

namespace hearth::node {
namespace {

constexpr std::string_view welcome = "ok";
constexpr std::size_t line_bytes_max = 256;

Result<> send_line(net::Stream& stream, std::string line, Deadline deadline, const StopToken& stop) {
  line.resize(std::min(line.size(), line_bytes_max - 1));
  line += '\n';
  return stream.write_all(as_byte_span(line), deadline, stop);
}

// A byte at a time: what follows the line is not ours.
Result<std::string> read_line(net::Stream& stream, Deadline deadline, const StopToken& stop) {
  std::string line;
  while (line.size() < line_bytes_max) {
    std::byte next{};
    if (TRY(stream.read_some({&next, 1}, deadline, stop)) == 0) {
      return fail(Code::unavailable, "the connection was closed");
    }
    if (next == std::byte{'\n'}) return line;
    line += static_cast<char>(next);
  }
  return fail(Code::corrupt, fmt::format("no line of at most {} bytes", line_bytes_max));
}

Result<net::RelayEnds> open_to_lender(std::unique_ptr<net::Stream> accepted, const net::Address& lender,
                                      const net::TlsClientOptions& tls, const StopToken& stop) {
  const Deadline deadline = Deadline::after(tunnel_open_time_max);
  const auto refused = [&](const Error& error) {
    return fail(error.code, fmt::format("tunnel to {} at {}: {}", tls.expected_machine, lender.text(), error.message));
  };
  auto connected = net::connect_stream(lender, deadline, stop);
  if (!connected) return refused(connected.error());
  net::detect_dead_peer(**connected, tunnel_silence_max);
  auto secured = TRY(net::make_tls_client_stream(*std::move(connected), tls));
  if (const auto shaken = secured->handshake(deadline, stop); !shaken) return refused(shaken.error());
  const auto answer = read_line(*secured, deadline, stop);
  if (!answer) return refused(answer.error());
  if (*answer != welcome) return refused({Code::unavailable, *answer});
  return net::RelayEnds{.accepted = std::move(accepted), .opened = std::move(secured), .held = nullptr};
}

}  // namespace

std::unique_ptr<LendingTunnel> LendingTunnel::start(net::Listener listener, net::TlsServerOptions tls,
                                                    FindServer find_server) {
  std::unique_ptr<LendingTunnel> tunnel(new LendingTunnel(std::move(tls), std::move(find_server)));
  tunnel->relay_ = net::Relay::start(
      std::move(listener),
      [self = tunnel.get()](std::unique_ptr<net::Stream> accepted, const StopToken& stop) {
        return self->open(std::move(accepted), stop);
      },
      tunnel_strangers_max);
  return tunnel;
}

std::string LendingTunnel::used_by() const {
  return use_->with([](const Use& use) { return use.machine; });
}

Result<net::RelayEnds> LendingTunnel::open(std::unique_ptr<net::Stream> accepted, const StopToken& stop) {
  const Deadline deadline = Deadline::after(tls_.handshake_time_max);
  net::detect_dead_peer(*accepted, tunnel_silence_max);
  auto secured = TRY(net::make_tls_server_stream(std::move(accepted), tls_));
  TRY(secured->handshake(deadline, stop));
  const net::PeerIdentity* peer = secured->peer_identity();
  if (peer == nullptr || !peer->from_authority) {
    return fail(Code::permission, "only machines of the cluster may open a tunnel");
  }
  const auto connect = [&]() -> Result<net::RelayEnds> {
    net::RelayEnds ends;
    ends.held = TRY(hold_for(peer->certificate.common_name));
    const net::Address server = TRY(find_server_());
    ends.opened = TRY(net::connect_stream(server, deadline, stop));
    return ends;
  };
  auto ends = connect();
  TRY(send_line(*secured, ends ? std::string(welcome) : ends.error().message, deadline, stop));
  if (!ends) return ends;
  ends->accepted = std::move(secured);
  return ends;
}

Result<std::shared_ptr<void>> LendingTunnel::hold_for(const std::string& machine) {
  return use_->with([&](Use& use) -> Result<std::shared_ptr<void>> {
    if (use.connections > 0 && use.machine != machine) {
      return fail(Code::resource_exhausted, "its memory is lent to " + use.machine);
    }
    if (use.connections >= tunnel_connections_max) {
      return fail(Code::resource_exhausted, "too many tunnels from " + machine);
    }
    use.machine = machine;
    ++use.connections;
    return std::shared_ptr<void>(nullptr, [held = use_](void*) {
      held->with([](Use& ended) {
        if (--ended.connections == 0) ended.machine.clear();
      });
    });
  });
}

Result<std::unique_ptr<net::Relay>> start_borrowing_tunnel(net::Address lender, net::TlsClientOptions tls) {
  auto listener = TRY(net::Listener::listen(net::Address::tcp("127.0.0.1", 0)));
  lender.tls = false;  // what connects is the plain stream under it
  return net::Relay::start(
      std::move(listener),
      [lender = std::move(lender), tls = std::move(tls)](std::unique_ptr<net::Stream> accepted,
                                                         const StopToken& stop) {
        return open_to_lender(std::move(accepted), lender, tls, stop);
      },
      tunnel_connections_max);
}

}  // namespace hearth::node
