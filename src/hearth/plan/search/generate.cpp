#include "hearth/plan/search/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>

#include "hearth/plan/search/rejections.h"

namespace hearth::plan {
namespace {

constexpr std::array<std::uint32_t, 4> ubatch_choices = {512, 1024, 2048, 4096};
constexpr std::array<std::uint32_t, 5> streamed_ubatch_choices = {4096, 8192, 16384, 32768, 65536};
constexpr std::uint32_t decode_ubatch = 512;
// Pools that go on into combinations of two, best first; beyond six machines there are too many.
constexpr std::size_t combined_pools_max = 16;
constexpr std::array<KvType, 2> kv_choices = {KvType::f16, KvType::q8_0};

class Generator {
 public:
  Generator(const Scene& scene, const std::vector<CopyScene>& copies, const Options& options)
      : scene_(scene), copies_(copies), options_(options), choices_(pool_choices(scene)) {}

  Generated run() {
    for (const KvType kv : kv_choices) {
      if (options_.kv_type && kv != *options_.kv_type) continue;
      unified(kv);
      const std::vector<Pool> decoders =
          options_.unified_only ? std::vector<Pool>{} : decode_pools(kv);
      for (const Pool& decode : decoders) {
        splits(decode, kv);
        gathered(decode, kv);
        streamed(decode, kv);
        low_bit(decode, kv);
      }
      if (decoders_.empty()) decoders_ = decoders;
    }
    collect();
    if (!options_.unified_only) {
      explain_rejections(scene_, decoders_, copies_, options_.kv_type.value_or(KvType::q8_0), found_, out_.rejected);
    }
    if (options_.only) {
      std::erase_if(out_.rejected,
                    [&](const Rejected& rejected) { return rejected.family != *options_.only; });
    }
    return std::move(out_);
  }

 private:
  ContextShape shape(KvType kv, std::uint32_t ubatch, bool hands_off) const {
    return {.context_tokens = scene_.workload().context_tokens,
            .streams = scene_.workload().streams,
            .ubatch = ubatch,
            .kv = kv,
            .leads = false,
            .hands_off = hands_off};
  }

  std::optional<Pool> filled(const Scene& scene, const PoolChoice& choice,
                             const FillOptions& options) {
    ++out_.stats.pools_filled;
    auto result = fill(scene, choice, options);
    if (auto* pool = std::get_if<Pool>(&result)) return std::move(*pool);
    return std::nullopt;
  }

  void unified(KvType kv) {
    for (const PoolChoice& choice : choices_) {
      for (const std::uint32_t ubatch : ubatch_choices) {
        FillOptions options{.shape = shape(kv, ubatch, false)};
        options.all_members = options_.must_use != 0;
        const auto pool = filled(scene_, choice, options);
        if (!pool || mask_of(*pool) != choice.members()) continue;
        const Family family = pool->size() == 1 ? Family::alone : Family::pooled;
        consider({.family = family, .decode = *pool, .kv = kv, .ubatch = ubatch}, scene_);
      }
    }
  }

  std::vector<Pool> decode_pools(KvType kv) {
    std::vector<std::pair<double, Pool>> pools;
    for (const PoolChoice& choice : choices_) {
      FillOptions options{.shape = shape(kv, decode_ubatch, true), .for_prefill = false};
      auto pool = filled(scene_, choice, options);
      if (!pool || mask_of(*pool) != choice.members()) continue;
      const auto step =
          scene_.decode_step(*pool, kv, static_cast<double>(scene_.workload().prompt_tokens),
                             scene_.workload().streams);
      pools.emplace_back(step ? step->seconds() : 1e9, std::move(*pool));
    }
    std::ranges::stable_sort(pools, {}, &std::pair<double, Pool>::first);
    std::vector<Pool> out;
    for (auto& [seconds, pool] : pools) {
      if (out.size() < combined_pools_max) out.push_back(std::move(pool));
    }
    return out;
  }

  // Prefill pools over machines the decode pool leaves free, wired to its leader.
  template <class Use>
  void for_free_choices(const Pool& decode, Use use) {
    const std::uint32_t taken = mask_of(decode);
    std::size_t used = 0;
    for (const PoolChoice& choice : choices_) {
      if ((choice.members() & taken) != 0) continue;
      if (!scene_.spec().between(choice.leader, decode.front().node)) continue;
      if (scene_.spec().nodes.size() > exhaustive_nodes_max && ++used > combined_pools_max) return;
      use(choice);
    }
  }

  void splits(const Pool& decode, KvType kv) {
    for_free_choices(decode, [&](const PoolChoice& choice) {
      for (const std::uint32_t ubatch : ubatch_choices) {
        const auto pool =
            filled(scene_, choice, {.shape = shape(kv, ubatch, true), .for_decode = false});
        if (!pool || mask_of(*pool) != choice.members()) continue;
        const bool single = pool->size() == 1 && decode.size() == 1;
        consider({.family = single ? Family::split : Family::split_pooled,
                  .decode = decode,
                  .prefill = *pool,
                  .kv = kv,
                  .ubatch = ubatch},
                 scene_);
      }
    });
  }

