#pragma once
// Private to shape*.cpp: hyper-parameters by name, "embedding_length" for
// "deepseek2.embedding_length", with errors that name the full key.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hearth/base/result.h"
#include "hearth/model/gguf.h"
#include "hearth/model/shape.h"

namespace hearth::model {

class ShapeKeys {
 public:
  ShapeKeys(const GgufMetadata& metadata, std::string architecture)
      : metadata_(metadata), architecture_(std::move(architecture)) {}

  const GgufMetadata& metadata() const { return metadata_; }
  const std::string& architecture() const { return architecture_; }
  const GgufValue* find(std::string_view key) const;
  // corrupt when absent, or when present as something else than a whole number of 32 bits.
  Result<std::uint32_t> count(std::string_view key) const;
  Result<std::uint32_t> count_or(std::string_view key, std::uint32_t fallback) const;
  Result<double> number_or(std::string_view key, double fallback) const;
  std::string text_or(std::string_view key, std::string_view fallback) const;
  // The value for one layer, whether the file has one for all or an array.
  Result<std::uint32_t> layer_count(std::string_view key, std::uint32_t layer) const;

 private:
  std::unexpected<Error> bad(std::string_view key, std::string_view text) const;
  const GgufMetadata& metadata_;
  std::string architecture_;
};

// What the parts of read_shape fill in, one after another.
Result<> read_layer_kv(const ShapeKeys& keys, ModelShape& shape);
// `block_count` includes prediction layers.
Result<> read_weights(const ModelFiles& files, std::uint32_t block_count, ModelShape& shape);

}  // namespace hearth::model
