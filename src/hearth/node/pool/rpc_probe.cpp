#include "hearth/node/pool/rpc_probe.h"

#include <fmt/format.h>

#include <array>

#include "hearth/net/stream.h"

namespace hearth::node {
namespace {

constexpr std::size_t greeting_bytes = 33;
constexpr std::size_t version_bytes_at = 8;  // behind the size of the answer
constexpr std::size_t version_bytes = 3;

std::array<std::byte, greeting_bytes> greeting() {
  std::array<std::byte, greeting_bytes> out{};
  out[0] = std::byte{14};
  out[1] = std::byte{24};
  return out;
}

Result<std::string> ask_version(net::Stream& stream, Deadline deadline, const StopToken& stop) {
  TRY(stream.write_all(greeting(), deadline, stop));
  std::array<std::byte, version_bytes_at + version_bytes> answer{};
  std::size_t got = 0;
  while (got < answer.size()) {
    const std::size_t count = TRY(stream.read_some(std::span(answer).subspan(got), deadline, stop));
    if (count == 0) return fail(Code::unavailable, "it closed the connection");
    got += count;
  }
  return fmt::format("{}.{}.{}", static_cast<int>(answer[version_bytes_at]),
                     static_cast<int>(answer[version_bytes_at + 1]), static_cast<int>(answer[version_bytes_at + 2]));
}

}  // namespace

Result<> probe_rpc(const net::Address& address, std::string_view protocol, const StopToken& stop,
                   Duration time_max) {
  const Deadline deadline = Deadline::after(time_max);
  const auto ask = [&]() -> Result<std::string> {
    const auto stream = TRY(net::connect_stream(address, deadline, stop));
    return ask_version(*stream, deadline, stop);
  };
  const auto version = ask();
  if (!version) {
    if (version.error().code == Code::cancelled) return std::unexpected(version.error());
    return fail(Code::unavailable,
                fmt::format("no RPC server answers at {} (it is down, or computes for another worker): {}",
                            address.text(), version.error().message));
  }
  if (*version != protocol) {
    return fail(Code::unsupported,
                fmt::format("the RPC server at {} speaks protocol {}, this engine {}; both machines need "
                            "the same build", address.text(), *version, protocol));
  }
  return {};
}

}  // namespace hearth::node
