#include "hearth/cli/vault_codec.h"

#include <fmt/format.h>

#include "hearth/cli/vault_texts.h"

namespace hearth::cli {
namespace {

std::string collection_of(std::string_view session) { return fmt::format("session-{}", session); }

class VaultCodec final : public session::RecordCodec {
 public:
  std::string_view name() const override { return vault_codec_name; }

  Result<std::string> encode(std::string_view session, std::uint64_t index, std::string_view record) override {
    return texts_.seal(collection_of(session), place(session, index), record);
  }

  Result<std::string> decode(std::string_view session, std::uint64_t index, std::string_view line) override {
    return texts_.open(collection_of(session), place(session, index), line);
  }

  Result<> forget(std::string_view session) override { return texts_.forget(collection_of(session)); }

 private:
  static std::string place(std::string_view session, std::uint64_t index) {
    return fmt::format("hearth session record {} {}", session, index);
  }

  VaultTexts texts_;
};

}  // namespace

std::unique_ptr<session::RecordCodec> make_vault_codec() { return std::make_unique<VaultCodec>(); }

}  // namespace hearth::cli
