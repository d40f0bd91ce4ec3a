#pragma once
// Where memory is between sessions: a plain folder, or one that is encrypted, for sealed sessions. A
// session works on its own copy of the files (memory_files.h) and comes here to begin and to fold.

#include <memory>

#include "hearth/session/memory_folder.h"

namespace hearth::session {

class MemoryPlace {
 public:
  virtual ~MemoryPlace() = default;
  // What is there now; errors as those of read_memory_folder. unavailable, too, while it is locked.
  virtual Result<MemoryFiles> read() = 0;
  // As fold_memory does it.
  virtual Result<FoldReport> fold(const MemoryFiles& known, const MemoryFiles& wanted, std::string_view stamp) = 0;
  // What sealed sessions changed may be written there: it is never on the disk in the clear.
  virtual bool is_sealed() const = 0;
};
std::unique_ptr<MemoryPlace> make_plain_memory(std::filesystem::path folder);

}  // namespace hearth::session
