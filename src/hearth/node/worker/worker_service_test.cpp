// The worker's interface over the scripted engine, from client to engine without sockets.

#include "hearth/node/worker/worker_service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "hearth/base/file.h"
#include "hearth/kv/chunk_file.h"
#include "hearth/net/http_client_twins.h"
#include "hearth/node/worker/worker_client.h"
#include "tests/support/scripted_engine.h"

namespace hearth::node {
namespace {

constexpr engine::EngineLimits limits{.context_tokens = 4096, .batch_tokens = 256,
                                      .ubatch_tokens = 128, .sequences = 2, .vocabulary = 1000,
                                      .score_rows = 100};
constexpr std::uint32_t chunk_tokens = 256;
constexpr std::uint32_t chunk_count = 7;
constexpr Token end_token = 995;  // beyond what answers to the prompt below reach

std::unique_ptr<testing::ScriptedEngine> scripted_engine() {
  auto out = std::make_unique<testing::ScriptedEngine>(limits);
  out->end_token = end_token;
  return out;
}

WorkerInfo info_of() {
  WorkerInfo info;
  info.engine_build = "scripted";
  info.backend = "CPU";
  info.limits = limits;
  info.chunk_tokens = chunk_tokens;
  info.identity.emplace();
  return info;
}

class WorkerServiceTest : public ::testing::Test {
 protected:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

  WorkerServiceTest() : prompt_(chunk_count * chunk_tokens + 1) {
    std::iota(prompt_.begin(), prompt_.end(), 0);
    for (Token& token : prompt_) token %= 1000;
    model::ChunkKey parent = model::root_key(layout_);
    for (std::uint32_t i = 0; i < chunk_count; ++i) parent = write_chunk(i, parent);
  }

  // Its payload is what the scripted engine takes for KV: the tokens.
  model::ChunkKey write_chunk(std::uint32_t index, model::ChunkKey parent) {
    const std::span<const Token> part = std::span(prompt_).subspan(index * chunk_tokens, chunk_tokens);
    kv::ChunkOrigin origin{.layout = layout_, .parent = parent, .begin = index * chunk_tokens,
                           .tokens = {part.begin(), part.end()}, .provenance = {"b1", "CPU", "test", 1}};
    Buffer payload = Buffer::create(part.size_bytes()).value();
    std::memcpy(payload.data(), part.data(), part.size_bytes());
    const kv::Chunk chunk = kv::make_chunk(std::move(origin), std::move(payload)).value();
    files_.push_back({directory_.path() / std::to_string(index), chunk.header.key});
    EXPECT_TRUE(kv::write_chunk_file(*real_file_system(), files_.back().path, chunk,
                                     Durability::survives_process));
    return chunk.header.key;
  }

  engine::LeaseId open_lease() {
    return client_.open_lease(prompt_, std::chrono::seconds(60), soon(), {}).value().lease;
  }

