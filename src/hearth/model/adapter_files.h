#pragma once
// Checks LoRA adapters and control vectors against the model they are for, before the engine sees
// them. libllama ends the process at some faults, and passes over others without a word: a tensor it
// applies nowhere, a factor of 0. Here each is refused by the name of the file and of the tensor.
//
// Reads the files' headers, a control vector's values, and all bytes once for the digest.
// Errors: corrupt for damage, invalid_argument for what does not fit this model, unsupported for
// what no model of ours can use.

#include <vector>

#include "hearth/base/result.h"
#include "hearth/model/adapter_set.h"
#include "hearth/model/shape.h"
#include "hearth/model/shards.h"

namespace hearth::model {

struct AdapterBase {
  const ModelFiles& files;
  const ModelShape& shape;
};

// `file` as part of a KV layout.
Result<Adapter> check_lora(const AdapterFile& file, const AdapterBase& base);

struct ControlVector {
  Adapter identity;
  // For the layers from 1 on, base.shape.embedding numbers each, times the scale; zeros where nothing
  // is added.
  std::vector<float> values;
};
Result<ControlVector> read_control_vector(const AdapterFile& file, const AdapterBase& base);

// A set whose files all fit.
struct CheckedSet {
  NamedAdapters identity;
  std::vector<AdapterFile> loras;
  std::vector<float> control;  // the sum of its control vectors, as ControlVector::values; may be empty
};
// In their order.
Result<std::vector<CheckedSet>> check_adapters(std::span<const AdapterSet> sets, const AdapterBase& base);

// Whether the engine has a place for a low-rank update of this tensor of a model. It multiplies by
// some matrices in ways of its own (with MLA all of attention but its output, and the head; the short
// convolution of recurrent layers), and adds no update to norms. engine/llama_adapters_test.cpp holds
// this against the engine.
bool takes_lora(const GgufTensor& tensor, const AdapterBase& base);

}  // namespace hearth::model
