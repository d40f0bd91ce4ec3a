// Adapter sets in the worker's interface: a chunk's layout says whose KV it is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hearth/base/file.h"
#include "hearth/kv/chunk_file.h"
#include "hearth/net/http_client_twins.h"
#include "hearth/node/worker/worker_client.h"
#include "hearth/node/worker/worker_service.h"
#include "tests/support/scripted_engine.h"

namespace hearth::node {
namespace {

using ::testing::HasSubstr;

constexpr engine::EngineLimits limits{.context_tokens = 4096, .batch_tokens = 256, .ubatch_tokens = 128,
                                      .sequences = 2, .vocabulary = 1000, .adapter_sets = 2};
constexpr std::uint32_t chunk_tokens = 64;

WorkerInfo info_of() {
  WorkerInfo info;
  info.engine_build = "scripted";
  info.limits = limits;
  info.chunk_tokens = chunk_tokens;
  info.identity.emplace();
  info.adapter_sets = {{"set 1", {{blake2b(as_byte_span("one")), 1.0}}}, {"set 2", {{blake2b(as_byte_span("one")), 0.5}}}};
  return info;
}

class WorkerAdapters : public ::testing::Test {
 protected:
  static Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

  kv::SharedChunk chunk_of(std::string_view adapter) const {
    const model::LayoutDigest layout = *info_.layout(adapter);
    const std::span<const Token> part = std::span(prompt_).first(chunk_tokens);
    kv::ChunkOrigin origin{.layout = layout, .parent = model::root_key(layout), .begin = 0,
                           .tokens = {part.begin(), part.end()}, .provenance = {"b1", "CPU", "test", 1}};
    Buffer payload = Buffer::create(part.size_bytes()).value();
    std::memcpy(payload.data(), part.data(), part.size_bytes());
    return std::make_shared<const kv::Chunk>(kv::make_chunk(std::move(origin), std::move(payload)).value());
  }
  engine::LeaseId open_lease(std::string_view adapter) {
    return client_.open_lease(prompt_, std::chrono::seconds(60), soon(), {}, adapter).value().lease;
  }
  Token first_token(engine::GenerateRequest request) {
    const auto generation = client_.generate(std::move(request), soon(), {}).value();
    while (true) {
      const engine::JobEvent event = generation->next(soon()).value();
      if (const auto* token = std::get_if<engine::TokenDone>(&event)) return token->token;
    }
  }

  const WorkerInfo info_ = info_of();
  std::vector<Token> prompt_ = std::vector<Token>(100, 7);
  engine::EngineThread engine_{std::make_unique<testing::ScriptedEngine>(limits), {.chunk_tokens = chunk_tokens}};
  WorkerService service_{engine_, info_, "test"};
  net::Router router_ = service_.routes();
  std::unique_ptr<net::HttpClient> http_ = net::make_router_client(router_);
  WorkerClient client_{*http_, net::Address{}};
};

TEST_F(WorkerAdapters, EachSetHasALayoutOfItsOwn) {
  const auto bare = info_.layout();
  EXPECT_NE(info_.layout("set 1"), bare);
  EXPECT_NE(info_.layout("set 1"), info_.layout("set 2"));
  EXPECT_EQ(info_.layout("nobody"), std::nullopt);
  EXPECT_EQ(info_.adapter_of(*bare), "");
  EXPECT_EQ(info_.adapter_of(*info_.layout("set 2")), "set 2");
  EXPECT_EQ(info_.adapter_of(model::LayoutDigest{}), std::nullopt);
  EXPECT_EQ(model::named_adapters_from_json(info_json(info_)).value(), info_.adapter_sets);
}

TEST_F(WorkerAdapters, AnswersWithTheSetThatIsAskedFor) {
  EXPECT_EQ(first_token({.prompt = prompt_}), 8);
  EXPECT_EQ(first_token({.prompt = prompt_, .adapter = "set 2"}), 10);
  const auto refused = client_.generate({.prompt = prompt_, .adapter = "nobody"}, soon(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid_argument);
}

TEST_F(WorkerAdapters, ALeaseTakesChunksOfItsSetAlone) {
  for (const std::string lease_of : {"", "set 1", "set 2"}) {
    for (const std::string chunk_by : {"", "set 1", "set 2"}) {
      const engine::LeaseId lease = open_lease(lease_of);
      const auto imported = client_.import_chunk(lease, *chunk_of(chunk_by), soon(), {});
      EXPECT_EQ(imported.has_value(), lease_of == chunk_by) << lease_of << ", " << chunk_by;
      EXPECT_TRUE(client_.close_lease(lease));
    }
  }
}

TEST_F(WorkerAdapters, FilesOfAnotherSetAreRefusedToo) {
  const TemporaryDirectory directory = TemporaryDirectory::create("hearth-worker-adapters").value();
  const kv::SharedChunk chunk = chunk_of("set 1");
  const ChunkFile file{directory.path() / "chunk", chunk->header.key};
  ASSERT_TRUE(kv::write_chunk_file(*real_file_system(), file.path, *chunk, Durability::survives_process));
  const auto wrong = client_.import_files(open_lease("set 2"), std::span(&file, 1), soon(), {}).value();
  EXPECT_EQ(wrong.count, 0u);
  EXPECT_THAT(wrong.error->message, HasSubstr("other adapters"));
  EXPECT_EQ(client_.import_files(open_lease("set 1"), std::span(&file, 1), soon(), {})->count, 1u);
}

TEST_F(WorkerAdapters, PrefillAndExportGiveChunksOfTheSetsLayout) {
  const auto layout = *info_.layout("set 2");
  const auto prefilled = client_.prefill({.prompt = prompt_, .export_from = 0, .adapter = "set 2"}, model::root_key(layout),
                                         layout, soon(), {}).value();
  EXPECT_EQ((*prefilled->next(soon()))->header.layout, layout);
  while (*prefilled->next(soon())) {
  }
  const auto held = client_.export_held(prompt_, {.parent = model::root_key(layout), .layout = layout, .adapter = "set 2"},
                                        soon(), {}).value();
  EXPECT_EQ((*held->next(soon()))->header.layout, layout);
  const auto bare = *info_.layout();
  const auto nothing = client_.export_held(prompt_, {.parent = model::root_key(bare), .layout = bare}, soon(), {}).value();
  EXPECT_EQ(*nothing->next(soon()), nullptr) << "another set computed it";
}

}  // namespace
}  // namespace hearth::node
