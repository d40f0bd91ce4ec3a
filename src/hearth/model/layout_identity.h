#pragma once
// Everything that must be equal on two machines before one may use the other's KV, because the
// state blob names none of it: the file, the tokenizer, rope, cache types, flash attention,
// adapters, the blob layout, our own revision. The engine's build number is deliberately absent:
// it is provenance, or every update would throw the store away.
//
// Values; pure, save weights_fingerprint, which reads a little of every tensor.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/digest.h"
#include "hearth/base/json.h"
#include "hearth/base/result.h"
#include "hearth/model/chain.h"
#include "hearth/model/ggml_type.h"
#include "hearth/model/shape.h"
#include "hearth/model/shards.h"
#include "hearth/model/state_layout.h"

namespace hearth::model {

// Raised when we change what a stored blob means.
inline constexpr std::uint32_t layout_revision = 1;
inline constexpr std::size_t adapters_max = 16;

// Both ends included, counted from 0.
struct LayerRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const LayerRange&) const = default;
};

struct Adapter {
  Digest256 digest;   // of the whole file
  double scale = 1.0;
  std::optional<LayerRange> layers{};  // of a control vector: where it is added
  bool operator==(const Adapter&) const = default;
};

struct LayoutIdentity {
  std::uint32_t revision = layout_revision;
  std::string architecture;
  Digest256 gguf;       // gguf_identity
  Digest256 weights;    // weights_fingerprint
  Digest256 tokenizer;  // tokenizer_digest
  std::uint32_t layers = 0;
  KvType k_type = KvType::f16;
  KvType v_type = KvType::f16;
  bool flash_attention = true;
  std::uint32_t stream_count = 1;
  RopeShape rope;  // as in force, overrides included
  std::vector<Adapter> adapters;
  StateLayout state;
  bool operator==(const LayoutIdentity&) const = default;
};

LayoutDigest layout_digest(const LayoutIdentity& identity);
// "k_type: f16 against q8_0": the first field that differs, `a` first. Nothing when equal.
std::optional<std::string> describe_difference(const LayoutIdentity& a, const LayoutIdentity& b);

Json identity_json(const LayoutIdentity& identity);
// invalid_argument naming the member.
Result<LayoutIdentity> identity_from_json(const Json& json);

Json adapters_json(std::span<const Adapter> adapters);
// The member "adapters" of `json`.
Result<std::vector<Adapter>> adapters_from_json(const Json& json);

// Metadata and tensor table (names, types, shapes), however the model is split. Left out: the
// split itself, who made the file and where it came from, chat templates.
Digest256 gguf_identity(const ModelFiles& files);
// Two fine-tunes of one model have the same gguf_identity if nobody renamed them. This reads up to
// 4 KiB from the middle of every tensor and tells them apart without reading 500 GB.
Result<Digest256> weights_fingerprint(const ModelFiles& files);
// All of tokenizer.* but the chat templates.
Digest256 tokenizer_digest(const GgufMetadata& metadata);

}  // namespace hearth::model
