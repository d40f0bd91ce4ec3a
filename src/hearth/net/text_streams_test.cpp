#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hearth/net/ndjson.h"
#include "hearth/net/sse.h"

namespace hearth::net {
namespace {

std::vector<SseEvent> parse_in_pieces(std::string_view text, std::size_t piece_bytes) {
  SseParser parser;
  std::vector<SseEvent> out;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    EXPECT_TRUE(parser.push(as_byte_span(text.substr(at, piece_bytes))));
    while (auto event = parser.next()) out.push_back(*event);
  }
  return out;
}

TEST(Sse, ReadsTheSpecification) {
  struct Case {
    const char* text;
    std::vector<SseEvent> events;
  };
  const Case cases[] = {
      {"data: a\n\n", {{"", "a", ""}}},
      {"data:a\r\ndata:  b\r\n\r\n", {{"", "a\n b", ""}}},
      {"event: x\rdata: a\r\rdata: b\r\r", {{"x", "a", ""}, {"", "b", ""}}},
      {": note\n\ndata\n\ndata\ndata\n\n", {{"", "", ""}, {"", "\n", ""}}},
      {"id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
       {{"", "a", "7"}, {"", "b", "7"}, {"", "c", ""}}},
      {"event: lost\n\ndata: a\n\n", {{"", "a", ""}}},
      {"\xEF\xBB\xBF"
       "data: a\n\nretry: 5\nunknown: x\ndata: b\n\ndata: never ended",
       {{"", "a", ""}, {"", "b", ""}}},
      {"data: x: y\n\n", {{"", "x: y", ""}}},
  };
  for (const Case& one : cases) {
    for (const std::size_t piece : {1u, 2u, 3u, 1000u}) {
      EXPECT_EQ(parse_in_pieces(one.text, piece), one.events) << one.text << " in " << piece;
    }
  }
}

TEST(Sse, WhatIsWrittenReadsBack) {
  const std::string text = sse_comment("hello") + sse_event("delta", "a\n\nb\r\nc", "9") +
                           sse_event("", "{\"x\": 1}") + sse_event("e", "");
  const std::vector<SseEvent> expected = {
      {"delta", "a\n\nb\nc", "9"}, {"", "{\"x\": 1}", "9"}, {"e", "", "9"}};
  EXPECT_EQ(parse_in_pieces(text, 5), expected);
}

TEST(Sse, BoundsAnEvent) {
  SseParser parser(100);
  const std::string line = "data: " + std::string(40, 'x') + "\n";
  EXPECT_TRUE(parser.push(as_byte_span(line + "\n")));
  EXPECT_TRUE(parser.push(as_byte_span(line)));
  EXPECT_TRUE(parser.push(as_byte_span(line)));
  const auto third = parser.push(as_byte_span(line));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::corrupt);
}

TEST(Ndjson, AnySplitGivesTheSameLines) {
  const std::string text =
      ndjson_line(Json::object({{"a", "line\nbreak"}})) + "\r\n\n" + ndjson_line(2) + "[3]\r\n";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    NdjsonReader reader;
    std::vector<Json> values;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      ASSERT_TRUE(reader.push(as_byte_span(std::string_view(text).substr(at, piece))));
      for (;;) {
        const auto value = reader.next();
        ASSERT_TRUE(value);
        if (!*value) break;
        values.push_back(**value);
      }
    }
    EXPECT_TRUE(reader.finish());
    const std::vector<Json> expected = {Json::object({{"a", "line\nbreak"}}), 2, Json::array({3})};
    EXPECT_EQ(values, expected) << piece;
  }
}

TEST(Ndjson, TellsTornAndOverlongAndForeignLines) {
  NdjsonReader reader(10);
  ASSERT_TRUE(reader.push(as_byte_span("123456789\n12")));
  EXPECT_TRUE(reader.next_line());
  EXPECT_FALSE(reader.next_line());
  EXPECT_EQ(reader.finish().error().code, Code::corrupt);
  EXPECT_EQ(reader.push(as_byte_span("345678901\n")).error().code, Code::corrupt);
  NdjsonReader foreign;
  ASSERT_TRUE(foreign.push(as_byte_span("<html>\n")));
  EXPECT_EQ(foreign.next().error().code, Code::corrupt);
}

}  // namespace
}  // namespace hearth::net
