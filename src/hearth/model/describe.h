#pragma once
// A model described for programs and for people. Pure.

#include <string>

#include "hearth/base/json.h"
#include "hearth/model/shape.h"
#include "hearth/model/shards.h"

namespace hearth::model {

// architecture, name, parameters_total, parameters_active, layers, kv_bytes_per_token {f16, q8_0},
// bytes_per_decoded_token, shards [{file, bytes}], and context_length, vocabulary, kv_kind, mla,
// experts, weights_bytes, tensor_types [{type, tensors, bytes}]. A KV type whose blocks the rows
// do not fill is null; mla and experts are null for models without them.
Json model_json(const ModelFiles& files, const ModelShape& shape);
// The same as a table of lines.
std::string model_text(const ModelFiles& files, const ModelShape& shape);

}  // namespace hearth::model
