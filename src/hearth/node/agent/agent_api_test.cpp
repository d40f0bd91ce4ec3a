#include "hearth/node/agent/agent_api.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "tests/support/state_blob.h"

namespace hearth::node {
namespace {

const model::ChunkKey some_key{.digest = blake2b(as_byte_span("some chunk"))};
const std::string digest_hex(64, 'a');

NodeFacts facts() {
  model::LayoutIdentity identity;
  identity.architecture = "deepseek2";
  identity.layers = 61;
  identity.state = hearth::testing::sample_layouts()[5];
  return {.name = "spark", .incarnation = 0xfedcba9876543210, .hearth_version = "0.3.0", .engine_version = "0.7.0",
          .backend = "CPU", .model_name = "Kimi", .chunk_tokens = 256, .identity = identity, .kv_refusal = "",
          .prefills_running = 1, .prefills_max = 2, .pieces_done = 7,
          .pieces = {{.tokens = 256, .depth_tokens = 1024, .seconds = 0.5}}};
}

PrefillCall call() {
  return {.hearth_version = "0.3.0",
          .ticket = {.id = {.high = 1, .low = 0xffffffffffffffff}, .issuer = "studio", .issuer_incarnation = 5,
                     .attempt = 1, .layout = {.digest = blake2b(as_byte_span("layout"))}, .token_count = 900,
                     .lease = std::chrono::milliseconds(1500)},
          .deliver_to = "10.0.0.2:7070", .chunk_tokens = 256, .stored = {some_key}, .from = 256, .fetch_stored = true};
}

struct Message {
  Json good;
  std::function<Result<Json>(const Json&)> read_and_write;
  std::set<std::string> may_be_missing;
};

template <class T>
std::function<Result<Json>(const Json&)> through(Result<T> (*read)(const Json&), Json (*write)(const T&)) {
  return [read, write](const Json& json) -> Result<Json> {
    const T value = TRY(read(json));
    return write(value);
  };
}

const std::map<std::string, Message>& messages() {
  static const std::map<std::string, Message> all = {
      {"facts", {facts_json(facts()), through(facts_from_json, facts_json), {"kv_refusal", "identity"}}},
      {"call", {call_json(call()), through(call_from_json, call_json), {"protocol", "hearth_version"}}},
      {"reply", {reply_json({.is_busy = true, .retry_after = std::chrono::seconds(3), .incarnation = 9,
                             .first_piece = std::chrono::milliseconds(250)}),
                 through(reply_from_json, reply_json), {}}},
      {"manifest", {manifest_json({.token_count = 900, .chunk_count = 4, .last_key = some_key}),
                    through(manifest_from_json, manifest_json), {}}}};
  return all;
}

TEST(AgentApi, EveryMessageReadsBackToItselfWhateverElseItSays) {
  for (const auto& [name, message] : messages()) {
    Json sent = parse_json(dump_json(message.good)).value();
    EXPECT_EQ(message.read_and_write(sent).value(), message.good) << name;
    sent.set("of_a_later_version", Json::object({{"x", 1}}));
    EXPECT_EQ(message.read_and_write(sent).value(), message.good) << name;
  }
}

TEST(AgentApi, AMissingMemberIsNamed) {
  for (const auto& [name, message] : messages()) {
    for (const auto& [member, value] : message.good.as_object()) {
      Json without = message.good;
      without.erase(member);
      const auto read = message.read_and_write(without);
      EXPECT_EQ(read.has_value(), message.may_be_missing.contains(member)) << name << " without " << member;
      const std::string told = read ? member + ": " : read.error().message;
      EXPECT_NE(told.find(member + ": "), std::string::npos) << told;
    }
  }
}

TEST(AgentApi, RefusesWhatMakesNoSense) {
  const Json long_list = Json::array(Json::Array(prefill_pieces_max + 1, Json::array({1, 2, 3.0})));
  const struct {
    const char *message, *member;
    Json value;
    const char* words;
  } cases[] = {
      {"facts", "protocol", "1", "protocol: expected"},
      {"facts", "name", std::string(129, 'n'), "name: 129 bytes; at most 128 are expected"},
      {"facts", "incarnation", 7, "incarnation: expected a string"},
      {"facts", "incarnation", "", "incarnation: not a number of up to 16 hex digits"},
      {"facts", "incarnation", "-1", "incarnation: not a number of up to 16 hex digits"},
      {"facts", "incarnation", "0x1", "incarnation: not a number of up to 16 hex digits"},
      {"facts", "incarnation", "11111111111111111", "incarnation: not a number of up to 16 hex digits"},
      {"facts", "chunk_tokens", -1, "chunk_tokens: expected an integer of at least 0, got -1"},
      {"facts", "prefills_max", 5'000'000'000, "prefills_max: expected an integer of at most 4294967295"},
      {"facts", "pieces", Json::object(), "pieces: expected a list of at most 32"},
      {"facts", "pieces", long_list, "pieces: expected a list of at most 32"},
      {"facts", "pieces", Json::array({Json::array({1, 2})}), "pieces: expected [tokens, depth, seconds]"},
      {"facts", "pieces", Json::array({Json::array({1, 2, "s"})}), "pieces: expected"},
      {"facts", "identity", Json::object(), "missing"},
      {"call", "hand_off", "12", "hand_off: expected 32 hex digits"},
      {"call", "hand_off", std::string(32, 'g'), "hand_off: not a number"},
      {"call", "layout", "aa", "a digest is 64 hexadecimal characters, got 2"},
      {"call", "lease_ms", -1, "lease_ms: -1 is not between 0 and a day"},
      {"call", "lease_ms", 86'400'001, "is not between 0 and a day"},
      {"call", "protocol", -1, "protocol: expected an integer of at least 0"},
      {"call", "deliver_to", std::string(129, 'd'), "deliver_to: 129 bytes"},
      {"call", "stored", "all", "stored: expected a list of at most"},
      {"call", "stored", Json::array({7}), "stored: expected a string"},
      {"call", "stored", Json::array({"aa"}), "a digest is 64 hexadecimal characters, got 2"},
      {"call", "stored", Json::array(), "from is 256 and 0 stored chunks are named; expected both or neither"},
      {"call", "from", 0, "from is 0 and 1 stored chunks are named; expected both or neither"},
      {"call", "fetch_stored", "yes", "fetch_stored: expected"},
      {"reply", "busy", 1, "busy: expected"},
      {"reply", "retry_after_ms", "soon", "retry_after_ms: expected"},
      {"reply", "first_piece_ms", 9e9, "first_piece_ms: "},
      {"manifest", "tokens", nullptr, "tokens: expected"},
      {"manifest", "chunks", 1.5, "chunks: expected an integer"},
      {"manifest", "last_key", "", "a digest is 64 hexadecimal characters, got 0"},
      {"manifest", "last_key", digest_hex + "aa", "a digest is 64 hexadecimal characters, got 66"},
  };
  for (const auto& c : cases) {
    const Message& message = messages().at(c.message);
    Json bad = message.good;
    bad.set(c.member, c.value);
    const auto read = message.read_and_write(bad);
    ASSERT_FALSE(read) << c.message << "." << c.member << " = " << dump_json(c.value);
    EXPECT_EQ(read.error().code, Code::invalid_argument);
    EXPECT_NE(read.error().message.find(c.words), std::string::npos) << read.error().message;
  }
  for (const auto& [name, message] : messages()) EXPECT_FALSE(message.read_and_write(Json::array())) << name;
}

TEST(AgentApi, ATicketReadsBackToItselfAndNothingElseIsOne) {
  const cluster::TicketUse use{.id = {.high = 0xab, .low = 3}, .issuer_incarnation = 0xfedcba9876543210, .attempt = 2,
                               .sender_incarnation = 4};
  const std::string text = ticket_use_text(use);
  const auto read = ticket_use_from_text(text).value();
  EXPECT_EQ(read.id, use.id);
  EXPECT_EQ(ticket_use_text(read), text);

  const std::string id = text.substr(0, 32);
  const std::pair<std::string, const char*> cases[] = {
      {"", "expected four parts between dots"},
      {id + ".1.2", "expected four parts between dots"},
      {text + ".1", "expected four parts between dots"},
      {"...", "hand_off: expected 32 hex digits"},
      {text.substr(1), "hand_off: expected 32 hex digits"},
      {id + ".x.2.3", "X-Hearth-Ticket: not a number"},
      {id + ".1..3", "X-Hearth-Ticket: not a number"},
      {id + ".1.2.11111111111111111", "X-Hearth-Ticket: not a number"},
  };
  for (const auto& [bad, words] : cases) {
    const auto refused = ticket_use_from_text(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_NE(refused.error().message.find(words), std::string::npos) << refused.error().message;
  }
  EXPECT_EQ(ticket_use_from_text(id + ".1.100000000.3")->attempt, UINT32_MAX);  // no attempt of ours
}

TEST(AgentApi, EveryRefusalOfAChunkHasAName) {
  for (std::size_t i = 0; i < kv::refusal_count; ++i) {
    const auto refusal = static_cast<kv::Refusal>(i);
    EXPECT_EQ(refusal_from_name(kv::refusal_name(refusal)), refusal);
  }
  EXPECT_FALSE(refusal_from_name(""));
  EXPECT_FALSE(refusal_from_name("of a later version"));
}

// A peer of the version before or after, whatever else of its messages has changed.
struct OtherVersion {
  const char* what;
  int step;  // from our protocol
  std::vector<const char*> missing;
  std::vector<std::pair<const char*, Json>> more;
};

const OtherVersion other_versions[] = {
    {"older", -1, {}, {}},
    {"older, less", -1, {"pieces", "pieces_done", "identity", "fetch_stored", "stored", "from"}, {}},
    {"older, nothing else", -1, {"incarnation", "backend", "chunk_tokens", "prefills_max", "hand_off", "layout"}, {}},
    {"newer", 1, {}, {}},
    {"newer, more", 1, {}, {{"streams", 4}, {"compression", Json::array({"zstd"})}}},
    {"newer, of other kinds", 1, {}, {{"pieces", "many"}, {"incarnation", 12}, {"hand_off", 7}, {"lease_ms", "long"}}},
    {"newer, less and more", 1, {"pieces", "identity", "ticket", "tokens"}, {{"layers", Json::object({{"first", 0}})}}},
};

Json as_said_by(const OtherVersion& other, Json message, std::uint32_t protocol) {
  for (const char* member : other.missing) message.erase(member);
  for (const auto& [member, value] : other.more) message.set(member, value);
  message.set("protocol", protocol);
  message.set("hearth_version", "9.9");
  return message;
}

TEST(VersionSkew, BothVersionsAreNamedBothWaysWhateverElseHasChanged) {
  for (const OtherVersion& other : other_versions) {
    const auto protocol = static_cast<std::uint32_t>(static_cast<int>(agent_protocol_version) + other.step);
    NodeFacts ours = facts();
    ours.name = "studio";
    const std::string words = fmt::format("protocol: {} on studio (Hearth 0.3.0) against {} on spark (Hearth 9.9); "
                                          "update Hearth on {}",
                                          ours.protocol, protocol, other.step < 0 ? "spark" : "studio");
    // It is looked at before it is asked.
    const auto theirs = facts_from_json(as_said_by(other, facts_json(facts()), protocol));
    ASSERT_TRUE(theirs) << other.what << ": " << theirs.error().message;
    EXPECT_EQ(pairing_refusal(ours, *theirs), words) << other.what;
    // It asks.
    const auto asked = call_from_json(as_said_by(other, call_json(call()), protocol));
    ASSERT_TRUE(asked) << other.what << ": " << asked.error().message;
    const Speaker caller{"spark", asked->hearth_version, asked->protocol};
    EXPECT_EQ(protocol_refusal({ours.name, ours.hearth_version}, caller), words) << other.what;
    // Whoever says it, the same one is to be updated.
    const auto said_there = pairing_refusal(*theirs, ours);
    ASSERT_TRUE(said_there) << other.what;
    EXPECT_EQ(said_there->substr(said_there->find(';')), words.substr(words.find(';'))) << other.what;
  }
}

TEST(VersionSkew, WhatDoesNotSayItsNameOrVersionIsRefusedToo) {
  const auto theirs = facts_from_json(Json::object({{"protocol", agent_protocol_version + 1}}));
  ASSERT_TRUE(theirs) << theirs.error().message;
  const std::string refusal = pairing_refusal(facts(), *theirs).value_or("");
  EXPECT_TRUE(refusal.ends_with("on the other machine (Hearth of an unknown version); update Hearth on spark"))
      << refusal;
}

TEST(VersionSkew, ACallOfOurProtocolNeedNotSayIt) {
  Json json = call_json(call());
  json.erase("protocol");
  json.erase("hearth_version");
  const auto read = call_from_json(json);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(protocol_refusal({"studio", "0.3.0"}, {"spark", read->hearth_version, read->protocol}), std::nullopt);
  EXPECT_EQ(read->deliver_to, call().deliver_to);
}

}  // namespace
}  // namespace hearth::node
