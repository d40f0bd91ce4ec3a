#pragma once
// What happened in an experiment, in order: an append-only file of JSON lines. Each line names the
// digest of the one before it, so that nothing can be changed or left out unnoticed; each is on
// disk before the next step begins. A last line that was cut (kill -9, power) is dropped.
//
//   {"n":3,"previous":"<BLAKE2b of line 2>","time":"2026-04-23T09:00:00Z","event":"step_ended",...}
//
// The clock's time is for people; nothing is decided by it. One thread; one process (locked).
// Errors: corrupt (a line does not follow from the one before it), unavailable (another process
// has it), resource_exhausted (disk full), others of the file system.

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/file.h"
#include "hearth/base/json.h"

namespace hearth::experiment {

struct Event {
  std::string kind;  // "phase_began", "step_began", "step_ended", "step_void", "gate", "gate_opened", "files_seen"
  Json facts;        // its members beside n, previous, time and event
  std::string time;
};

// The lines of a ledger, checked. `whole_bytes`: up to the end of the last whole line.
struct LedgerText {
  std::vector<Event> events;
  std::string last_digest;
  std::uint64_t whole_bytes = 0;
};
Result<LedgerText> read_ledger(std::string_view text, std::string_view name);

class Ledger {
 public:
  using WallTime = std::function<std::string()>;  // ISO 8601
  // Makes the file where there is none.
  static Result<Ledger> open(const std::filesystem::path& path, WallTime now);
  // As it is now, whether or not another process writes it; append() is not allowed. Empty when there is none.
  static Result<Ledger> look(const std::filesystem::path& path);
  const std::vector<Event>& events() const { return events_; }
  // Looked at while another process had it: what has begun goes on there.
  bool is_written_elsewhere() const { return is_written_elsewhere_; }
  Result<> append(std::string kind, Json facts);
  // Before what takes long: on a disk that fills meanwhile the next line still finds its place. Nothing, where the file
  // system cannot.
  Result<> reserve_next_line();

 private:
  Ledger(FileDescriptor file, std::filesystem::path path, LedgerText text, WallTime now)
      : file_(std::move(file)), path_(std::move(path)), events_(std::move(text.events)),
        last_digest_(std::move(text.last_digest)), whole_bytes_(text.whole_bytes), now_(std::move(now)) {}

  FileDescriptor file_;
  std::filesystem::path path_;
  std::vector<Event> events_;
  std::string last_digest_;
  std::uint64_t whole_bytes_;
  WallTime now_;
  bool is_written_elsewhere_ = false;
};

inline constexpr std::uint64_t ledger_bytes_max = 64u << 20;
inline constexpr std::uint64_t reserved_line_bytes = 16u << 10;  // a step's end takes one

}  // namespace hearth::experiment