  const WorkerInfo info_ = info_of();
  const model::LayoutDigest layout_ = *info_.layout();
  TemporaryDirectory directory_ = TemporaryDirectory::create("hearth-worker-test").value();
  std::vector<Token> prompt_;
  std::vector<ChunkFile> files_;
  engine::EngineThread engine_{scripted_engine(), {.chunk_tokens = chunk_tokens}};
  WorkerService service_{engine_, info_, "test"};
  net::Router router_ = service_.routes();
  std::unique_ptr<net::HttpClient> http_ = net::make_router_client(router_);
  WorkerClient client_{*http_, net::Address{}};
};

TEST_F(WorkerServiceTest, ImportsAListOfFilesAndAnswersFromThem) {
  const engine::LeaseId lease = open_lease();
  const FilesImported imported = client_.import_files(lease, files_, soon(), {}).value();
  EXPECT_EQ(imported.count, chunk_count);
  EXPECT_FALSE(imported.error) << imported.error->message;
  const auto generation = client_.generate({.prompt = prompt_, .tokens_max = 2, .sampling = {},
                                            .stop_strings = {}, .lease = lease}, soon(), {}).value();
  std::vector<Token> answer;
  while (true) {
    const engine::JobEvent event = generation->next(soon()).value();
    if (const auto* done = std::get_if<engine::PromptDone>(&event)) {
      EXPECT_EQ(done->reused_tokens, chunk_count * chunk_tokens);
    }
    if (const auto* token = std::get_if<engine::TokenDone>(&event)) answer.push_back(token->token);
    if (std::holds_alternative<engine::Finished>(event)) break;
  }
  const Token next = (prompt_.back() + 1) % 1000;
  EXPECT_EQ(answer, (std::vector<Token>{next, next + 1}));
}

TEST_F(WorkerServiceTest, NoLeaseIsOpenedForWhoHasLeft) {
  StopSource left;
  left.request_stop();
  const std::string head = prompt_head(Json::object({{"keep_ms", 60'000}}));
  net::Request request{.method = "POST", .path = "/v1/leases", .query = {}, .headers = {},
                       .body = Buffer::create(head.size() + std::span(prompt_).size_bytes()).value(),
                       .stop = left.token()};
  request.headers.set("Content-Type", prompt_type);
  std::memcpy(request.body.data(), head.data(), head.size());
  std::memcpy(request.body.data() + head.size(), prompt_.data(), std::span(prompt_).size_bytes());
  EXPECT_NE(router_.dispatch(request).status, 200);
  EXPECT_EQ(client_.stats(soon(), {})->find("slots_leased")->as_integer(), 0);
  open_lease();
  EXPECT_EQ(client_.stats(soon(), {})->find("slots_leased")->as_integer(), 1);
}

TEST_F(WorkerServiceTest, AMeasurementGoesOnPastTheEnd) {
  for (const bool ignore_eos : {false, true}) {
    const auto generation = client_.generate({.prompt = {end_token - 1}, .tokens_max = 2, .sampling = {},
                                              .stop_strings = {}, .ignore_eos = ignore_eos}, soon(), {}).value();
    std::vector<Token> answer;
    while (true) {
      const engine::JobEvent event = generation->next(soon()).value();
      if (const auto* token = std::get_if<engine::TokenDone>(&event)) answer.push_back(token->token);
      if (std::holds_alternative<engine::Finished>(event)) break;
    }
    EXPECT_EQ(answer, ignore_eos ? (std::vector<Token>{end_token, end_token + 1}) : std::vector<Token>{});
  }
}

// The proof of the state's layout failed when the model was loaded.
TEST_F(WorkerServiceTest, WithoutAProvenLayoutItAnswersAndNoKvLeavesOrEnters) {
  WorkerInfo info = info_;
  info.identity.reset();
  info.kv_refusal = "cell 3 is not where it should be";
  WorkerService service(engine_, info, "test");
  net::Router router = service.routes();
  const auto http = net::make_router_client(router);
  const WorkerClient client(*http, net::Address{});

  const engine::LeaseId lease = client.open_lease(prompt_, std::chrono::seconds(60), soon(), {}).value().lease;
  const auto chunk = kv::read_chunk_file(files_[0].path, {}).value();
  const auto prefilled = client.prefill({.prompt = prompt_, .export_from = 0}, model::root_key(layout_), layout_, soon(), {});
  const Result<> refusals[] = {
      client.import_chunk(lease, chunk, soon(), {}),
      prefilled ? Result<>() : Result<>(std::unexpected(prefilled.error())),
  };
  for (const Result<>& refusal : refusals) {
    ASSERT_FALSE(refusal);
    EXPECT_EQ(refusal.error().code, Code::unsupported);
    EXPECT_NE(refusal.error().message.find("cell 3 is not where it should be"), std::string::npos) << refusal.error().message;
  }
  const auto files = client.import_files(lease, files_, soon(), {});
  EXPECT_FALSE(files && !files->error);

  const auto generation = client.generate({.prompt = {1, 2, 3}, .tokens_max = 1, .sampling = {}, .stop_strings = {}}, soon(), {}).value();
  bool has_token = false;
  for (bool is_over = false; !is_over;) {
    const engine::JobEvent event = generation->next(soon()).value();
    has_token = has_token || std::holds_alternative<engine::TokenDone>(event);
    is_over = std::holds_alternative<engine::Finished>(event);
  }
  EXPECT_TRUE(has_token);
}

TEST_F(WorkerServiceTest, StopsAtTheFirstFileThatCannotBeUsed) {
  Bytes bytes = read_file(files_[3].path, 1 << 20).value();
  bytes.back() ^= std::byte{1};
  const ByteSpan whole = bytes;
  ASSERT_TRUE(real_file_system()->write_atomically(files_[3].path, std::span(&whole, 1),
                                                   Durability::survives_process));
  const engine::LeaseId lease = open_lease();
  const FilesImported imported = client_.import_files(lease, files_, soon(), {}).value();
  EXPECT_EQ(imported.count, 3u);
  ASSERT_TRUE(imported.error);
  EXPECT_EQ(imported.error->code, Code::corrupt);
  // What came before is there; the rest may follow from elsewhere.
  EXPECT_EQ(client_.stats(soon(), {})->find("tokens_held")->as_integer(), 3 * chunk_tokens);
}

TEST_F(WorkerServiceTest, TellsWhichOfTwoFaultsCameFirst) {
  std::filesystem::remove(files_[4].path);
  const std::span<const ChunkFile> with_gap = std::span(files_).subspan(1);  // the engine refuses it
  const FilesImported imported = client_.import_files(open_lease(), with_gap, soon(), {}).value();
  EXPECT_EQ(imported.count, 0u);
  ASSERT_TRUE(imported.error);
  EXPECT_EQ(imported.error->code, Code::invalid_argument);
  const FilesImported unknown = client_.import_files({99}, files_, soon(), {}).value();
  EXPECT_EQ(unknown.count, 0u);
  EXPECT_EQ(unknown.error->code, Code::not_found);
}

TEST_F(WorkerServiceTest, ImportsNothingFromAnEmptyList) {
  const FilesImported imported = client_.import_files(open_lease(), {}, soon(), {}).value();
  EXPECT_EQ(imported.count, 0u);
  EXPECT_FALSE(imported.error);
}

TEST_F(WorkerServiceTest, ScoresATextRowByRow) {
  const engine::ScoreRequest request{.tokens = prompt_, .from = 700};
  const auto rows = client_.score(request, limits.vocabulary, soon(), {}).value();
  for (std::size_t i = request.from; i < prompt_.size(); ++i) {
    const auto row = rows->next(soon()).value();
    ASSERT_EQ(row.size(), limits.vocabulary);
    EXPECT_EQ(std::ranges::max_element(row) - row.begin(), prompt_[i]);
  }
  EXPECT_TRUE(rows->next(soon())->empty());
}

TEST_F(WorkerServiceTest, RefusesToScoreNothing) {
  const auto refused = client_.score({.tokens = prompt_, .from = 0}, limits.vocabulary, soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace hearth::node
