#pragma once
// What passes between the process that keeps a vault open and those that use it, over a unix socket
// that only its user can reach. Private to vault; both ends are of one build.
//
//   ask      u8 what, u16 bytes, name
//   answer   u8 0 or 1 + Code, u32 bytes, what was asked for or an error's message
//
// A key goes from one locked memory to the other through the socket only.

#include "hearth/net/stream.h"
#include "hearth/vault/vault.h"

namespace hearth::vault {

enum class Ask : std::uint8_t { key = 1, folder, forget, collections, status, lock, watch };
inline constexpr std::size_t ask_head_bytes = 3;
inline constexpr std::size_t answer_bytes_max = 48u << 10;  // of locked memory; longer lists are cut
inline constexpr Duration keeper_exchange_time = std::chrono::seconds(10);

struct AskHead {
  Ask what = Ask::status;
  std::uint16_t name_bytes = 0;
};
// invalid_argument: no such question, or too long a name.
Result<AskHead> parse_ask_head(std::span<const std::byte, ask_head_bytes> bytes);

Result<> send_ask(net::Stream& stream, Ask what, std::string_view name, const StopToken& stop);
Result<> send_answer(net::Stream& stream, ByteSpan body, const StopToken& stop);
Result<> send_error(net::Stream& stream, const Error& error, const StopToken& stop);
// The answer, in locked memory: it may be a key. The peer's error as ours.
Result<Secret> read_answer(net::Stream& stream, const StopToken& stop);
// All of `out`; unavailable when the peer ends before.
Result<> read_exactly(net::Stream& stream, std::span<std::byte> out, Deadline deadline, const StopToken& stop);

}  // namespace hearth::vault
