#include "hearth/vault/sealed_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::vault {
namespace {

constexpr std::string_view file_magic = "HRTHSEAL";
constexpr std::string_view record_magic = "HREC";
constexpr std::uint16_t version = 1;
// After damage the next record is looked for among this many later places.
constexpr std::uint64_t skipped_records_max = 1'000'000;

struct RecordHead {
  std::uint32_t type = 0;
  std::uint64_t index = 0;
  std::uint32_t text_bytes = 0;
};

Bytes encode(const RecordHead& head) {
  Bytes out(sealed_record_head_bytes);
  std::memcpy(out.data(), record_magic.data(), record_magic.size());
  std::memcpy(out.data() + 4, &head.type, sizeof(head.type));
  std::memcpy(out.data() + 8, &head.index, sizeof(head.index));
  std::memcpy(out.data() + 16, &head.text_bytes, sizeof(head.text_bytes));
  return out;
}

Result<RecordHead> parse_record_head(ByteSpan bytes) {
  ByteReader reader(bytes);
  if (as_text(TRY(reader.read_bytes(record_magic.size(), "record"))) != record_magic) return fail(Code::corrupt, "no record begins here");
  RecordHead out;
  out.type = TRY(reader.read<std::uint32_t>("type"));
  out.index = TRY(reader.read<std::uint64_t>("index"));
  out.text_bytes = TRY(reader.read<std::uint32_t>("length"));
  if (TRY(reader.read<std::uint32_t>("reserved")) != 0) return fail(Code::corrupt, "the reserved bytes are not zero");
  if (out.text_bytes > sealed_record_bytes_max) return fail(Code::corrupt, fmt::format("a record of {} bytes", out.text_bytes));
  return out;
}

}  // namespace

Result<SealedFileCodec> SealedFileCodec::with_id(const SealedFileId& id, const Secret& collection_key) {
  ByteWriter head;
  head.write_bytes(as_byte_span(file_magic));
  head.write<std::uint16_t>(version);
  head.write<std::uint16_t>(0);
  head.write<std::uint32_t>(0);
  head.write_bytes(id);
  head.write_bytes(Bytes(16));
  CHECK(head.bytes().size() == sealed_head_bytes);
  Secret key = TRY(derive_key(collection_key, "sealed file", id));
  return SealedFileCodec(head.take(), std::move(key));
}

Result<SealedFileCodec> SealedFileCodec::create(const Secret& collection_key) {
  SealedFileId id;
  fill_with_random(id);
  return with_id(id, collection_key);
}

Result<SealedFileCodec> SealedFileCodec::open(ByteSpan head, const Secret& collection_key) {
  ByteReader reader(head);
  if (as_text(TRY(reader.read_bytes(file_magic.size(), "magic"))) != file_magic) return fail(Code::corrupt, "not a sealed file");
  const auto found = TRY(reader.read<std::uint16_t>("version"));
  if (found != version) return fail(Code::unsupported, fmt::format("sealed file of version {}; this program knows {}", found, version));
  TRY(reader.read_bytes(6, "reserved"));
  SealedFileId id;
  std::ranges::copy(TRY(reader.read_bytes(id.size(), "id")), id.begin());
  SealedFileCodec codec = TRY(with_id(id, collection_key));
  if (head.size() < sealed_head_bytes || !std::ranges::equal(codec.head_, head.first(sealed_head_bytes))) {
    return fail(Code::corrupt, "the head of the sealed file is damaged");
  }
  return codec;
}

Bytes SealedFileCodec::associated(ByteSpan more) const {
  ByteWriter out;
  out.write_bytes(head_);
  out.write_bytes(more);
  return out.take();
}

Bytes SealedFileCodec::slot(const SealedExtent& extent, int index) const {
  ByteWriter text;
  text.write(extent.records);
  text.write(extent.bytes);
  const auto place = static_cast<std::byte>(index);
  return encrypt(key_, text.bytes(), associated({&place, 1}));
}

