// The planner's memory model against what the engine says that it allocated: real workers, the
// synthetic models, contexts, streams, passes and KV types.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "hearth/model/shards.h"
#include "hearth/node/local_run.h"
#include "hearth/plan/catalog/load.h"
#include "hearth/plan/cost/shape_card.h"
#include "hearth/plan/memory.h"
#include "tests/support/local_models.h"

namespace hearth {
namespace {

constexpr double exact = 0.005;       // sizes that follow from the file
constexpr double tolerance = 0.05;    // of everything together
// ggml's AMX tiles carry a 4-byte compensation with each 34-byte block of Q8_0.
constexpr double amx_growth = 4.0 / 34;
constexpr double graph_tolerance = 0.10;  // of compute buffers of a few MB: how the engine packs them

struct Case {
  std::uint32_t context_tokens;  // per stream
  std::uint32_t streams;
  std::uint32_t ubatch;
  const char* kv_type;
};

class MemoryModel : public ::testing::TestWithParam<const char*> {};

plan::ModelCard card_of(const std::filesystem::path& path) {
  const auto catalog = plan::load_shipped();
  const auto files = model::load_model_files(path);
  EXPECT_TRUE(catalog && files);
  const auto card = plan::card_of_shape(*model::read_shape(*files), *catalog, "test");
  EXPECT_TRUE(card) << card.error().message;
  return *card;
}

Result<engine::BufferSizes> allocated(const std::string& architecture, const Case& c) {
  node::LocalRunOptions options = testing::local_run_options(architecture, c.kv_type);
  options.worker.context_tokens = c.context_tokens * c.streams;
  options.worker.sequences = c.streams;
  options.worker.ubatch_tokens = c.ubatch;
  options.worker.chunk_tokens = std::max(1024U, c.ubatch);
  const auto run = TRY(node::LocalRun::start(options, {}, {}));
  return run->info().buffers;
}

// Models with MLA stay out of AMX buffers (llama_load.cpp).
bool weights_are_packed_for_amx(const plan::ModelCard& card) {
  std::ifstream file("/proc/cpuinfo");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return text.find("amx_int8") != text.npos && card.attention_width == 0;
}

// Some matrices are packed and others are not, so the bytes lie between none of them and all.
void expect_packed(double predicted, std::uint64_t real, const std::string& where) {
  const double bytes = static_cast<double>(real);
  EXPECT_GE(bytes, predicted * (1 - exact)) << where;
  EXPECT_LE(bytes, predicted * (1 + amx_growth + exact)) << where;
}

void expect_near(const char* what, double predicted, std::uint64_t real, double share,
                 const std::string& where) {
  const double bytes = static_cast<double>(real);
  std::printf("%-40s %-8s predicted %12.0f allocated %12.0f %+6.2f %%\n", where.c_str(), what,
              predicted, bytes, 100 * (predicted / bytes - 1));
  EXPECT_NEAR(predicted, bytes, share * bytes) << what << " of " << where;
}

TEST_P(MemoryModel, IsWithinFivePercentOfTheEngine) {
  const std::string architecture = GetParam();
  const plan::ModelCard card = card_of(testing::tiny_model(architecture));
  const bool packed = weights_are_packed_for_amx(card);
  for (const Case& c : {Case{4096, 1, 512, "f16"}, Case{16384, 1, 512, "f16"},
                        Case{16384, 1, 2048, "f16"}, Case{8192, 4, 512, "f16"},
                        Case{4096, 1, 512, "q8_0"}, Case{32768, 2, 1024, "q8_0"}}) {
    const std::string where = fmt::format("{} {}x{} ubatch {} {}", architecture, c.context_tokens,
                                          c.streams, c.ubatch, c.kv_type);
    const auto real = allocated(architecture, c);
    ASSERT_TRUE(real) << where << ": " << real.error().message;
    const bool f16 = std::string_view(c.kv_type) == "f16";
    const plan::MemoryUse use =
        plan::memory_use(card, card.layers,
                         {.context_tokens = c.context_tokens,
                          .streams = c.streams,
                          .ubatch = c.ubatch,
                          .kv = f16 ? plan::KvType::f16 : plan::KvType::q8_0,
                          .leads = true,
                          .hands_off = false});
    if (packed) {
      expect_packed(use.weights_bytes, real->weights_bytes, where);
    } else {
      expect_near("weights", use.weights_bytes, real->weights_bytes, exact, where);
    }
    expect_near("KV", use.kv_bytes, real->kv_bytes, exact, where);
    expect_near("compute", use.compute_bytes, real->compute_bytes, graph_tolerance, where);
    expect_near("all", use.total_bytes(),
                real->weights_bytes + real->kv_bytes + real->compute_bytes + real->output_bytes,
                tolerance, where);
  }
}

INSTANTIATE_TEST_SUITE_P(Synthetic, MemoryModel, ::testing::Values("kimi", "qwen3moe", "llama"),
                         [](const auto& architecture) { return std::string(architecture.param); });

}  // namespace
}  // namespace hearth
