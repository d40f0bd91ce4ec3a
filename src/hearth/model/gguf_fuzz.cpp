// Whatever is accepted describes tensors that lie inside the input, and can be measured or refused.
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/model/layout_identity.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  using namespace hearth::model;
  MemorySource source(std::as_bytes(std::span(data, size)));
  auto gguf = read_gguf(source, "fuzz");
  if (!gguf) return 0;
  for (const GgufTensor& tensor : gguf->tensors) {
    CHECK(gguf->data_offset + tensor.offset + tensor.bytes <= size);
  }
  std::vector<ModelShard> shards(1);
  shards[0].path = "fuzz.gguf";
  shards[0].bytes = size;
  shards[0].gguf = *std::move(gguf);
  const auto files = merge_shards(std::move(shards));
  if (!files) return 0;
  (void)gguf_identity(*files);
  (void)tokenizer_digest(files->metadata());
  const auto shape = read_shape(*files);
  if (!shape) return 0;
  CHECK(shape->layer_kv.size() == shape->layers);
  CHECK(shape->weights.layers.size() == shape->layers);
  CHECK(shape->bytes_per_decoded_token <= shape->weights_bytes);
  for (const KvType type : {KvType::f16, KvType::q8_0}) {
    (void)kv_bytes(*shape, type, 1'000'000);
    const auto layout = expected_state_layout(*shape, type, true);
    if (layout && is_sane(*layout)) (void)state_bytes(*layout, 1'024);
  }
  return 0;
}
