// The first bytes choose the format and how the rest is cut. Cut or whole: the same events; deltas
// add up; nothing is said twice. As tokens of odd kinds: no crash, every call begun is ended.
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/base/utf8.h"
#include "hearth/chat/format.h"

namespace {

using namespace hearth;
using namespace hearth::chat;

ParserOptions options(std::uint8_t flags) {
  ParserOptions out;
  out.thinking_open = (flags & 1) != 0;
  if ((flags & 2) == 0) {
    out.tools.push_back({"now", "", parse_json(R"({"type":"object","properties":{
        "city":{"type":"string"},"n":{"type":["integer","null"]},"any":{}}})").value()});
  }
  return out;
}

std::vector<Event> parse(const Format& format, std::uint8_t flags, std::string_view text,
                         std::size_t step) {
  const auto parser = format.make_parser(options(flags));
  std::vector<Event> events;
  for (std::size_t i = 0; i < text.size(); i += step) {
    for (Event& event : parser->push(text.substr(i, step))) events.push_back(std::move(event));
  }
  for (Event& event : parser->finish((flags & 4) != 0)) events.push_back(std::move(event));
  return join_deltas(std::move(events));
}

void check_shape(const std::vector<Event>& events) {
  bool open = false;
  std::string arguments;
  for (const Event& event : events) {
    CHECK(is_valid_utf8(event.text));
    CHECK(is_valid_utf8(event.name));
    switch (event.kind) {
      case Event::Kind::call_begin:
        CHECK(!open);
        open = true;
        arguments.clear();
        break;
      case Event::Kind::call_arguments:
        CHECK(open);
        arguments += event.text;
        break;
      case Event::Kind::call_end:
        CHECK(open);
        CHECK(arguments == event.text);
        open = false;
        break;
      case Event::Kind::thinking:
      case Event::Kind::content:
        CHECK(!open);
        CHECK(!event.text.empty());
        break;
      case Event::Kind::finish: CHECK(&event == &events.back());
    }
  }
  CHECK(!open);
  CHECK(!events.empty());
  CHECK(events.back().kind == Event::Kind::finish);
}

void as_tokens(const Format& format, std::uint8_t flags, std::string_view text) {
  ParserOptions with_markers = options(flags);
  for (const auto marker : format.markers()) with_markers.token_markers.emplace_back(marker);
  const auto parser = format.make_parser(std::move(with_markers));
  std::vector<Event> events;
  for (std::size_t i = 0; i < text.size();) {
    const auto kind = static_cast<std::uint8_t>(text[i++]);
    std::string_view piece;
    if ((kind & 0x80) != 0) {
      piece = format.markers()[kind % format.markers().size()];
    } else {
      piece = text.substr(i, 1 + (kind >> 2));
      i += piece.size();
    }
    for (Event& event : parser->push(piece, static_cast<PieceKind>(kind & 3))) {
      events.push_back(std::move(event));
    }
  }
  for (Event& event : parser->finish(false)) events.push_back(std::move(event));
  check_shape(join_deltas(std::move(events)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static constexpr std::string_view names[] = {"kimi-k2.5", "qwen3", "qwen3.5", "llama3"};
  if (size < 3) return 0;
  const auto format = make_format(names[data[0] % 4]).value();
  const std::string_view text(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto whole = parse(*format, data[1], text, text.size() + 1);
  check_shape(whole);
  CHECK(parse(*format, data[1], text, 1 + data[2] % 16) == whole);
  as_tokens(*format, data[1], text);
  return 0;
}
