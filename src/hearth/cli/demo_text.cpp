#include "hearth/cli/demo_text.h"

namespace hearth::cli {
namespace data {
extern const std::string_view demo_text_txt;
}

// The file ends with a newline; the question must not.
std::string_view demo_text() {
  std::string_view text = data::demo_text_txt;
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace hearth::cli
