#include "hearth/vault/keeper_protocol.h"

#include <cstring>

namespace hearth::vault {
namespace {

Deadline soon() { return Deadline::after(keeper_exchange_time); }

Result<> send(net::Stream& stream, std::uint8_t status, ByteSpan body, const StopToken& stop) {
  std::byte head[5] = {static_cast<std::byte>(status)};
  const auto bytes = static_cast<std::uint32_t>(body.size());
  std::memcpy(head + 1, &bytes, sizeof(bytes));
  const ByteSpan parts[2] = {ByteSpan(head), body};
  return stream.write_parts(parts, soon(), stop);
}

}  // namespace

Result<AskHead> parse_ask_head(std::span<const std::byte, ask_head_bytes> bytes) {
  const auto what = std::to_integer<std::uint8_t>(bytes[0]);
  AskHead out{.what = static_cast<Ask>(what)};
  std::memcpy(&out.name_bytes, bytes.data() + 1, sizeof(out.name_bytes));
  if (what < static_cast<std::uint8_t>(Ask::key) || what > static_cast<std::uint8_t>(Ask::watch)) {
    return fail(Code::invalid_argument, "the vault's keeper knows no such question");
  }
  if (out.name_bytes > collection_name_bytes_max) return fail(Code::invalid_argument, "the collection's name is too long");
  return out;
}

Result<> read_exactly(net::Stream& stream, std::span<std::byte> out, Deadline deadline, const StopToken& stop) {
  while (!out.empty()) {
    const std::size_t got = TRY(stream.read_some(out, deadline, stop));
    if (got == 0) return fail(Code::unavailable, "the vault is locked: its keeper has gone");
    out = out.subspan(got);
  }
  return {};
}

Result<> send_ask(net::Stream& stream, Ask what, std::string_view name, const StopToken& stop) {
  ByteWriter out;
  out.write(static_cast<std::uint8_t>(what));
  out.write(static_cast<std::uint16_t>(name.size()));
  out.write_bytes(as_byte_span(name));
  return stream.write_all(out.bytes(), soon(), stop);
}

Result<> send_answer(net::Stream& stream, ByteSpan body, const StopToken& stop) { return send(stream, 0, body, stop); }

Result<> send_error(net::Stream& stream, const Error& error, const StopToken& stop) {
  return send(stream, static_cast<std::uint8_t>(1 + static_cast<int>(error.code)), as_byte_span(error.message), stop);
}

Result<Secret> read_answer(net::Stream& stream, const StopToken& stop) {
  std::byte head[5];
  TRY(read_exactly(stream, head, soon(), stop));
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, head + 1, sizeof(bytes));
  const int status = std::to_integer<int>(head[0]);
  if (bytes > answer_bytes_max || status > 1 + static_cast<int>(Code::internal)) {
    return fail(Code::corrupt, "the vault's keeper answers with what is no answer");
  }
  Secret body = TRY(Secret::create(bytes));
  TRY(read_exactly(stream, body.span(), soon(), stop));
  if (status != 0) return fail(static_cast<Code>(status - 1), std::string(as_text(body.span())));
  return body;
}

}  // namespace hearth::vault
