#pragma once
// Files that have to stay what they are, such as those of a model while it is measured. What counts is what is in them:
// a file that was only touched, or copied to its place again, is read anew and stays.
//
// Each look asks the system for the files' stamps, whose time of change no program can set back; only a file with another
// stamp is read. So content of the same size under an old time of modification is seen, and what was another between two
// looks and is back by the second is not. One thread at a time; reading takes its threads of file_digests.h.

#include "hearth/fetch/file_digests.h"

namespace hearth::fetch {

struct WatchedFile {
  std::filesystem::path file;
  FileStamp stamp;
  Digest256 sha256;
};

class FileWatch {
 public:
  // Reads what `memory` does not remember. Errors are those of reading, and cancelled.
  static Result<FileWatch> begin(const std::vector<std::filesystem::path>& files, DigestMemory memory,
                                 const DigestProgress& progress, const StopToken& stop);
  const std::vector<WatchedFile>& files() const { return files_; }
  // corrupt, naming the file, once one holds something else or cannot be read; cancelled.
  Result<> look(const StopToken& stop);

 private:
  explicit FileWatch(DigestMemory memory) : memory_(std::move(memory)) {}
  DigestMemory memory_;
  std::vector<WatchedFile> files_;
};

}  // namespace hearth::fetch
