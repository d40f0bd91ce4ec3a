#include "hearth/gateway/warning_insert.h"

#include <gtest/gtest.h>

namespace hearth::gateway {
namespace {

constexpr std::string_view warning = "[again]\n";

std::string start(int index, std::string_view type) {
  return net::sse_event("content_block_start", R"({"type":"content_block_start","index":)" + std::to_string(index) + R"(,"content_block":{"type":")" +
                                                   std::string(type) + R"(","text":"","thinking":"","signature":""}})");
}
std::string delta(int index, std::string_view kind, std::string_view member, std::string_view text) {
  return net::sse_event("content_block_delta", R"({"type":"content_block_delta","index":)" + std::to_string(index) + R"(,"delta":{"type":")" +
                                                   std::string(kind) + R"(",")" + std::string(member) + R"(":")" + std::string(text) + R"("}})");
}
std::string stop(int index) {
  return net::sse_event("content_block_stop", R"({"type":"content_block_stop","index":)" + std::to_string(index) + "}");
}
const std::string head = net::sse_event("message_start", R"({"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}})");
const std::string tail = net::sse_event("message_delta", R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}})") +
                         net::sse_event("message_stop", R"({"type":"message_stop"})");
const std::string thinking = start(0, "thinking") + delta(0, "thinking_delta", "thinking", "hm") + stop(0);

std::string through(std::string_view stream, std::size_t cut) {
  WarningInsert insert(std::string(warning), true);
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += cut) out += insert.push(as_byte_span(stream.substr(at, cut)));
  return out + insert.finish();
}

TEST(WarningInsert, StandsBehindThinkingAndBeforeTheRestHoweverTheBytesAreCut) {
  const std::string text = start(1, "text") + delta(1, "text_delta", "text", "hello") + stop(1);
  const std::string whole = through(head + thinking + text + tail, 1 << 20);
  for (const std::size_t cut : {1u, 7u, 100u}) EXPECT_EQ(through(head + thinking + text + tail, cut), whole);
  EXPECT_TRUE(whole.starts_with(head + thinking)) << whole;
  EXPECT_TRUE(whole.ends_with(tail)) << whole;
  EXPECT_LT(whole.find("[again]"), whole.find("hello"));
  EXPECT_NE(whole.find(delta(2, "text_delta", "text", "hello")), std::string::npos) << whole;
  EXPECT_NE(whole.find(stop(2)), std::string::npos) << whole;
}

TEST(WarningInsert, ComesFirstWithoutThinkingAndLastWithNothingElse) {
  const std::string text = through(head + start(0, "text") + delta(0, "text_delta", "text", "hello") + stop(0) + tail, 9);
  EXPECT_TRUE(text.substr(head.size()).starts_with("event: content_block_start"));
  EXPECT_LT(text.find("[again]"), text.find("hello"));
  const std::string alone = through(head + thinking + tail, 9);
  EXPECT_LT(alone.find("hm"), alone.find("[again]"));
  EXPECT_TRUE(alone.ends_with(tail));
}

TEST(WarningInsert, StandsInWholeAnswersToo) {
  WarningInsert insert(std::string(warning), false);
  EXPECT_EQ(insert.push(as_byte_span(std::string_view(R"({"type":"message","content":[{"type":"thinking","signature":"s"},)"))), "");
  EXPECT_EQ(insert.push(as_byte_span(std::string_view(R"({"type":"text","text":"hello"}],"usage":{}})"))), "");
  EXPECT_EQ(insert.finish(), R"({"type":"message","content":[{"type":"thinking","signature":"s"},{"type":"text","text":"[again]\n"},)"
                             R"({"type":"text","text":"hello"}],"usage":{}})");
}

TEST(WarningInsert, LeavesWhatIsNoAnswerAsItIs) {
  for (const std::string_view text : {"not json", R"({"type":"error","error":{}})", "[1]", ""}) {
    WarningInsert insert(std::string(warning), false);
    EXPECT_EQ(insert.push(as_byte_span(text)), "");
    EXPECT_EQ(insert.finish(), text);
  }
  const std::string odd = net::sse_event("ping", "not json") + net::sse_event("error", R"({"type":"error"})");
  EXPECT_EQ(through(odd, 5), odd);
}

}  // namespace
}  // namespace hearth::gateway
