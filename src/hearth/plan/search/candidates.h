#pragma once
// One way to run the model, found feasible and timed. Internal to plan/.

#include <optional>
#include <variant>
#include <vector>

#include "hearth/plan/plan.h"
#include "hearth/plan/search/pools.h"

namespace hearth::plan {

// Where prefill and decode happen. One pool for both when `prefill` is empty.
struct Layout {
  Family family = Family::alone;
  Pool decode{};
  Pool prefill{};
  KvType kv = KvType::f16;
  std::uint32_t ubatch = 512;
  double streamed_bytes_per_s =
      0;                      // of prefill weights that storage delivers, all machines together
  double streamed_bytes = 0;  // per pass
  bool streams_over_wires = false;  // some of it comes from the machine that decodes
  const ModelCard* prefill_card = nullptr;  // another quantisation; null: the same
};

// Memory per node of all contexts of the layout: `streams` of them, of `context_tokens` each.
std::vector<MemoryUse> memory_of(const Scene& scene, const Layout& layout, std::uint64_t context_tokens,
                                 std::uint32_t streams);
// Whether every machine holds what the layout puts on it.
bool fits(const Scene& scene, const Layout& layout, std::uint64_t context_tokens, std::uint32_t streams);
// The largest context of each of the workload's streams, and the most streams of the workload's context,
// that fit.
std::uint64_t max_context_of(const Scene& scene, const Layout& layout);
std::uint32_t max_streams_of(const Scene& scene, const Layout& layout);

struct Timing {
  Duration prefill{};  // of the new tokens
  Duration first{};  // all until the first token: queue, prefill, tail of the hand-off, first step
  Duration step{};   // one decode step of all streams
  double turn_s = 0;
};
// Nothing when a rate is unknown. `prefill_scene` holds the other quantisation, or is `scene`.
std::optional<Timing> time_of(const Scene& scene, const Scene& prefill_scene, const Layout& layout,
                              double depth, double new_tokens);

// Fills in everything a Plan shows.
Plan make_plan(const Scene& scene, const Scene& prefill_scene, const Layout& layout,
               bool with_curve);

}  // namespace hearth::plan
