#pragma once
// Where sessions are kept: a file each, records appended one a line, the first line saying how the
// others are written. One writer a session at a time, whichever process; any number of readers.
//
// How a record becomes a line is a RecordCodec: plain lines are JSON, those of sealed sessions are
// encrypted by the vault. The shelf knows no content. Thread-safe; a log is one thread's.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"

namespace hearth::session {

inline constexpr std::size_t session_id_bytes_max = 64;
inline constexpr std::uint64_t session_file_bytes_max = 1ull << 30;

// Letters, digits, '-' and '_', not the first: a name that is a file name everywhere.
Result<> check_session_id(std::string_view id);

class RecordCodec {
 public:
  virtual ~RecordCodec() = default;
  virtual std::string_view name() const = 0;  // of the first line: "plain"
  // `index` counts a session's records from 0: a line moved elsewhere must not decode.
  virtual Result<std::string> encode(std::string_view session, std::uint64_t index, std::string_view record) = 0;
  virtual Result<std::string> decode(std::string_view session, std::uint64_t index, std::string_view line) = 0;
  // The session is about to be removed: what it was written with is of no more use.
  virtual Result<> forget(std::string_view) { return {}; }
};
std::unique_ptr<RecordCodec> make_plain_codec();

class SessionLog {
 public:
  virtual ~SessionLog() = default;
  virtual const std::string& id() const = 0;
  // On the disk when it returns.
  virtual Result<> append(std::string_view record) = 0;
};

struct SessionText {
  std::string codec;                 // how it is written
  std::vector<std::string> records;
  std::vector<std::string> damaged;  // "line 7: ...", where `tolerant`
  bool torn = false;                 // the last write did not end; what it had is left out
};

class SessionShelf {
 public:
  // The directory is made when the first session is. `codecs` beside the plain one.
  SessionShelf(std::filesystem::path directory, std::vector<std::unique_ptr<RecordCodec>> codecs = {});
  ~SessionShelf();

  Result<std::vector<std::string>> ids() const;  // sorted
  std::filesystem::path path_of(std::string_view id) const;
  // invalid_argument when there is one of that name, or no such codec.
  Result<std::unique_ptr<SessionLog>> create(std::string_view id, std::string_view codec = "plain");
  // To write on. unavailable, naming who, while another process has it open.
  Result<std::unique_ptr<SessionLog>> open(std::string_view id, std::string* codec_name = nullptr);
  // corrupt names the line, unless `tolerant`: then readable records are given and the others named.
  Result<SessionText> read(std::string_view id, bool tolerant = false) const;
  Result<> remove(std::string_view id);

 private:
  Result<RecordCodec*> codec_named(std::string_view name) const;
  const std::filesystem::path directory_;
  std::vector<std::unique_ptr<RecordCodec>> codecs_;
};

}  // namespace hearth::session
