// First byte: which parser. Rest: any text, as experiment.toml, a ledger, or a condition.
#include <string_view>

#include "hearth/base/check.h"
#include "hearth/experiment/ledger.h"
#include "hearth/experiment/progress.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::experiment;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  static const auto spec = read_spec("name = \"e\"\nquestion = \"?\"\n[[phase]]\nname = \"p\"\n[[phase.step]]\nname = \"s\"\ncommand = [\"c\"]\n", "e");
  CHECK(spec.has_value());
  if (data[0] % 3 == 0) {
    const auto read = read_spec(text, "e.toml");
    CHECK(!read || !read->phases.empty());
  } else if (data[0] % 3 == 1) {
    const auto ledger = read_ledger(text, "ledger");
    if (ledger) {
      CHECK(ledger->whole_bytes <= text.size());
      (void)next_action(*spec, replay(*spec, ledger->events));
    }
  } else if (const auto condition = Condition::parse(text)) {
    const hearth::Json result = hearth::Json::object({{"x", 1}});
    (void)judge(*condition, [&](std::string_view) { return &result; });
  }
  return 0;
}
