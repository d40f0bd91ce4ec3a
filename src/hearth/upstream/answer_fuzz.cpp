// The first byte chooses the kind of service, the second how the rest is cut: whatever a service sends,
// its reader ends in an answer or a failure, the same however the bytes were cut, and keeps its order:
// nothing after the end, every count within the others. Also: a raw member is JSON.
#include <array>
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/upstream/codec.h"
#include "hearth/upstream/raw_member.h"
#include "hearth/upstream/vllm_pair.h"

namespace {

using namespace hearth;
using namespace hearth::upstream;

constexpr std::array kinds = {Kind::hearth, Kind::anthropic, Kind::openai, Kind::llama_server, Kind::exo, Kind::mlx};

struct Told {
  std::string all;
  bool answered = false, failed = false;
  bool operator==(const Told&) const = default;
};

Told read(Kind kind, std::string_view bytes, std::size_t piece_bytes) {
  const EndpointSpec spec{.name = "there", .kind = kind, .model = "m"};
  const auto reader = make_reader(spec, {});
  Told out;
  std::vector<Arrival> arrived;
  Attempt<> done;
  for (std::size_t at = 0; done && at < bytes.size(); at += piece_bytes) {
    done = reader->push(as_byte_span(bytes.substr(at, piece_bytes)), {}, arrived);
  }
  if (done) done = reader->finish({}, arrived);
  out.failed = !done;
  for (const Arrival& one : arrived) {
    CHECK(!out.answered);
    if (const auto* piece = std::get_if<Piece>(&one.what)) {
      out.all += static_cast<char>('0' + static_cast<int>(piece->event.kind)) + piece->event.text + piece->event.name;
      if (piece->event.kind == chat::AnswerEvent::Kind::call) CHECK(!piece->event.name.empty());
    }
    const auto* last = std::get_if<Answered>(&one.what);
    if (last == nullptr) continue;
    out.answered = true;
    const chat::Usage& usage = last->end.usage;
    CHECK(usage.thinking_tokens <= usage.answer_tokens);
  }
  CHECK(out.answered || out.failed);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Kind kind = kinds[data[0] % kinds.size()];
  const std::string_view rest(reinterpret_cast<const char*>(data + 2), size - 2);
  CHECK(read(kind, rest, rest.size() + 1) == read(kind, rest, data[1] % 16 + 1u));

  if (const auto json = parse_json(rest); json && json->is_object()) {
    for (const auto& [key, value] : json->as_object()) {
      const auto raw = raw_member(rest, key);
      CHECK(raw.has_value() != value.is_null());
      if (raw) CHECK(parse_json(*raw) == value);
      if (raw) CHECK(parse_json(with_raw_member("{\"other\":1}", "k", *raw))->find("k")->kind_name() == value.kind_name());
    }
    read_prefill_reply(rest);
    const EndpointSpec spec{.name = "there", .kind = kind};
    failure_of_reply(spec, 400 + data[1], {}, rest);
  }
  return 0;
}
