// Prefill by a peer, over real sockets, with real workers: the text must be what one machine writes,
// and trouble on the way may cost time only.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <thread>

#include "hearth/net/stream.h"
#include "hearth/node/agent/peer_prefiller.h"
#include "tests/cluster/answers.h"

namespace hearth::node {
namespace {

using testing::Machine;

using testing::Answer;
using testing::answer;
using testing::answer_tokens;
using testing::text_tokens;

// Counts what goes through, and may break it.
class Meddler final : public Prefiller {
 public:
  explicit Meddler(Prefiller& inner) : inner_(inner) {}
  Result<std::unique_ptr<ChunkSource>> open(const PrefillOrder& order, const StopToken& stop) override {
    ++orders;
    auto source = inner_.open(order, stop);
    if (source && *source) return std::make_unique<Source>(*this, *std::move(source));
    return source;
  }
  int orders = 0;
  std::uint64_t transfer_bytes = 0;
  std::uint32_t chunks = 0;
  std::function<void(std::uint32_t chunks)> after_chunk;

 private:
  class Source final : public ChunkSource {
   public:
    Source(Meddler& owner, std::unique_ptr<ChunkSource> inner) : owner_(owner), inner_(std::move(inner)) {}
    Result<kv::SharedChunk> next(Deadline deadline) override {
      auto chunk = inner_->next(deadline);
      if (chunk && *chunk) {
        ++owner_.chunks;
        owner_.transfer_bytes += kv::chunk_bytes((*chunk)->header);
        if (owner_.after_chunk) owner_.after_chunk(owner_.chunks);
      }
      return chunk;
    }
    Instant chunk_began() const override { return inner_->chunk_began(); }
    void on_imported() override { inner_->on_imported(); }
    void on_import_refused(const Error& error) override { inner_->on_import_refused(error); }
    void on_worker_lost(const Error& error) override { inner_->on_worker_lost(error); }

