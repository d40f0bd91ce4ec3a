#include "hearth/cli/voice_texts.h"

#include "hearth/eval/kl/text_files.h"

namespace hearth::cli {

Result<std::vector<voice::NamedText>> read_voice_texts(
    std::span<const std::filesystem::path> paths) {
  std::vector<voice::NamedText> out;
  for (eval::TextFile& file : TRY(eval::read_text_files(paths))) {
    if (!file.is_transcript) out.push_back({std::move(file.name), std::move(file.text)});
  }
  if (out.empty()) {
    return fail(Code::invalid_argument,
                "only transcripts: a voice is learnt from texts that one person wrote");
  }
  return out;
}

Result<std::vector<voice::NamedText>> read_impostors(const std::filesystem::path& folder) {
  if (folder.empty()) return voice::shipped_impostors();
  return read_voice_texts(std::span(&folder, 1));
}

}  // namespace hearth::cli
