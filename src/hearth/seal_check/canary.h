#pragma once
// Words that occur nowhere else, and how they would look on the way out: as they are, in hex, in
// base64 at each of its three alignments, percent-encoded, as JSON escapes, as UTF-16, backwards, and
// with anything between their letters (a word cut over two events of a stream). Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::seal_check {

// Small letters only, 24 of them, so that no encoder escapes them and cutting can be undone.
std::string make_canary(std::uint64_t seed);

struct Sighting {
  std::string canary, form;  // "hex", "base64", ...
};
class CanarySearch {
 public:
  void plant(std::string canary) { canaries_.push_back(std::move(canary)); }
  // The first of any canary in any form.
  std::optional<Sighting> find(std::string_view bytes) const;

 private:
  std::vector<std::string> canaries_;
};

}  // namespace hearth::seal_check
