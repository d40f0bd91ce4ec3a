#include "hearth/plan/search/rejections.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>

#include "hearth/plan/search/generate.h"

namespace hearth::plan {
namespace {

constexpr double bytes_per_gb = 1e9;
constexpr std::uint32_t smallest_ubatch = 512;

double gb(double bytes) { return bytes / bytes_per_gb; }

std::string names(const ClusterSpec& spec, std::uint32_t machines) {
  std::string out;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (machines >> i & 1u) out += (out.empty() ? "" : " + ") + spec.nodes[i].name;
  }
  return out;
}

double usable_of(const ClusterSpec& spec, std::uint32_t machines) {
  double sum = 0;
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (machines >> i & 1u) sum += static_cast<double>(spec.nodes[i].usable_bytes);
  }
  return sum;
}

// Weights, KV and buffers of the whole model in one context at the workload's size.
double whole_need(const Scene& scene, KvType kv, bool hands_off) {
  const Stage stage{.node = 0, .first = 0, .count = scene.layers(), .leads = true};
  return scene
      .memory(stage, {.context_tokens = scene.workload().context_tokens,
                      .streams = scene.workload().streams,
                      .ubatch = smallest_ubatch,
                      .kv = kv,
                      .leads = true,
                      .hands_off = hands_off})
      .total_bytes();
}

struct WeightSource {
  double gb_s = 0;
  bool over_wire = false;
};

std::optional<WeightSource> weight_source(const ClusterSpec& spec, std::size_t node,
                                          const Pool& decode) {
  WeightSource out{.gb_s = spec.nodes[node].storage_read_gb_s.value_or(0)};
  const Wire* wire =
      decode.size() == 1 ? spec.between(node, decode.front().node) : nullptr;
  if (wire && wire->gb_s > out.gb_s) out = {.gb_s = wire->gb_s, .over_wire = true};
  if (out.gb_s <= 0) return std::nullopt;
  return out;
}

class Explainer {
 public:
  Explainer(const Scene& scene, const std::vector<Pool>& decoders,
            const std::vector<CopyScene>& copies, KvType smallest_kv, const FoundFamilies& found,
            std::vector<Rejected>& rejected)
      : scene_(scene),
        spec_(scene.spec()),
        decoders_(decoders),
        copies_(copies),
        smallest_kv_(smallest_kv),
        found_(found),
        rejected_(rejected) {
    need_ = whole_need(scene, smallest_kv_, false);
    all_ = (1u << spec_.nodes.size()) - 1;
    decode_ = smallest_decoder();
    free_ = all_ & ~decode_;
  }

  void run() {
    if (missing(Family::alone)) alone();
    if (missing(Family::pooled)) pooled();
    if (decoders_.empty()) {
      for (const Family family : {Family::split, Family::gathered, Family::streamed,
                                  Family::low_bit_copy, Family::split_pooled}) {
        add(family,
            fmt::format("decode needs {:.0f} GB; all machines together have {:.0f} GB", gb(need_),
                        gb(usable_of(spec_, all_))),
            need_, usable_of(spec_, all_));
      }
      return;
    }
    if (missing(Family::split)) split();
    if (missing(Family::split_pooled)) split_pooled();
    if (missing(Family::gathered)) gathered();
    if (missing(Family::streamed)) streamed();
    if (missing(Family::low_bit_copy)) low_bit();
  }

 private:
  bool missing(Family family) const { return !found_[static_cast<std::size_t>(family)]; }
  void add(Family family, std::string reason, double needed, double available,
           std::uint32_t machines = 0) {
    rejected_.push_back({family, std::move(reason), gb(needed), gb(available), "GB", machines});
  }
  // For families that free machines are not there for at all.
  bool nothing_free(Family family) {
    if (free_ != 0) return false;
    add(family,
        fmt::format(
            "decode takes every machine ({}); prefill needs {:.0f} GB elsewhere, 0 GB is left",
            names(spec_, decode_), gb(need_)),
        need_, 0);
    return true;
  }

