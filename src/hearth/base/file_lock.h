#pragma once
// A folder or file that one process at a time may work on. The lock goes with the object, and with the
// process however it ends; the file that carries it stays.

#include <filesystem>
#include <string_view>

#include "hearth/base/file.h"
#include "hearth/base/file_lock.h"

namespace hearth {

// Whether this process has the lock of the open `file` now; false while another has it. `path` is for messages.
Result<bool> try_lock(const FileDescriptor& file, const std::filesystem::path& path);

// Makes `file` if it is not there. unavailable with `taken` as the message while another process has it.
Result<FileDescriptor> lock_file(const std::filesystem::path& file, std::string_view taken);

}  // namespace hearth
