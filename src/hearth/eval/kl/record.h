#pragma once
// The files of a KL comparison (docs/formats/kl_record.md): what the reference foretold at every
// position, and what became of it with a candidate. A header, then blocks that are only appended.
// Killed at any byte, a file loses at most the block in flight.
//
// One thread owns an object; one process writes a file. Reading needs memory for one block and, of a
// reference, for the texts' tokens.

#include <filesystem>
#include <optional>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/file.h"
#include "hearth/base/json.h"
#include "hearth/eval/kl/scored_text.h"
#include "hearth/eval/statistics/divergence.h"

namespace hearth::eval {

// What is needed to know a model again.
struct ModelMark {
  std::string name;       // of the file, for people
  std::string weights;    // digest, hex
  std::string tokenizer;  // digest, hex
  std::string engine;     // build that computed
};
Json model_mark_json(const ModelMark& mark);
Result<ModelMark> model_mark_from_json(const Json& json);

enum class RecordKind : std::uint32_t { reference = 1, comparison = 2 };

struct RecordHeader {
  RecordKind kind = RecordKind::reference;
  ModelMark model;
  std::uint32_t vocabulary = 0;
  std::uint32_t top = 0;  // entries of a reference's rows: 256, or the vocabulary
  WindowOptions windows;
  std::string texts;                // digest of what the texts were made of, hex
  std::string reference;            // of a comparison: RecordFile::digest of what it compares with
  std::vector<ScoredText> content;  // of a reference

  std::vector<ScoreBlock> plan() const;  // of a reference
};

inline constexpr std::uint64_t record_json_bytes_max = 64u << 20;

// The header's bytes, and back from the bytes of a file. corrupt for what encode_header cannot have made.
Bytes encode_header(const RecordHeader& header);
struct ParsedHeader {
  RecordHeader header;
  std::size_t bytes = 0;
};
Result<ParsedHeader> parse_header(ByteSpan bytes);
// invalid_argument, naming the setting, when a found file was made for something else.
Result<> check_same_work(const RecordHeader& found, const RecordHeader& wanted,
                         const std::filesystem::path& path);
// Of whole rows, one after another.
Bytes encode_rows(std::span<const TopDistribution> rows);
Bytes encode_rows(std::span<const PositionDivergence> rows);
Result<std::vector<TopDistribution>> parse_reference_rows(ByteSpan bytes, std::uint32_t top,
                                                          std::uint32_t vocabulary);
Result<std::vector<PositionDivergence>> parse_comparison_rows(ByteSpan bytes);

class RecordFile {
 public:
  // A new file; `path` must not exist. The header is on disk when this returns.
  static Result<RecordFile> create(const std::filesystem::path& path, RecordHeader header);
  // An existing one, for its header. unavailable while another process has it open.
  static Result<RecordFile> open(const std::filesystem::path& path);
  // Before blocks are read or appended: checks those that are there. What a kill left of a last block
  // is cut off; damage before it is corrupt.
  Result<> resume(std::span<const ScoreBlock> plan);

  const RecordHeader& header() const { return header_; }
  const Digest256& digest() const { return digest_; }  // of the header's bytes
  std::size_t blocks() const {
    return offsets_.empty() ? 0 : offsets_.size() - 1;
  }  // complete ones, from the plan's first on

  Result<> append(ByteSpan payload);
  Result<Bytes> read(std::size_t block) const;  // its payload, checked

 private:
  RecordFile() = default;
  static Result<RecordFile> opened(const std::filesystem::path& path, int flags);
  std::uint64_t payload_bytes(const ScoreBlock& block) const;
  Result<Bytes> read_block(std::size_t block, std::uint64_t offset,
                           std::uint64_t payload_bytes) const;
  Result<> write(ByteSpan bytes);

  std::filesystem::path path_;
  FileDescriptor file_;
  std::uint64_t header_bytes_ = 0;
  RecordHeader header_;
  Digest256 digest_;
  std::vector<std::uint64_t> offsets_;  // where each block begins, and where the file ends
};

}  // namespace hearth::eval
