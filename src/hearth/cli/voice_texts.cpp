#include "hearth/cli/voice_texts.h"

#include "hearth/base/file.h"
#include "hearth/eval/kl/text_files.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t profile_bytes_max = 64u << 20;

}  // namespace

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

Result<voice::Profile> read_voice_profile(const std::filesystem::path& path) {
  const std::string text = TRY(read_text_file(path, profile_bytes_max));
  auto json = parse_json(text);
  if (!json) return std::unexpected(with_context(std::move(json).error(), path.string()));
  auto profile = voice::Profile::from_json(*json);
  if (!profile) return std::unexpected(with_context(std::move(profile).error(), path.string()));
  return profile;
}

}  // namespace hearth::cli
