#pragma once
// An append-only file of JSON lines in which each line vouches for all before it:
//
//   {"n":12,"record":{...},"chain":"<64 hex>"}     chain = BLAKE2b(key, chain of line 11, n, record)
//
// beside a small file NAME.head with the last number and chain. An edited, dropped, repeated or moved
// line and a cut end are found, and the first bad line is named. Whoever has the key can write a new
// history; whoever kept an older head can prove that. docs/seal.md, "the audit log".
//
// An append that returns success is on the disk. One owner; not thread-safe.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/file.h"
#include "hearth/base/json.h"

namespace hearth::seal {

inline constexpr std::uint64_t chained_log_bytes_max = 1ull << 30;
inline constexpr std::size_t chained_line_bytes_max = 64u << 10;

struct ChainHead {
  std::uint64_t records = 0;
  Digest256 chain;  // zeros before the first
  bool operator==(const ChainHead&) const = default;
};

struct ChainReport {
  ChainHead head;  // of the sound part
  // 0: the whole log is sound. Otherwise the first line (from 1) that is not what was written there.
  std::uint64_t first_bad_line = 0;
  std::string what;  // about it
  bool is_sound() const { return first_bad_line == 0; }
};

// `recorded`: what NAME.head says, if it is there. Calls `each` with every sound record. Pure.
ChainReport verify_chain(std::string_view text, const ChainHead* recorded, std::string_view key,
                         const std::function<void(const Json& record)>& each = {});

class ChainedLog {
 public:
  // Creates it (mode 0600), or reads and verifies it: corrupt, naming the line, if it is not sound.
  // unavailable while another process has it open.
  // A last line torn by a power loss was never reported as written: it is cut off.
  static Result<ChainedLog> open(std::filesystem::path path, std::string key,
                                 const std::function<void(const Json& record)>& each = {});
  // resource_exhausted or what the operating system said; then nothing may happen that the record was
  // to be of. At most its line was written: the one that a head may be behind.
  Result<> append(const Json& record);
  const ChainHead& head() const { return head_; }

 private:
  ChainedLog() = default;
  Result<> keep_head();
  std::filesystem::path path_;
  std::string key_;
  FileDescriptor file_;
  std::uint64_t size_bytes_ = 0;
  ChainHead head_;
  bool head_is_behind_ = false;  // the last line is written, the head that names it is not
};

// Reads without changing anything.
Result<ChainReport> verify_chained_log(const std::filesystem::path& path, std::string_view key,
                                       const std::function<void(const Json& record)>& each = {});

}  // namespace hearth::seal