std::optional<SealedExtent> SealedFileCodec::read_slots(ByteSpan file) const {
  std::optional<SealedExtent> best;
  for (int index = 0; index < 2; ++index) {
    const std::size_t offset = sealed_head_bytes + static_cast<std::size_t>(index) * sealed_slot_bytes;
    if (file.size() < offset + sealed_slot_bytes) continue;
    const auto place = static_cast<std::byte>(index);
    const auto text = decrypt(key_, file.subspan(offset, sealed_slot_bytes), associated({&place, 1}));
    if (!text) continue;
    ByteReader reader(*text);
    const SealedExtent extent{reader.read<std::uint64_t>("records").value_or(0), reader.read<std::uint64_t>("bytes").value_or(0)};
    if (!best || extent.records > best->records) best = extent;
  }
  return best;
}

Bytes SealedFileCodec::record(std::uint64_t index, std::uint32_t type, ByteSpan text) const {
  CHECK(text.size() <= sealed_record_bytes_max);
  Bytes out = encode({type, index, static_cast<std::uint32_t>(text.size())});
  const Bytes vouched = associated(out);
  out.resize(sealed_record_head_bytes + text.size() + cipher_overhead_bytes);
  encrypt_into(key_, text, vouched, std::span(out).subspan(sealed_record_head_bytes));
  return out;
}

Result<SealedFileCodec::Found> SealedFileCodec::read_record(ByteSpan rest, std::uint64_t index) const {
  const RecordHead head = TRY(parse_record_head(rest));
  if (head.index != index) return fail(Code::corrupt, fmt::format("record {} lies here", head.index));
  Found out{.type = head.type, .text = {}, .bytes = sealed_record_overhead_bytes + head.text_bytes};
  if (rest.size() < out.bytes) return fail(Code::corrupt, "the file ends inside the record");
  out.text = TRY(decrypt(key_, rest.subspan(sealed_record_head_bytes, out.bytes - sealed_record_head_bytes),
                         associated(rest.first(sealed_record_head_bytes))));
  return out;
}

Result<SealedContents> read_sealed_bytes(ByteSpan file, const Secret& collection_key) {
  const SealedFileCodec codec = TRY(SealedFileCodec::open(file.first(std::min(file.size(), sealed_head_bytes)), collection_key));
  SealedContents out;
  const auto expected = codec.read_slots(file);
  std::size_t at = sealed_records_offset;
  std::uint64_t next = 0;
  while (at < file.size()) {
    auto found = codec.read_record(file.subspan(at), next);
    if (found) {
      at += found->bytes;
      out.records.push_back({next++, found->type, std::move(found->text)});
      if (out.damage.empty()) out.extent = {next, at};
      continue;
    }
    // A record that was being written when the power failed is no loss: nobody was told it was kept.
    const bool is_torn_tail = expected && next >= expected->records && at >= expected->bytes;
    if (is_torn_tail) break;
    const std::size_t bad_at = at;
    const std::uint64_t bad_record = next;
    // The next place where a sound record begins.
    bool is_found = false;
    for (at = bad_at + 1; !is_found && at < file.size();) {
      const auto marker = std::ranges::search(file.subspan(at), as_byte_span(record_magic));
      if (marker.empty()) break;
      at += static_cast<std::size_t>(marker.begin() - file.subspan(at).begin());
      const auto head = parse_record_head(file.subspan(at));
      is_found = head && head->index > bad_record && head->index - bad_record <= skipped_records_max &&
                 codec.read_record(file.subspan(at), head->index).has_value();
      if (is_found) next = head->index;
      else ++at;
    }
    out.damage.push_back(fmt::format("record {}, at byte {}: {}", bad_record, bad_at, found.error().message));
    if (!is_found) break;
  }
  if (!expected && out.records.empty()) {
    return fail(Code::corrupt, "nothing in the file opens with this key: it is another collection's, or all of it is damaged");
  }
  if (!expected) out.damage.push_back("both slots that say how much the file holds are damaged: its end may be missing");
  if (expected && next < expected->records) {
    out.damage.push_back(fmt::format("records {} to {} are missing at the end", next, expected->records - 1));
  }
  return out;
}

}  // namespace hearth::vault
