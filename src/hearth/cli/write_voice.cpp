#include "hearth/cli/write_voice.h"

#include "hearth/session/memory_folder.h"

namespace hearth::cli {

Result<Voice> load_voice(const std::filesystem::path& samples) {
  Voice out;
  if (samples.empty()) return out;
  // Read as memory is: every fault of the folder is named, and the order does not depend on it.
  const session::MemoryFiles files = TRY(session::read_memory_folder(samples));
  for (const auto& [path, text] : files) out.samples.push_back({path, text});
  out.digest = session::digest_of(files);
  return out;
}

}  // namespace hearth::cli
