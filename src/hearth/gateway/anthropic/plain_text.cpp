#include "hearth/gateway/anthropic/plain_text.h"

namespace hearth::gateway::anthropic {
namespace {

ApiResult<std::string> text_block(const Json& block, const std::string& path) {
  return get_field<std::string>(block, "text", path);
}

// <document> with its title and context as lines before an empty line and the text.
struct Frame {
  std::string_view tag;
  std::vector<std::pair<std::string_view, std::string>> lines;

  std::string around(std::string_view text) const {
    std::string out = "<" + std::string(tag) + ">\n";
    for (const auto& [label, value] : lines) {
      if (!value.empty()) out += std::string(label) + ": " + value + "\n";
    }
    if (out.size() > tag.size() + 3) out += '\n';
    return out + std::string(text) + "\n</" + std::string(tag) + ">";
  }
};

ApiResult<std::string> document_text(const Json& block, const std::string& path,
                                     Findings& findings) {
  const Json* source = TRY(find_object(block, "source", path));
  const std::string source_path = field_path(path, "source");
  if (source == nullptr) return refuse(source_path, "is required");
  const std::string type = TRY(get_field<std::string>(*source, "type", source_path));
  if (type == "text") return get_field<std::string>(*source, "data", source_path);
  const Json* content = source->find("content");
  if (type == "content" && content != nullptr) {
    return plain_content(*content, field_path(source_path, "content"), findings);
  }
  return refuse(field_path(source_path, "type"),
                "only documents of plain text are read here, not '" +
                    type.substr(0, noted_word_bytes_max) +
                    "'; send the text (capability_rejected: document_block)");
}

ApiResult<std::string> document(const Json& block, const std::string& path, Findings& findings) {
  const std::string text = TRY(document_text(block, path, findings));
  const auto title = TRY(find_field<std::string>(block, "title", path));
  const auto context = TRY(find_field<std::string>(block, "context", path));
  const Frame frame{"document", {{"title", title.value_or("")}, {"context", context.value_or("")}}};
  return frame.around(text);
}

ApiResult<std::string> search_result(const Json& block, const std::string& path,
                                     Findings& findings) {
  const auto source = TRY(find_field<std::string>(block, "source", path));
  const auto title = TRY(find_field<std::string>(block, "title", path));
  std::string text;
  if (const Json* content = block.find("content"); content != nullptr) {
    text = TRY(plain_content(*content, field_path(path, "content"), findings));
  }
  const Frame frame{"search_result",
                    {{"source", source.value_or("")}, {"title", title.value_or("")}}};
  return frame.around(text);
}

ApiResult<std::string> tool_reference(const Json& block, const std::string& path,
                                      Findings& findings) {
  std::string name = TRY(get_field<std::string>(block, "tool_name", path));
  findings.referenced_tools.push_back(name);
  return "Tool available: " + name;
}

ApiResult<std::string> unknown_block(const Json& block, std::string_view type,
                                     Findings& findings) {
  const Json* text = block.find("text");
  if (text != nullptr && text->is_string()) {
    findings.note("unknown block read as text", type);
    return text->as_string();
  }
  findings.note("block dropped", type);
  return std::string();
}

}  // namespace

ApiResult<std::string> block_type(const Json& block, const std::string& path, Findings& findings) {
  TRY(expect_object(block, path));
  findings.look_for_cache_mark(block);
  return get_field<std::string>(block, "type", path);
}

ApiResult<std::string> plain_block(const Json& block, std::string_view type,
                                   const std::string& path, Findings& findings) {
  if (type == "text") return text_block(block, path);
  if (type == "document") return document(block, path, findings);
  if (type == "search_result") return search_result(block, path, findings);
  if (type == "tool_reference") return tool_reference(block, path, findings);
  if (type == "image") {
    return refuse(field_path(path, "type"),
                  "images are not read here; describe them in text (capability_rejected: "
                  "image_block)");
  }
  return unknown_block(block, type, findings);
}

ApiResult<std::string> plain_content(const Json& content, const std::string& path,
                                     Findings& findings) {
  if (content.is_null()) return std::string();
  if (content.is_string()) return content.as_string();
  if (!content.is_array()) {
    return refuse(path, "expected a string or an array of blocks, got " +
                            std::string(content.kind_name()));
  }
  JoinedText joined;
  for (std::size_t i = 0; i < content.as_array().size(); ++i) {
    const Json& block = content.as_array()[i];
    const std::string block_path = item_path(path, i);
    const std::string type = TRY(block_type(block, block_path, findings));
    const std::string text = TRY(plain_block(block, type, block_path, findings));
    joined.add(text);
  }
  return joined.take();
}

}  // namespace hearth::gateway::anthropic
