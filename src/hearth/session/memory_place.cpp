#include "hearth/session/memory_place.h"

namespace hearth::session {
namespace {

class PlainMemory final : public MemoryPlace {
 public:
  explicit PlainMemory(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<MemoryFiles> read() override { return read_memory_folder(folder_); }
  Result<FoldReport> fold(const MemoryFiles& known, const MemoryFiles& wanted, std::string_view stamp) override {
    return fold_memory(folder_, known, wanted, stamp);
  }
  bool is_sealed() const override { return false; }

 private:
  const std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<MemoryPlace> make_plain_memory(std::filesystem::path folder) {
  return std::make_unique<PlainMemory>(std::move(folder));
}

}  // namespace hearth::session
