#pragma once
// Content that ends up as text in the prompt: strings, and lists of text, documents, search results
// and references. Images are refused; blocks that are not known are dropped with a note.

#include <string>
#include <string_view>

#include "hearth/gateway/anthropic/findings.h"

namespace hearth::gateway::anthropic {

// Texts of neighbouring blocks, a line break between them; empty ones leave no trace. So a string
// and a list with that one text are the same.
class JoinedText {
 public:
  void add(std::string_view text) {
    if (text.empty()) return;
    if (!text_.empty()) text_ += '\n';
    text_ += text;
  }
  std::string take() { return std::move(text_); }
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

// The type of a content block, checked to be one.
ApiResult<std::string> block_type(const Json& block, const std::string& path, Findings& findings);

ApiResult<std::string> plain_block(const Json& block, std::string_view type,
                                   const std::string& path, Findings& findings);

// A string or a list of blocks.
ApiResult<std::string> plain_content(const Json& content, const std::string& path,
                                     Findings& findings);

}  // namespace hearth::gateway::anthropic
