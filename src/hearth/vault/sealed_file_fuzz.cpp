// Sealed files and key files from outside. The key is fixed, so that seeds can hold sound records.
#include "hearth/base/check.h"
#include "hearth/vault/keeper_protocol.h"
#include "hearth/vault/key_file.h"
#include "hearth/vault/sealed_file.h"

using namespace hearth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const vault::Secret key = [] {
    Bytes bytes(vault::key_bytes, std::byte{7});
    return vault::Secret::copy_of(bytes).value();
  }();
  const ByteSpan bytes = std::as_bytes(std::span(data, size));
  if (const auto contents = vault::read_sealed_bytes(bytes, key)) {
    CHECK(contents->extent.bytes <= std::max<std::uint64_t>(bytes.size(), vault::sealed_records_offset));
    CHECK(contents->extent.records <= contents->records.size());
  }
  (void)vault::parse_vault_key_file(bytes);
  (void)vault::open_collection_key_file({}, key, bytes);
  if (size >= vault::ask_head_bytes) (void)vault::parse_ask_head(bytes.first<vault::ask_head_bytes>());
  return 0;
}
