#pragma once
// A memory folder on disk: read so that what is loaded is exactly what is there, written so that
// nothing is lost. Names that begin with a dot are not memory and are left alone.
//
// Reading refuses rather than skips: every fault of a folder is named, a line each, with its mend.
// Links are never followed below the folder, whatever somebody does meanwhile. Calls block on the
// disk only. One folder, one reader or writer at a time in a process; other processes are noticed.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/session/memory_files.h"

namespace hearth::session {

// not_found: no such folder. invalid_argument: its faults (links, hard links, things that are not
// files, binaries, text that is not UTF-8, names, sizes). unavailable: somebody is writing there
// right now; the folder was read until two readings agreed, and they did not.
Result<MemoryFiles> read_memory_folder(const std::filesystem::path& folder);

struct FoldReport {
  std::vector<std::string> written, removed;
  std::vector<std::string> conflicts;  // changed on disk as well: left as they are there
  std::filesystem::path backup;        // where the old versions are; empty when there were none
  std::string set_aside = ".hearth/backup";  // where the wanted text of conflicts is, for people
};

// Makes the files of the folder what `wanted` says where it differs from `known`, what the folder had
// when it was last read. Each file is written aside and renamed; the old version goes to
// .hearth/backup/STAMP first. A file that somebody changed since `known`, up to the
// moment in which it is replaced, is a conflict: it stays, the wanted text is put beside the backups as
// STAMP/PATH.session.
Result<FoldReport> fold_memory(const std::filesystem::path& folder, const MemoryFiles& known,
                               const MemoryFiles& wanted, std::string_view stamp);

}  // namespace hearth::session