   private:
    Meddler& owner_;
    std::unique_ptr<ChunkSource> inner_;
  };
  Prefiller& inner_;
};

// One machine that decodes with the help of another.
struct Pair {
  explicit Pair(const Machine::Options& options)
      : decode("decode", options), prefill("prefill", options),
        prefiller({.peer = PeerClient(decode.http(), prefill.as_peer()),
                   .inbox = decode.inbox(),
                   .deliver_to = decode.address().text(),
                   .parameters = {.chunk_tokens = options.chunk_tokens}}),
        meddler(prefiller) {
    decode.model().set_prefiller(&meddler);
  }
  Machine decode, prefill;
  PeerPrefiller prefiller;
  Meddler meddler;
};

class RemotePrefill : public ::testing::TestWithParam<const char*> {};

TEST_P(RemotePrefill, WritesWhatOneMachineWrites) {
  const Machine::Options options{.architecture = GetParam()};
  Pair pair(options);
  Machine alone("alone", options);
  for (const std::size_t length : {1250u, 513u, 257u}) {
    SCOPED_TRACE(length);
    auto prompt = text_tokens(alone, length);
    prompt.front() = static_cast<Token>(length % 200);  // no common prefix with the other lengths
    const Answer single = answer(alone, prompt);
    const Answer split = answer(pair.decode, prompt);
    EXPECT_EQ(single.tokens, split.tokens);
    EXPECT_EQ(single.text, split.text);
    EXPECT_EQ(split.prompt.reused_tokens, 0u);  // nothing was there before: it was computed
    EXPECT_EQ(split.prompt.computed_tokens, length - 1);  // the last one is the answer's first step
  }
  EXPECT_EQ(pair.meddler.orders, 3);
  EXPECT_EQ(pair.meddler.chunks, 5u + 2u + 1u);
  EXPECT_EQ(pair.decode.inbox().size(), 0u);
}
INSTANTIATE_TEST_SUITE_P(EveryArchitecture, RemotePrefill, ::testing::Values("kimi", "qwen3moe", "llama"));

// Machines of their own for each: see parity_test.cpp.
class RemotePrefillOfWindowsAndStates : public ::testing::TestWithParam<const char*> {};

TEST_P(RemotePrefillOfWindowsAndStates, WritesWhatOneMachineWrites) {
  const Machine::Options options{.architecture = GetParam()};
  Pair pair(options);
  Machine alone("alone", options);
  const auto prompt = text_tokens(alone, 1250);
  const Answer single = answer(alone, prompt);
  const Answer split = answer(pair.decode, prompt);
  EXPECT_EQ(single.tokens, split.tokens);
  EXPECT_EQ(split.prompt.computed_tokens, prompt.size() - 1);
  EXPECT_EQ(pair.meddler.chunks, 5u);

  // The conversation goes on: what the machine holds is not what the peer's chunks join.
  auto longer = prompt;
  longer.insert(longer.end(), split.tokens.begin(), split.tokens.end());
  const auto more = text_tokens(alone, 900);
  longer.insert(longer.end(), more.begin(), more.end());
  EXPECT_EQ(answer(pair.decode, longer).tokens.size(), testing::answer_tokens);
  EXPECT_EQ(pair.meddler.orders, 2);
  EXPECT_EQ(pair.decode.inbox().size(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Both, RemotePrefillOfWindowsAndStates, ::testing::Values("gpt-oss", "qwen35moe"));

// A machine that waits for the two chunks of a prompt, and a peer that sends what it likes.
class RemotePrefillBodies : public ::testing::Test {
 protected:
  RemotePrefillBodies() {
    kv::AnnouncedChain chain{.layout = layout_, .keys = {}, .ranges = {}};
    for (const model::ChainLink& link : model::continue_chain(model::root_key(layout_), 0, tokens_, 256)) {
      chain.keys.push_back(link.key);
      chain.ranges.push_back(link.range);
    }
    const auto ticket = machine_.inbox().new_ticket(layout_, 300, std::chrono::minutes(1));
    use_ = {.id = ticket.id, .issuer_incarnation = ticket.issuer_incarnation, .attempt = ticket.attempt,
            .sender_incarnation = 1};
    first_ = chain.keys.front();
    claim_ = machine_.inbox().expect(ticket, "peer", std::move(chain), {}, {.chunk_tokens = 256}).value();
  }
  // The right name and tokens; the payload is nobody's state.
  kv::Chunk first_chunk() const {
    auto payload = Buffer::create(1'000).value();
    std::ranges::fill(payload.span(), std::byte{7});
    return kv::make_chunk({.layout = layout_, .parent = model::root_key(layout_), .begin = 0,
                           .tokens = {tokens_.begin(), tokens_.begin() + 256}, .provenance = {}},
                          std::move(payload)).value();
  }

  Machine machine_{"decode", {}};
  testing::NamedHttp peer_http_{"peer"};
  const PeerClient peer_{peer_http_, machine_.as_peer()};
  const std::vector<Token> tokens_ = text_tokens(machine_, 300);
  const kv::LayoutDigest layout_ = *machine_.model().keeper().current()->info.layout();
  kv::ChunkKey first_;
  cluster::TicketUse use_;
  std::unique_ptr<Inbox::Claim> claim_;
};

TEST_F(RemotePrefillBodies, AForgedOneIsRefusedByNameAndManyAreALie) {
  Delivery& delivery = claim_->delivery();
  ASSERT_TRUE(std::holds_alternative<cluster::AskPeer>(delivery.next({})));
  delivery.on_reply(PrefillReply{.first_piece = std::chrono::minutes(1)});
  kv::Chunk forged = first_chunk();
  ++forged.header.tokens[2];
  kv::Chunk other = first_chunk();
  other.header.layout = {.digest = blake2b(as_byte_span("another layout"))};
  other.header.parent = model::root_key(other.header.layout);
  const auto refusals_max = cluster::DecodeRunParameters{}.refusals_max;
  for (std::uint32_t i = 0; i < refusals_max; ++i) {
    const auto answer = peer_.put(use_, i % 2 == 0 ? forged : other, {});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(*answer, i % 2 == 0 ? kv::Refusal::forged_key : kv::Refusal::foreign_layout);
  }
  EXPECT_EQ(machine_.agent().counts().refused_chunks, refusals_max);
  EXPECT_EQ(delivery.statistics().staged_bytes, 0u);
  ASSERT_TRUE(std::holds_alternative<cluster::CancelPeer>(delivery.next({})));
  const auto action = delivery.next({});
  ASSERT_TRUE(std::holds_alternative<cluster::DecodeRunOver>(action));
  EXPECT_TRUE(std::get<cluster::DecodeRunOver>(action).peer_lied);
}

TEST_F(RemotePrefillBodies, WhatIsNoChunkIsRefusedAndCounted) {
  const std::string text(2'000, 'x');
  const auto reply = peer_http_.send(
      {.method = "PUT", .address = machine_.address(), .target = "/v1/hand-offs/chunks/" + first_.hex(),
       .headers = {{std::string(ticket_header), ticket_use_text(use_)}}, .body = {as_byte_span(text)}},
      Deadline::after(std::chrono::seconds(20)), {});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_GE(reply->status, 400);
  EXPECT_EQ(machine_.agent().counts().refused_chunks, 1u);
  EXPECT_EQ(claim_->delivery().statistics().staged_bytes, 0u);
  EXPECT_EQ(peer_.put(use_, first_chunk(), {}).value(), std::nullopt) << "the right one is still welcome";
}

TEST_F(RemotePrefillBodies, AChainThatIsTooLongIsRefused) {
  const PrefillCall call{.ticket = {.id = {.high = 9, .low = 9}, .issuer = "peer", .issuer_incarnation = 1, .attempt = 1,
                                    .layout = layout_, .token_count = 300, .lease = std::chrono::minutes(1)},
                         .deliver_to = machine_.address().text(), .chunk_tokens = 256,
                         .stored = std::vector<kv::ChunkKey>(kv::transfer_chunks_max - 1, first_), .from = 255};
  const auto reply = peer_.prefill(call, tokens_, Deadline::after(std::chrono::seconds(20)), {});
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("65535 stored chunks and 2 new ones"), std::string::npos) << reply.error().message;
}

TEST_F(RemotePrefillBodies, ACallerOfAnotherProtocolIsToldBothVersions) {
  const PrefillCall call{.protocol = agent_protocol_version + 1, .hearth_version = "9.9", .ticket = {},
                         .deliver_to = "", .stored = {}};
  const auto reply = peer_.prefill(call, tokens_, Deadline::after(std::chrono::seconds(20)), {});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::unsupported);
  const std::string told = fmt::format("cannot be paired: protocol: {} on decode (Hearth test) against {} on peer "
                                       "(Hearth 9.9); update Hearth on decode",
                                       agent_protocol_version, call.protocol);
  EXPECT_NE(reply.error().message.find(told), std::string::npos) << reply.error().message;
}

TEST_F(RemotePrefillBodies, TheTicketComesBeforeTheBodyAndACutBodyGivesItsRoomBack) {
  cluster::TicketUse unknown = use_;
  ++unknown.id.low;
  const auto begin_put = [&](const cluster::TicketUse& use, std::string_view body) {
    auto stream = net::connect_stream(machine_.address(), Deadline::after(std::chrono::seconds(20)), {}).value();
    const std::string text = fmt::format(
        "PUT /v1/hand-offs/chunks/{} HTTP/1.1\r\nHost: h\r\nX-Test-Machine: peer\r\n{}: {}\r\n"
        "Content-Length: 100000\r\n\r\n{}", first_.hex(), ticket_header, ticket_use_text(use), body);
    EXPECT_TRUE(stream->write_all(as_byte_span(text), Deadline::after(std::chrono::seconds(20)), {}));
    return stream;
  };
  const auto staged = [&] { return claim_->delivery().statistics().staged_bytes; };
  const Deadline enough = Deadline::after(std::chrono::seconds(20));

  const auto refused = begin_put(unknown, "");
  std::array<std::byte, 12> status;
  ASSERT_TRUE(refused->read_some(status, enough, {}));
  EXPECT_EQ(as_text(status), "HTTP/1.1 404");

  auto cut = begin_put(use_, "half a chunk");
  while (staged() == 0 && !enough.passed()) std::this_thread::yield();
  EXPECT_EQ(staged(), 100'000u);
  cut->close();
  while (staged() > 0 && !enough.passed()) std::this_thread::yield();
  EXPECT_EQ(staged(), 0u);
}

TEST_F(RemotePrefillBodies, OnlySoManyPromptsAreReceivedAtTheSameTime) {
  const Deadline enough = Deadline::after(std::chrono::seconds(20));
  const auto begin_prompt = [&] {
    auto stream = net::connect_stream(machine_.address(), enough, {}).value();
    const std::string head = "POST /v1/prefills HTTP/1.1\r\nHost: h\r\nX-Test-Machine: peer\r\nContent-Length: 60000000\r\n\r\n";
    EXPECT_TRUE(stream->write_all(as_byte_span(head), enough, {}));
    return stream;
  };
  std::vector<std::unique_ptr<net::Stream>> coming;
  std::string answer;
  // One that finds a place waits for its body and hears nothing.
  while (answer.empty() && coming.size() < 10) {
    coming.push_back(begin_prompt());
    std::array<std::byte, 400> bytes;
    const bool finds_a_place = coming.size() <= 4;
    const auto read = coming.back()->read_some(
        bytes, finds_a_place ? Deadline::after(std::chrono::milliseconds(300)) : enough, {});
    if (read) answer = as_text(ByteSpan(bytes).first(*read));
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
  EXPECT_GE(coming.size(), 5u);
}

// What becomes of a chunk on its way into the decoding worker is told to the hand-off that brought it.
class TellsWhatBecameOfIt : public ::testing::Test {
 protected:
  TellsWhatBecameOfIt() : pair_({}), prompt_(text_tokens(pair_.decode, 1250)) {
    source_ = PeerPrefiller(parts())
                  .open({.target = prompt_, .layout = *pair_.decode.model().keeper().current()->info.layout(),
                         .stored = {}}, {})
                  .value();
    EXPECT_NE(source_->next(Deadline::never()).value(), nullptr);
  }
  PeerPrefillParts parts() {
    return {.peer = PeerClient(pair_.decode.http(), pair_.prefill.as_peer()),
            .inbox = pair_.decode.inbox(),
            .deliver_to = pair_.decode.address().text(),
            .parameters = {.chunk_tokens = 256},
            .on_over = [this](const cluster::DecodeRunOver& over) { over_ = over; }};
  }
  Pair pair_;
  const std::vector<Token> prompt_;
  std::optional<cluster::DecodeRunOver> over_;
  std::unique_ptr<ChunkSource> source_;
};

TEST_F(TellsWhatBecameOfIt, ARefusedChunkEndsTheHandOffAndThePeersWork) {
  source_->on_import_refused({Code::invalid_argument, "the numbers make no sense"});
  EXPECT_FALSE(source_->next(Deadline::never()));
  ASSERT_TRUE(over_);
  EXPECT_EQ(over_->kind, cluster::DecodeRunOver::Kind::compute_rest);
  EXPECT_NE(over_->reason.find("the numbers make no sense"), std::string::npos) << over_->reason;
  EXPECT_EQ(over_->committed_tokens, 0u);
}

TEST_F(TellsWhatBecameOfIt, ALostWorkerIsNotThePeersFault) {
  source_->on_imported();
  EXPECT_NE(source_->next(Deadline::never()).value(), nullptr);
  source_->on_worker_lost({Code::unavailable, "it was killed"});
  EXPECT_FALSE(source_->next(Deadline::never()));
  ASSERT_TRUE(over_);
  EXPECT_EQ(over_->kind, cluster::DecodeRunOver::Kind::worker_lost);
  EXPECT_EQ(over_->committed_tokens, 256u);
}

TEST_F(TellsWhatBecameOfIt, NothingElseIsGivenOutBeforeItIsTold) {
  std::atomic<bool> was_told = false;
  Thread importer("importer", [&] {
    was_told = true;
    source_->on_imported();
  });
  EXPECT_NE(source_->next(Deadline::never()).value(), nullptr);
  EXPECT_TRUE(was_told);
}

TEST(RemotePrefillTurns, OnlyWhatIsNewCrossesTheLink) {
  Pair pair({});
  auto prompt = text_tokens(pair.decode, 1500);
  const std::vector<Token> first(prompt.begin(), prompt.begin() + 750);
  answer(pair.decode, first);
  const std::uint64_t first_bytes = pair.meddler.transfer_bytes;
  answer(pair.decode, prompt);
  const std::uint64_t second_bytes = pair.meddler.transfer_bytes - first_bytes;
  // 749 tokens, then 1,499 of which 512 at least were there in whole chunks.
  EXPECT_LT(second_bytes, first_bytes * 1000 / 749);
}

TEST(RemotePrefillTurns, AFreshPrefillMachineFetchesThePrefixInsteadOfComputingIt) {
  Pair pair({});
  const auto prompt = text_tokens(pair.decode, 1500);
  pair.decode.model().set_prefiller(nullptr);
  answer(pair.decode, {prompt.begin(), prompt.begin() + 1024});
  ASSERT_TRUE(pair.decode.model().flush(Deadline::after(std::chrono::seconds(30))));
  pair.decode.model().set_prefiller(&pair.meddler);
  answer(pair.decode, prompt);
  const auto worker = pair.prefill.model().keeper().current();
  const auto stats = worker->client.stats(Deadline::after(std::chrono::seconds(10)), {}).value();
  EXPECT_LE(get<std::uint64_t>(stats, "prompt_tokens_computed").value(), 1500u - 3 * 256);
}

// What is shared stays where it is in the worker's memory; the rest comes to lie before it when the
// memory has been used once.
TEST(RemotePrefillTurns, PromptsThatBeginAlikeArriveInEveryOrderOfTheWorkersMemory) {
  Pair pair({.context_tokens = 2048});
  const auto text = text_tokens(pair.decode, 700);
  for (Token turn = 0; turn < 6; ++turn) {
    auto prompt = text;
    prompt[81] = turn;
    const std::uint32_t before = pair.meddler.chunks;
    answer(pair.decode, prompt);
    EXPECT_EQ(pair.meddler.chunks - before, 3u) << turn;
  }
}

TEST(RemotePrefillTrouble, ASourceOutlivesThePrefillerThatOpenedIt) {
  Pair pair({});
  const auto prompt = text_tokens(pair.decode, 750);
  int ends = 0;
  auto prefiller = std::make_unique<PeerPrefiller>(
      PeerPrefillParts{.peer = PeerClient(pair.decode.http(), pair.prefill.as_peer()),
                       .inbox = pair.decode.inbox(),
                       .deliver_to = pair.decode.address().text(),
                       .parameters = {.chunk_tokens = 256},
                       .on_over = [&](const cluster::DecodeRunOver&) { ++ends; }});
  const auto layout = *pair.decode.model().keeper().current()->info.layout();
  auto source = prefiller->open({.target = prompt, .layout = layout, .stored = {}}, {});
  ASSERT_TRUE(source) << source.error().message;
  prefiller.reset();
  std::uint32_t tokens = 0;
  while (const auto chunk = (*source)->next(Deadline::never()).value()) {
    tokens = chunk->header.range.end;
    (*source)->on_imported();
  }
  EXPECT_EQ(tokens, prompt.size());
  EXPECT_EQ(ends, 1);
}

TEST(RemotePrefillTrouble, AnAgentThatIsGoneIsNoticedBeforeItsSilenceIs) {
  Pair pair({});
  pair.meddler.after_chunk = [&](std::uint32_t chunks) {
    if (chunks != 1) return;
    pair.prefill.stop_listening();
    ::kill(pair.prefill.model().keeper().current()->pid, SIGSTOP);
  };
  const Instant began = std::chrono::steady_clock::now();
  const Answer split = answer(pair.decode, text_tokens(pair.decode, 1500));
  EXPECT_EQ(split.tokens.size(), answer_tokens);
  EXPECT_LT(seconds(std::chrono::steady_clock::now() - began), 20);  // its patience is 60 s
  ::kill(pair.prefill.model().keeper().current()->pid, SIGCONT);
}

TEST(RemotePrefillTrouble, ABusyPeerIsNotWaitedFor) {
  Machine::Options options;
  options.prefills_max = 0;
  Pair pair(options);
  const Answer got = answer(pair.decode, text_tokens(pair.decode, 750));
  EXPECT_EQ(got.tokens.size(), answer_tokens);
  EXPECT_EQ(pair.meddler.chunks, 0u);
}

TEST(RemotePrefillTrouble, APeerThatIsNotThereCostsLittle) {
  Pair pair({});
  pair.prefill.stop_listening();
  const Answer got = answer(pair.decode, text_tokens(pair.decode, 750));
  EXPECT_EQ(got.tokens.size(), answer_tokens);
}

TEST(RemotePrefillTrouble, AKilledPrefillWorkerCostsItsMissingWorkOnly) {
  Machine alone("alone", {});
  const auto prompt = text_tokens(alone, 1500);
  const Answer single = answer(alone, prompt);
  for (const std::uint32_t kill_after : {1u, 3u}) {
    SCOPED_TRACE(kill_after);
    Pair pair({});
    pair.meddler.after_chunk = [&](std::uint32_t chunks) {
      if (chunks == kill_after) ::kill(pair.prefill.model().keeper().current()->pid, SIGKILL);
    };
    const Answer split = answer(pair.decode, prompt);
    EXPECT_EQ(single.tokens, split.tokens);
    EXPECT_EQ(pair.decode.inbox().size(), 0u);
  }
}

TEST(RemotePrefillTrouble, ALostAgentCostsItsMissingWorkOnly) {
  Machine alone("alone", {});
  const auto prompt = text_tokens(alone, 1500);
  const Answer single = answer(alone, prompt);
  Pair pair({});
  pair.meddler.after_chunk = [&](std::uint32_t chunks) {
    if (chunks == 2) pair.prefill.stop_listening();
  };
  const Answer split = answer(pair.decode, prompt);
  EXPECT_EQ(single.tokens, split.tokens);
}

TEST(RemotePrefillTrouble, TheLinkToTheDecodingMachineIsCutAndComesBack) {
  Machine alone("alone", {});
  const auto prompt = text_tokens(alone, 1500);
  const Answer single = answer(alone, prompt);
  Pair pair({});
  const std::uint16_t port = pair.decode.address().port;
  pair.meddler.after_chunk = [&](std::uint32_t chunks) {
    if (chunks != 2) return;
    pair.decode.stop_listening();
    pair.decode.listen(port);
  };
  const Answer split = answer(pair.decode, prompt);
  EXPECT_EQ(single.tokens, split.tokens);
  EXPECT_EQ(pair.meddler.chunks, 6u);  // all of them came
}

TEST(RemotePrefillTrouble, LeavingCancelsThePeersWork) {
  Pair pair({});
  auto stream = pair.decode.model().generate(
      {.prompt = text_tokens(pair.decode, 8000), .tokens_max = 4, .sampling = {.temperature = 0}}, {});
  ASSERT_TRUE(stream);
  const auto prefills = [&] { return pair.prefill.agent().facts().value().prefills_running; };
  const Deadline started = Deadline::after(std::chrono::seconds(30));
  while (prefills() == 0 && !started.passed()) (void)(*stream)->next(Deadline::after(std::chrono::milliseconds(20)));
  stream->reset();
  const Deadline ended = Deadline::after(std::chrono::seconds(5));
  while (prefills() > 0 && !ended.passed()) std::this_thread::yield();
  EXPECT_EQ(prefills(), 0u);
  EXPECT_EQ(pair.decode.inbox().size(), 0u);
}

TEST(Pairing, NamesTheFieldThatDiffers) {
  Machine f16("a", {.kv_type = "f16"});
  Machine q8("b", {.kv_type = "q8_0"});
  Machine other_cut("c", {.chunk_tokens = 512});
  const auto refusal = [](Machine& a, Machine& b) {
    return pairing_refusal(a.agent().facts().value(), b.agent().facts().value());
  };
  EXPECT_FALSE(refusal(f16, f16));
  EXPECT_EQ(refusal(f16, q8), "k_type: f16 against q8_0");
  EXPECT_EQ(refusal(f16, other_cut), "chunk_tokens: 256 here against 512 there");
}

}  // namespace
}  // namespace hearth::node
