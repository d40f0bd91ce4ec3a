#include "hearth/plan/catalog/load.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace hearth::plan {
namespace {

std::string machine_text(std::string_view extra) {
  return "[[machine]]\nkey = \"box\"\nbackend = \"cpu\"\nsource = \"here\"\nconfidence = "
         "\"source\"\n" +
         std::string(extra) + "\n";
}

Result<Catalog> load_text(std::string_view text) {
  const CatalogFile file{"mine.toml", text};
  return load_catalog(std::span(&file, 1));
}

TEST(ShippedCatalog, LoadsAndIsWhole) {
  const Result<Catalog> catalog = load_shipped();
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_GE(catalog->machines.size(), 14u);
  EXPECT_GE(catalog->measurements.size(), 248u);
  EXPECT_EQ(catalog->engines.size(), 9u);
  for (const Machine& machine : catalog->machines) EXPECT_FALSE(machine.origin.source.empty());
  for (const EngineEntry& engine : catalog->engines) {
    EXPECT_FALSE(engine.as_of.empty()) << engine.key;
    EXPECT_FALSE(engine.origin.source.empty()) << engine.key;
  }
}

TEST(ShippedCatalog, VariantsOfOneArchitectureShareItsShape) {
  const Catalog catalog = *load_shipped();
  const Model* k26 = catalog.model("kimi-k2.6");
  const Model* k27 = catalog.model("kimi-k2.7-code");
  ASSERT_TRUE(k26 && k27);
  EXPECT_EQ(k27->architecture, "kimi-k2.6");
  EXPECT_EQ(k27->layers, 61u);
  EXPECT_EQ(k27->kv_bytes_per_token_f16, k26->kv_bytes_per_token_f16);
  EXPECT_NE(k27->variants.front().name, k26->variants.front().name);
}

// The KV sizes and parameter counts of the file against each other and against first principles.
TEST(ShippedCatalog, ModelNumbersAgreeWithTheirDimensions) {
  const Catalog catalog = *load_shipped();
  for (const Model& model : catalog.models) {
    EXPECT_LE(model.active_params_prefill, model.active_params_decode) << model.key;
    if (model.routed_params > 0 && model.other_params > 0) {
      EXPECT_NEAR(model.routed_params + model.other_params, model.total_params,
                  0.001 * model.total_params)
          << model.key;
    }
    for (const Variant& variant : model.variants) {
      const double bits = 8.0 * static_cast<double>(variant.bytes) / model.total_params;
      EXPECT_GT(bits, 1.0) << model.key << " " << variant.name;
      EXPECT_LT(bits, 17.5) << model.key << " " << variant.name;
    }
  }
  const Model* kimi = catalog.model("kimi-k2.6");
  EXPECT_EQ(kimi->kv_bytes_per_token_f16, (512u + 64u) * 2u * 61u);
}

struct BadCase {
  std::string name;
  std::string text;
  std::string expected;  // a part of the message
};

TEST(LoadCatalog, NamesWhatIsWrongAndWhere) {
  const std::vector<BadCase> cases = {
      {"not toml", "[[machine]\n", "mine.toml:1:"},
      {"missing source", "[[machine]]\nkey = \"a\"\nbackend = \"cpu\"\nconfidence = \"source\"\n",
       "'source' is missing"},
      {"unknown key", machine_text("memory_byte = 1"), "unknown key 'memory_byte'"},
      {"megabytes", machine_text("memory_bytes = 131072"), "expected 1e+09"},
      {"negative", machine_text("memory_bandwidth_gb_s = -3"), "expected 1 to"},
      {"text for a number", machine_text("memory_bytes = \"128 GB\""), "expected a number"},
      {"contradiction",
       machine_text("memory_bytes = 2000000000\nusable_bytes_default = 3000000000"),
       "above memory_bytes"},
      {"doubled", machine_text("") + machine_text(""), "appears twice"},
      {"unknown confidence",
       "[[machine]]\nkey=\"a\"\nbackend=\"cpu\"\nsource=\"x\"\nconfidence=\"sure\"\n",
       "expected own"},
      {"wrong table", "[[machines]]\nkey=\"a\"\n", "unknown key 'machines'"},
      {"line number", "\n\n" + machine_text("memory_bytes = 5"), "mine.toml:3"},
      {"a row of nothing",
       "[[measurement]]\nid=\"r\"\nhardware=\"box\"\nmodel=\"m\"\nengine=\"e\"\nsource=\"s\"\n"
       "confidence=\"own\"\n",
       "needs prefill_tok_s or decode_tok_s"},
      {"a cluster without its machine",
       "[[cluster]]\nkey=\"c\"\nsource=\"s\"\nconfidence=\"own\"\n[[cluster.member]]\nname=\"a\"\n"
       "machine=\"nothing\"\n",
       "no machine 'nothing'"},
  };
  for (const BadCase& bad : cases) {
    const Result<Catalog> result = load_text(bad.text);
    ASSERT_FALSE(result) << bad.name;
    EXPECT_EQ(result.error().code, Code::invalid_argument) << bad.name;
    EXPECT_NE(result.error().message.find(bad.expected), std::string::npos)
        << bad.name << ": " << result.error().message;
  }
}

TEST(LoadCatalog, AUserFileReplacesAndAdds) {
  const std::string text =
      "[[machine]]\nkey = \"dgx-spark\"\nchip = \"gb10\"\nbackend = \"cuda\"\nsource = \"my "
      "desk\"\n"
      "confidence = \"own\"\nplanning_bytes = 100000000000\n" +
      machine_text("memory_bytes = 16000000000");
  const CatalogFile file{"mine.toml", text};
  const Result<Catalog> catalog = load_shipped(std::span(&file, 1));
  ASSERT_TRUE(catalog) << catalog.error().message;
  EXPECT_EQ(catalog->machine("dgx-spark")->planning_bytes, 100000000000u);
  EXPECT_FALSE(catalog->machine("dgx-spark")->storage_read_gb_s);  // replaced whole
  EXPECT_TRUE(catalog->machine("box"));
}

TEST(LoadCatalog, AUserVariantJoinsTheShippedOnes) {
  const std::string text =
      "[[model]]\nkey = \"kimi-k2.6\"\nsame_architecture_as = \"kimi-k2.6\"\nsource = \"s\"\n"
      "confidence = \"own\"\n[[model.variant]]\nname = \"mine\"\nformat = \"gguf\"\n"
      "bytes = 200000000000\nsource = \"s\"\nconfidence = \"own\"\n";
  const CatalogFile file{"mine.toml", text};
  const Result<Catalog> catalog = load_shipped(std::span(&file, 1));
  ASSERT_TRUE(catalog) << catalog.error().message;
  const Model* kimi = catalog->model("kimi-k2.6");
  EXPECT_EQ(kimi->variants.front().name, "mine");
  EXPECT_GT(kimi->variants.size(), 5u);
  EXPECT_EQ(kimi->layers, 61u);
}

}  // namespace
}  // namespace hearth::plan
