#include "hearth/plan/catalog/catalog.h"

#include <algorithm>

namespace hearth::plan {
namespace {
template <class T>
const T* by_key(const std::vector<T>& entries, std::string_view key) {
  const auto found = std::ranges::find(entries, key, &T::key);
  return found == entries.end() ? nullptr : &*found;
}
}  // namespace

std::string_view confidence_name(Confidence confidence) {
  switch (confidence) {
    case Confidence::own:
      return "own";
    case Confidence::source:
      return "source";
    case Confidence::calculated:
      return "calculated";
    case Confidence::secondary:
      return "secondary";
  }
  return "?";
}

bool Measurement::has_flag(std::string_view flag) const {
  return std::ranges::find(flags, flag) != flags.end();
}

const Machine* Catalog::machine(std::string_view key) const { return by_key(machines, key); }
const Link* Catalog::link(std::string_view key) const { return by_key(links, key); }
const Link* Catalog::probed_link(std::string_view a, std::string_view b) const {
  for (const Link& link : links) {
    if (!link.probed || link.between.size() != 2) continue;
    const std::string& first = link.between[0];
    const std::string& second = link.between[1];
    if ((first == a && second == b) || (first == b && second == a)) return &link;
  }
  return nullptr;
}
const Cluster* Catalog::cluster(std::string_view key) const { return by_key(clusters, key); }
const Model* Catalog::model(std::string_view key) const { return by_key(models, key); }
const Quantisation* Catalog::quantisation(std::string_view key) const {
  return by_key(quantisations, key);
}
const EngineEntry* Catalog::engine(std::string_view key) const { return by_key(engines, key); }

}  // namespace hearth::plan
