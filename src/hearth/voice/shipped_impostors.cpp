#include <utility>

#include "hearth/voice/profile.h"

namespace hearth::voice {

namespace data {
using Files = std::vector<std::pair<std::string_view, std::string_view>>;
extern const Files files;  // made by the build of data/impostors
}  // namespace data

std::vector<NamedText> shipped_impostors() {
  std::vector<NamedText> out;
  for (const auto& [path, text] : data::files) {
    if (path.ends_with(".txt")) out.push_back({std::string(path), std::string(text)});
  }
  return out;
}

}  // namespace hearth::voice