  void alone() {
    const auto largest = std::ranges::max_element(spec_.nodes, {}, &Node::usable_bytes);
    const double usable = static_cast<double>(largest->usable_bytes);
    add(Family::alone,
        fmt::format("one machine needs {:.0f} GB; the largest, {}, has {:.0f} GB", gb(need_),
                    largest->name, gb(usable)),
        need_, usable);
  }

  void pooled() {
    if (spec_.nodes.size() < 2) {
      add(Family::pooled, "needs 2 machines; there is 1", need_, usable_of(spec_, all_));
      return;
    }
    add(Family::pooled,
        fmt::format("all machines together need {:.0f} GB; they have {:.0f} GB", gb(need_),
                    gb(usable_of(spec_, all_))),
        need_, usable_of(spec_, all_));
  }

  void prefill_shortfall(Family family, std::uint32_t machines) {
    const double need = whole_need(scene_, smallest_kv_, true);
    const bool one = (machines & (machines - 1)) == 0;
    add(family,
        fmt::format("prefill needs {:.0f} GB on {}; {} {:.0f} GB usable", gb(need),
                    names(spec_, machines), one ? "it has" : "they have",
                    gb(usable_of(spec_, machines))),
        need, usable_of(spec_, machines), machines);
  }

  // The place to decode that leaves prefill the most machines.
  std::uint32_t smallest_decoder() const {
    const Pool* best = nullptr;
    for (const Pool& pool : decoders_) {
      if (!best || pool.size() < best->size()) best = &pool;
    }
    return best ? mask_of(*best) : 0;
  }

  void split() {
    if (std::popcount(decode_) > 1) {
      const double largest = largest_usable(all_);
      add(Family::split,
          fmt::format("decode on one machine needs {:.0f} GB; the largest has {:.0f} GB", gb(need_),
                      gb(largest)),
          need_, largest);
      return;
    }
    if (nothing_free(Family::split)) return;
    std::uint32_t best = 0;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      if ((free_ >> i & 1u) && (best == 0 || usable_of(spec_, 1u << i) > usable_of(spec_, best)))
        best = 1u << i;
    }
    prefill_shortfall(Family::split, best);
  }

  double largest_usable(std::uint32_t machines) const {
    double largest = 0;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      if (machines >> i & 1u)
        largest = std::max(largest, static_cast<double>(spec_.nodes[i].usable_bytes));
    }
    return largest;
  }

  // Each set of equal machines that somebody would think of, then all that decode leaves free.
  void split_pooled() {
    std::map<std::string, std::uint32_t> by_hardware;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i)
      by_hardware[spec_.nodes[i].chip] |= 1u << i;
    for (const auto& [chip, machines] : by_hardware) {
      const bool several = (machines & (machines - 1)) != 0;
      if (several && usable_of(spec_, machines) < need_)
        prefill_shortfall(Family::split_pooled, machines);
    }
    if (nothing_free(Family::split_pooled)) return;
    const bool said =
        std::ranges::any_of(by_hardware, [&](const auto& e) { return e.second == free_; });
    if (!said && usable_of(spec_, free_) < need_) prefill_shortfall(Family::split_pooled, free_);
  }

  void gathered() {
    if (nothing_free(Family::gathered)) return;
    const double need = whole_need(scene_, smallest_kv_, true);
    add(Family::gathered,
        fmt::format(
            "decode on {} and a second copy of the layers for prefill need {:.0f} GB; all machines "
            "have {:.0f} GB",
            names(spec_, decode_), gb(2 * need), gb(usable_of(spec_, all_))),
        2 * need, usable_of(spec_, all_));
  }

  void streamed() {
    if (nothing_free(Family::streamed)) return;
    for (std::size_t i = 0; i < spec_.nodes.size(); ++i) {
      if ((free_ >> i & 1u) && weights_reach(i)) {
        add(Family::streamed,
            fmt::format(
                "the free machines ({}) hold the model, have no room for two layers beside the "
                "buffers, or are not wired to {}",
                names(spec_, free_), names(spec_, decode_)),
            need_, usable_of(spec_, free_));
        return;
      }
    }
    rejected_.push_back({Family::streamed,
                         fmt::format("unknown: the storage rate of {} is not measured; probe it",
                                     names(spec_, free_)),
                         0, 0, "GB/s"});
  }

  bool weights_reach(std::size_t node) const {
    return std::ranges::any_of(decoders_, [&](const Pool& decode) {
      return weight_source(spec_, node, decode).has_value();
    });
  }

  void low_bit() {
    if (nothing_free(Family::low_bit_copy)) return;
    if (copies_.empty()) {
      add(Family::low_bit_copy,
          fmt::format("no smaller quantisation of {} is listed than {} ({:.0f} GB); {}: {:.0f} "
                      "GB usable",
                      scene_.card().name, scene_.card().variant,
                      gb(static_cast<double>(total_bytes(scene_.card()))), names(spec_, free_),
                      gb(usable_of(spec_, free_))),
          static_cast<double>(total_bytes(scene_.card())), usable_of(spec_, free_));
      return;
    }
    const auto smallest = std::ranges::min_element(
        copies_, {}, [this](const CopyScene& c) { return whole_need(*c.scene, smallest_kv_, true); });
    const double need = whole_need(*smallest->scene, smallest_kv_, true);
    add(Family::low_bit_copy,
        fmt::format("the smallest copy listed, {}, needs {:.0f} GB on {}; {:.0f} GB are "
                    "usable there",
                    smallest->card->variant, gb(need), names(spec_, free_),
                    gb(usable_of(spec_, free_))),
        need, usable_of(spec_, free_));
  }

  const Scene& scene_;
  const ClusterSpec& spec_;
  const std::vector<Pool>& decoders_;
  const std::vector<CopyScene>& copies_;
  const KvType smallest_kv_;
  const FoundFamilies& found_;
  std::vector<Rejected>& rejected_;
  double need_ = 0;
  std::uint32_t all_ = 0;
  std::uint32_t decode_ = 0;
  std::uint32_t free_ = 0;
};

}  // namespace