  void gathered(const Pool& decode, KvType kv) {
    const std::uint32_t taken = mask_of(decode);
    const std::size_t leader = decode.front().node;
    std::vector<double> taken_bytes(scene_.spec().nodes.size(), 0);
    const Layout alone{
        .family = Family::gathered, .decode = decode, .kv = kv, .ubatch = decode_ubatch};
    const Workload& work = scene_.workload();
    const std::vector<MemoryUse> use = memory_of(scene_, alone, work.context_tokens, work.streams);
    for (std::size_t i = 0; i < use.size(); ++i) taken_bytes[i] = use[i].total_bytes();
    for (const PoolChoice& choice : choices_) {
      if (choice.leader != leader || choice.helpers == 0 || (choice.helpers & taken) != 0) continue;
      for (const std::uint32_t ubatch : ubatch_choices) {
        FillOptions options{
            .shape = shape(kv, ubatch, true), .for_decode = false, .taken_bytes = taken_bytes};
        const auto pool = filled(scene_, choice, options);
        if (!pool || mask_of(*pool) != choice.members()) continue;
        consider({.family = Family::gathered,
                  .decode = decode,
                  .prefill = *pool,
                  .kv = kv,
                  .ubatch = ubatch},
                 scene_);
      }
    }
  }

  void streamed(const Pool& decode, KvType kv) {
    for_free_choices(decode, [&](const PoolChoice& choice) {
      for (const std::uint32_t ubatch : streamed_ubatch_choices) {
        std::optional<Layout> layout = streamed_layout(scene_, choice, shape(kv, ubatch, true), decode);
        if (!layout) continue;
        layout->decode = decode;
        consider(*layout, scene_);
      }
    });
  }

  void low_bit(const Pool& decode, KvType kv) {
    for (const CopyScene& copy : copies_) {
      for_free_choices(decode, [&](const PoolChoice& choice) {
        for (const std::uint32_t ubatch : ubatch_choices) {
          const auto pool =
              filled(*copy.scene, choice, {.shape = shape(kv, ubatch, true), .for_decode = false});
          if (!pool || mask_of(*pool) != choice.members()) continue;
          consider({.family = Family::low_bit_copy,
                    .decode = decode,
                    .prefill = *pool,
                    .kv = kv,
                    .ubatch = ubatch,
                    .prefill_card = copy.card},
                   *copy.scene);
        }
      });
    }
  }

  void consider(const Layout& layout, const Scene& prefill_scene) {
    const std::uint32_t machines = mask_of(layout.decode) | mask_of(layout.prefill);
    if (options_.only && layout.family != *options_.only) return;
    if ((machines & options_.must_use) != options_.must_use || !within_memory(layout)) return;
    ++out_.stats.plans_timed;
    Candidate candidate{.layout = layout, .machines = machines};
    const auto timing = time_of(scene_, prefill_scene, layout,
                                static_cast<double>(scene_.workload().cached_tokens()),
                                static_cast<double>(scene_.workload().new_tokens()));
    if (timing) {
      candidate.timed = true;
      candidate.turn_s = timing->turn_s;
      candidate.ttft_s = timing->first.seconds();
      candidate.step_s = timing->step.seconds();
    }
    found_[static_cast<std::size_t>(layout.family)] = true;
    Candidate& best =
        best_.try_emplace({layout.family, candidate.machines}, candidate).first->second;
    // f16 comes first; a smaller KV type wins only where it makes the turn clearly faster.
    const bool other_kv = best.layout.kv != layout.kv;
    const double margin = other_kv ? kv_margin : 1.0;
    if (candidate.timed && (!best.timed || candidate.turn_s < best.turn_s * margin))
      best = candidate;
  }

  // fill() has seen to one context; contexts that share a machine are added up here.
  bool within_memory(const Layout& layout) const {
    return fits(scene_, layout, scene_.workload().context_tokens, scene_.workload().streams);
  }

  void collect() {
    for (auto& [key, candidate] : best_) out_.candidates.push_back(std::move(candidate));
  }

  static constexpr double kv_margin = 0.9;
  const Scene& scene_;
  const std::vector<CopyScene>& copies_;
  const Options& options_;
  std::vector<PoolChoice> choices_;
  std::vector<Pool> decoders_;
  std::map<std::pair<Family, std::uint32_t>, Candidate> best_;
  FoundFamilies found_{};
  Generated out_;
};

}  // namespace

Generated generate(const Scene& scene, const std::vector<CopyScene>& copies,
                   const Options& options) {
  return Generator(scene, copies, options).run();
}

}  // namespace hearth::plan
