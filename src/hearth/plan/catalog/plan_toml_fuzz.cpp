// Cluster files, catalogue files and workload texts come from people and programs: whatever they
// hold, the answer is a value or an error.

#include <cstdint>
#include <string_view>

#include "hearth/plan/catalog/load.h"
#include "hearth/plan/cluster.h"
#include "hearth/plan/prediction.h"
#include "hearth/plan/workload.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::plan;
  static const Catalog shipped = *load_shipped();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const CatalogFile file{"fuzz.toml", text};
  static_cast<void>(load_catalog(std::span(&file, 1)));
  static_cast<void>(parse_cluster(shipped, text, "fuzz.toml"));
  static_cast<void>(parse_workload(text));
  static const ClusterSpec reference = *resolve_cluster(shipped, *shipped.cluster("reference"));
  static_cast<void>(parse_prediction(text, reference));
  return 0;
}
