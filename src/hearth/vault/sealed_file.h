#pragma once
// The one format in which sealed text lies on a disk: a head, two slots that say how much there must
// be, and records, each sealed on its own with its place in the file. docs/formats/sealed_file.md has
// every byte. A changed, moved, repeated or exchanged record and a cut end are found; what is whole
// beside a damaged record is still read. What cannot be found: a whole older version of the file.
//
// Pure, over bytes. sealed_log.h puts it on disks.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "hearth/vault/cipher.h"

namespace hearth::vault {

inline constexpr std::size_t sealed_head_bytes = 48;
inline constexpr std::size_t sealed_slot_bytes = cipher_overhead_bytes + 16;
inline constexpr std::size_t sealed_records_offset = sealed_head_bytes + 2 * sealed_slot_bytes;
inline constexpr std::size_t sealed_record_head_bytes = 24;
inline constexpr std::size_t sealed_record_overhead_bytes = sealed_record_head_bytes + cipher_overhead_bytes;
inline constexpr std::size_t sealed_record_bytes_max = 16u << 20;  // of text
inline constexpr std::uint64_t sealed_file_bytes_max = 4ull << 30;

using SealedFileId = std::array<std::byte, 16>;

// How much a file holds when it is whole.
struct SealedExtent {
  std::uint64_t records = 0;
  std::uint64_t bytes = sealed_records_offset;  // where the next record goes
  bool operator==(const SealedExtent&) const = default;
};

// A file's own key and the head that every record vouches for.
class SealedFileCodec {
 public:
  static Result<SealedFileCodec> create(const Secret& collection_key);  // a new file, a new id
  // corrupt (not a sealed file), unsupported (version).
  static Result<SealedFileCodec> open(ByteSpan head, const Secret& collection_key);

  const Bytes& head() const { return head_; }
  Bytes slot(const SealedExtent& extent, int index) const;
  Bytes record(std::uint64_t index, std::uint32_t type, ByteSpan text) const;
  // The larger of the slots that are sound; nothing when neither is.
  std::optional<SealedExtent> read_slots(ByteSpan file) const;

  struct Found {
    std::uint32_t type = 0;
    Bytes text;
    std::size_t bytes = 0;  // in the file
  };
  // corrupt also for a sound record of another place.
  Result<Found> read_record(ByteSpan rest, std::uint64_t index) const;

 private:
  SealedFileCodec(Bytes head, Secret key) : head_(std::move(head)), key_(std::move(key)) {}
  static Result<SealedFileCodec> with_id(const SealedFileId& id, const Secret& collection_key);
  Bytes associated(ByteSpan more) const;
  Bytes head_;
  Secret key_;
};

struct SealedRecord {
  std::uint64_t index = 0;
  std::uint32_t type = 0;
  Bytes text;
};
struct SealedContents {
  std::vector<SealedRecord> records;
  std::vector<std::string> damage;  // "record 4, at byte 1200: ..."; empty: the file is whole
  SealedExtent extent;              // of what is whole, for appending
};
// Reads all that can be read. An error only when the head is not one, or the key is not the file's.
Result<SealedContents> read_sealed_bytes(ByteSpan file, const Secret& collection_key);

}  // namespace hearth::vault
