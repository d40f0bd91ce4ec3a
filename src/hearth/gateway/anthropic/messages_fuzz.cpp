// Any JSON is a request or a refusal. A request's answer, with the request's own bytes in it, keeps
// the grammar of streams; a prompt is the same whether it is counted or answered.
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/gateway/warning_insert.h"
#include "tests/support/anthropic_stream.h"
#include "tests/support/gateway_json.h"

namespace {

using namespace hearth;
using namespace hearth::gateway;

constexpr std::size_t pieces_max = 32;

// Cuts the text at its own bytes: what the model says, in which order and what kind.
std::string answer(const Dialect& dialect, const ChatRequest& request, std::string_view text) {
  std::string out;
  const auto writer = dialect.make_writer(test::golden_info(), request);
  writer->begin({.prompt_tokens = 7, .cached_tokens = 3}, out);
  for (std::size_t i = 0; i < pieces_max && !text.empty(); ++i) {
    const auto choice = static_cast<unsigned char>(text[text.size() / 2]) % 4;
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + i * i);
    const std::string piece(text.substr(0, size));
    text.remove_prefix(size);
    if (choice == 3) {
      writer->heartbeat({.tokens_done = static_cast<std::uint32_t>(i), .tokens_total = 7}, out);
      continue;
    }
    writer->event({.kind = static_cast<AnswerEvent::Kind>(choice), .text = piece, .id = "toolu_1",
                   .name = piece},
                  out);
  }
  writer->end({.usage = {.prompt_tokens = 7, .cached_tokens = 9, .answer_tokens = 2}}, out);
  return out;
}

// With a text of ours in it, however the bytes were cut.
std::string warned(std::string_view stream, std::size_t cut) {
  WarningInsert insert("[again]\n", /*streamed=*/true);
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += cut) out += insert.push(as_byte_span(stream.substr(at, cut)));
  return out + insert.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CHECK(warned(text, 5) == warned(text, text.size() + 1));
  WarningInsert whole("[again]\n", /*streamed=*/false);
  (void)whole.push(as_byte_span(text));
  (void)whole.finish();
  const auto body = parse_json(text);
  if (!body) return 0;
  const auto dialect = make_anthropic_messages();
  const auto counted = dialect->parse(*body, true);
  const auto request = dialect->parse(*body, false);
  if (!request) {
    CHECK(dialect->error_status(request.error()) == 400);
    CHECK(!dump_json(dialect->error_body(request.error(), "req_1")).empty());
    return 0;
  }
  CHECK(counted);
  CHECK(counted->conversation.messages == request->conversation.messages);
  CHECK(parse_json(dump_json(test::request_json(*request))));
  const std::string said = answer(*dialect, *request, text);
  CHECK(test::read_anthropic_stream(said).complaints.empty());
  CHECK(test::read_anthropic_stream(warned(said, 100)).complaints.empty());
  return 0;
}
