// Where the bytes of a model lie, and how many of them one token touches.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "hearth/model/shape_keys.h"

namespace hearth::model {
namespace {

// The layer of "blk.12.attn_q.weight"; nothing for tensors of no layer.
std::optional<std::uint32_t> layer_of(std::string_view name) {
  constexpr std::string_view prefix = "blk.";
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  std::uint32_t layer = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  return layer;
}

// "ffn_gate_exps", and of old files with one tensor per expert "blk.3.ffn_gate.7.weight".
bool is_routed_expert(std::string_view name) {
  if (name.find("_exps.") != std::string_view::npos) return true;
  for (const std::string_view part : {".ffn_gate.", ".ffn_down.", ".ffn_up."}) {
    const std::size_t at = name.find(part);
    if (at == std::string_view::npos) continue;
    const std::size_t next = at + part.size();
    return next < name.size() && name[next] >= '0' && name[next] <= '9';
  }
  return false;
}

std::uint64_t share(std::uint64_t whole, const ExpertShape& experts) {
  return whole / experts.count * experts.used + whole % experts.count * experts.used / experts.count;
}

class WeightCount {
 public:
  WeightCount(ModelShape& shape, std::uint32_t block_count) : shape_(shape), blocks_(block_count) {
    shape_.weights.layers.resize(shape_.layers);
  }

  Result<> add(const GgufTensor& tensor) {
    shape_.parameters_total += tensor.values();
    shape_.weights_bytes += tensor.bytes;
    add_type(tensor);
    const auto layer = layer_of(tensor.name);
    if (!layer) {
      add_outside(tensor);
      return {};
    }
    if (*layer >= blocks_) {
      return fail(Code::corrupt, fmt::format("tensor {} belongs to a layer beyond block_count {}",
                                             tensor.name, blocks_));
    }
    if (*layer >= shape_.layers) {
      shape_.weights.prediction += tensor.bytes;
    } else {
      add_layer(tensor, shape_.weights.layers[*layer]);
    }
    return {};
  }

  Result<> finish() {
    if (!embedding_) return fail(Code::corrupt, "token_embd.weight is missing");
    if (embedding_->shape[0] != shape_.embedding) {
      return fail(Code::corrupt, fmt::format("token_embd.weight is {} wide, embedding_length is {}",
                                             embedding_->shape[0], shape_.embedding));
    }
    if (shape_.vocabulary == 0) {
      shape_.vocabulary = static_cast<std::uint32_t>(std::min<std::uint64_t>(embedding_->shape[1],
                                                                             UINT32_MAX));
    }
    shape_.weights.tied_embedding = !has_output_;
    if (has_output_) {
      shape_.bytes_per_decoded_token += embedding_->bytes / embedding_->shape[1];
    } else {
      touch(*embedding_, /*routed=*/false);
    }
    std::ranges::sort(shape_.tensor_types, [](const TensorTypeTotal& a, const TensorTypeTotal& b) {
      return a.bytes != b.bytes ? a.bytes > b.bytes : a.type < b.type;
    });
    return {};
  }

 private:
  void touch(const GgufTensor& tensor, bool routed) {
    shape_.parameters_active += routed ? share(tensor.values(), *shape_.experts) : tensor.values();
    shape_.bytes_per_decoded_token += routed ? share(tensor.bytes, *shape_.experts) : tensor.bytes;
  }

  void add_layer(const GgufTensor& tensor, LayerWeights& layer) {
    const bool routed = shape_.experts && is_routed_expert(tensor.name);
    layer.bytes += tensor.bytes;
    if (routed) layer.expert_bytes += tensor.bytes;
    touch(tensor, routed);
  }

  void add_outside(const GgufTensor& tensor) {
    if (tensor.name == "token_embd.weight") {
      embedding_ = &tensor;
      shape_.weights.embedding += tensor.bytes;
      return;
    }
    const bool output = tensor.name.starts_with("output");
    has_output_ |= tensor.name == "output.weight";
    (output ? shape_.weights.output : shape_.weights.other) += tensor.bytes;
    touch(tensor, /*routed=*/false);
  }

  void add_type(const GgufTensor& tensor) {
    auto found = std::ranges::find(shape_.tensor_types, tensor.type, &TensorTypeTotal::type);
    if (found == shape_.tensor_types.end()) {
      found = shape_.tensor_types.insert(found, {.type = tensor.type, .tensors = 0, .bytes = 0});
    }
    ++found->tensors;
    found->bytes += tensor.bytes;
  }

  ModelShape& shape_;
  std::uint32_t blocks_;
  const GgufTensor* embedding_ = nullptr;
  bool has_output_ = false;
};

}  // namespace

Result<> read_weights(const ModelFiles& files, std::uint32_t block_count, ModelShape& shape) {
  WeightCount count(shape, block_count);
  for (const ModelTensor& place : files.tensors) TRY(count.add(place.tensor));
  return count.finish();
}

}  // namespace hearth::model
