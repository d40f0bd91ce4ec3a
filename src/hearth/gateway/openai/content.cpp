#include "hearth/gateway/openai/content.h"

#include <array>

namespace hearth::gateway::openai {
namespace {

struct RefusedPart {
  std::string_view type;
  std::string_view what;
};

constexpr std::array<RefusedPart, 8> refused_parts = {{{"image_url", "images"},
                                                       {"input_image", "images"},
                                                       {"image", "images"},
                                                       {"input_audio", "sounds"},
                                                       {"audio", "sounds"},
                                                       {"video_url", "videos"},
                                                       {"file", "files"},
                                                       {"input_file", "files"}}};

bool is_text(std::string_view type) {
  return type == "text" || type == "input_text" || type == "output_text" ||
         type == "summary_text" || type == "reasoning_text";
}

ApiResult<std::string> read_part(const Json& part, const std::string& path, Notes& notes) {
  TRY(expect_object(part, path));
  const std::string type = TRY(get_field<std::string>(part, "type", path));
  if (is_text(type)) return get_field<std::string>(part, "text", path);
  if (type == "refusal") return get_field<std::string>(part, "refusal", path);
  for (const RefusedPart& refused : refused_parts) {
    if (type != refused.type) continue;
    return refuse(field_path(path, "type"),
                  std::string(refused.what) + " are not read here; send text instead");
  }
  const Json* text = part.find("text");
  if (text != nullptr && text->is_string()) {
    notes.note("unknown part read as text", type);
    return text->as_string();
  }
  notes.note("part dropped", type);
  return std::string();
}

}  // namespace

ApiResult<std::string> read_text(const Json& content, const std::string& path,
                                 std::string_view between, Notes& notes) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return content.as_string();
  if (!content.is_array()) {
    return refuse(path, "expected a string or an array of parts, got " +
                            std::string(content.kind_name()));
  }
  std::string out;
  for (std::size_t i = 0; i < content.as_array().size(); ++i) {
    const std::string text = TRY(read_part(content.as_array()[i], item_path(path, i), notes));
    if (text.empty()) continue;
    if (!out.empty()) out += between;
    out += text;
  }
  return out;
}

}  // namespace hearth::gateway::openai