std::optional<Layout> streamed_layout(const Scene& scene, const PoolChoice& choice,
                                      const ContextShape& shape, const Pool& decode) {
  const ClusterSpec& spec = scene.spec();
  std::vector<std::size_t> order{choice.leader};
  double speed_sum = 0;
  std::vector<double> speed(spec.nodes.size());
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    if (!(choice.members() >> i & 1u)) continue;
    if (!weight_source(spec, i, decode)) return std::nullopt;
    if (i != choice.leader) order.push_back(i);
    speed_sum += speed[i] = 1 / scene.layer_cost_s(i, true, false);
  }
  Layout layout{.family = Family::streamed, .kv = shape.kv, .ubatch = shape.ubatch};
  std::uint32_t next = 0;
  double slowest_s = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    const std::size_t node = order[k];
    const double share = speed[node] / speed_sum * scene.layers();
    const std::uint32_t count =
        k + 1 == order.size() ? scene.layers() - next
                              : std::min(scene.layers() - next, static_cast<std::uint32_t>(share));
    const Stage stage{.node = node, .first = next, .count = count, .leads = node == choice.leader};
    next += count;
    const MemoryUse use = scene.memory(stage, shape);
    const double room = static_cast<double>(spec.nodes[node].usable_bytes) -
                        (use.total_bytes() - use.weights_bytes);
    // Two layers at least: one computes while the next is read.
    if (count == 0 || room < 2 * scene.layer_bytes(scene.layers() - 1, 1)) return std::nullopt;
    const double missing = std::max(0.0, use.weights_bytes - room);
    layout.streamed_bytes += missing;
    const WeightSource source = *weight_source(spec, node, decode);
    layout.streams_over_wires = layout.streams_over_wires || (source.over_wire && missing > 0);
    slowest_s = std::max(slowest_s, missing / (source.gb_s * bytes_per_gb));
    layout.prefill.push_back(stage);
  }
  if (layout.streamed_bytes <= 0) return std::nullopt;
  layout.streamed_bytes_per_s = layout.streamed_bytes / slowest_s;
  return layout;
}

void explain_rejections(const Scene& scene, const std::vector<Pool>& decoders,
                        const std::vector<CopyScene>& copies, KvType smallest_kv, const FoundFamilies& found,
                        std::vector<Rejected>& rejected) {
  Explainer(scene, decoders, copies, smallest_kv, found, rejected).run();
}

}  // namespace hearth::plan
