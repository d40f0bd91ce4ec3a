#include "hearth/model/adapter_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>

#include "hearth/base/file.h"

namespace hearth::model {
namespace {

constexpr std::size_t digest_block_bytes = 1 << 20;
constexpr std::string_view direction_prefix = "direction.";
constexpr std::uint32_t type_f32 = 0;
// What the converters write, and every backend multiplies by.
constexpr std::array<std::uint32_t, 4> lora_types = {0 /*f32*/, 1 /*f16*/, 8 /*q8_0*/, 30 /*bf16*/};
constexpr std::string_view convert_hint = "make it with convert_lora_to_gguf.py from the base model that is served";

// A file under check: what is said of it begins with its name.
struct Checked {
  const AdapterFile& file;
  Gguf gguf;

  template <class... Arguments>
  std::unexpected<Error> refuse(Code code, fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
    return fail(code, fmt::format("{}: {}", file.path.string(),
                                  fmt::format(text, std::forward<Arguments>(arguments)...)));
  }
  std::string text(std::string_view key) const {
    const GgufValue* value = find_value(gguf.metadata, key);
    const std::string* found = value != nullptr ? value->as_string() : nullptr;
    return found != nullptr ? *found : "";
  }
};

std::string dimensions(const GgufTensor& tensor) {
  return fmt::format("{} x {} x {}", tensor.shape[0], tensor.shape[1], tensor.shape[2]);
}

const GgufTensor* find_tensor(const ModelFiles& files, std::string_view name) {
  const auto found = std::ranges::find_if(files.tensors, [&](const ModelTensor& t) { return t.tensor.name == name; });
  return found != files.tensors.end() ? &found->tensor : nullptr;
}

Result<Digest256> file_digest(const std::filesystem::path& path) {
  const ReadableFile file = TRY(ReadableFile::open(path));
  Blake2b hash;
  Bytes block(digest_block_bytes);
  for (std::uint64_t at = 0; at < file.size_bytes(); at += block.size()) {
    const auto count = std::min<std::uint64_t>(block.size(), file.size_bytes() - at);
    const std::span<std::byte> part = std::span(block).first(static_cast<std::size_t>(count));
    TRY(file.read_at(at, part));
    hash.update(part);
  }
  return hash.finish();
}

// --- LoRA

struct LoraPair {
  const GgufTensor* a = nullptr;
  const GgufTensor* b = nullptr;
};
using LoraPairs = std::map<std::string, LoraPair, std::less<>>;

Result<> check_lora_metadata(const Checked& lora, const std::string& architecture) {
  const std::string type = lora.text("general.type");
  if (type != "adapter") {
    return lora.refuse(Code::invalid_argument, "not an adapter (general.type is '{}', expected 'adapter'); {}", type,
                       convert_hint);
  }
  const std::string kind = lora.text("adapter.type");
  if (kind != "lora") {
    return lora.refuse(Code::unsupported, "an adapter of type '{}'; only 'lora' can be applied", kind);
  }
  const std::string its = lora.text("general.architecture");
  if (its != architecture) {
    return lora.refuse(Code::invalid_argument, "made for the architecture '{}', the model is '{}'; {}", its,
                       architecture, convert_hint);
  }
  if (find_value(lora.gguf.metadata, "adapter.alora.invocation_tokens") != nullptr) {
    return lora.refuse(Code::unsupported, "an activated LoRA, which changes a prompt only from certain tokens on; "
                                          "use an ordinary one");
  }
  const GgufValue* alpha = find_value(lora.gguf.metadata, "adapter.lora.alpha");
  if (alpha == nullptr) return {};
  const double value = alpha->as_number().value_or(0);
  // A number of another type ends the process, and 0 stands for "not given".
  if (alpha->type != GgufType::f32 || !std::isfinite(value) || value == 0) {
    return lora.refuse(Code::invalid_argument, "adapter.lora.alpha is {} of type {}, which the engine would ignore; "
                                               "expected a 32-bit number other than 0",
                       value, gguf_type_name(alpha->type));
  }
  return {};
}

Result<LoraPairs> pair_tensors(const Checked& lora) {
  LoraPairs pairs;
  for (const GgufTensor& tensor : lora.gguf.tensors) {
    const std::string_view name = tensor.name;
    const bool is_a = name.ends_with(".lora_a");
    if (!is_a && !name.ends_with(".lora_b")) {
      return lora.refuse(Code::unsupported, "tensor {} is no part of a low-rank update, and the engine would pass over "
                                            "it; leave it out of the training or merge it into the model", name);
    }
    if (std::ranges::find(lora_types, tensor.type) == lora_types.end()) {
      return lora.refuse(Code::unsupported, "tensor {} has the number format {}; convert with --outtype f16", name,
                         find_ggml_type(tensor.type)->name);
    }
    LoraPair& pair = pairs[std::string(name.substr(0, name.size() - std::string_view(".lora_a").size()))];
    (is_a ? pair.a : pair.b) = &tensor;
  }
  if (pairs.empty()) return lora.refuse(Code::invalid_argument, "it has no tensors; {}", convert_hint);
  return pairs;
}

Result<> check_pair(const Checked& lora, const std::string& name, const LoraPair& pair, const AdapterBase& base) {
  if (pair.a == nullptr || pair.b == nullptr) {
    return lora.refuse(Code::corrupt, "tensor {} has lora_{} but no lora_{}; convert it again", name,
                       pair.a ? 'a' : 'b', pair.a ? 'b' : 'a');
  }
  const GgufTensor* target = find_tensor(base.files, name);
  if (target == nullptr) {
    return lora.refuse(Code::invalid_argument, "the model has no tensor {}; {}", name, convert_hint);
  }
  if (!takes_lora(*target, base)) {
    return lora.refuse(Code::unsupported, "the engine would pass over the update of {}; leave that tensor out of the "
                                          "training or merge it into the model", name);
  }
  // Embeddings are looked up by row, so their two factors are the other way round.
  const bool is_embedding = name == "token_embd.weight";
  const GgufTensor& a = *pair.a;
  const GgufTensor& b = *pair.b;
  const bool fits = is_embedding
                        ? b.shape[1] == target->shape[0] && a.shape[1] == target->shape[1] && a.shape[0] == b.shape[0]
                        : a.shape[0] == target->shape[0] && b.shape[1] == target->shape[1] && a.shape[1] == b.shape[0];
  const bool same_planes = a.shape[2] == target->shape[2] && b.shape[2] == target->shape[2] &&
                           a.shape[3] == 1 && b.shape[3] == 1;
  if (!fits || !same_planes) {
    return lora.refuse(Code::invalid_argument, "{} is {} in the model, the factors are {} and {}; {}", name,
                       dimensions(*target), dimensions(a), dimensions(b), convert_hint);
  }
  return {};
}

// --- Control vectors

Result<std::uint32_t> direction_layer(const Checked& vector, const GgufTensor& tensor, const ModelShape& shape) {
  const std::string_view name = tensor.name;
  std::uint32_t layer = 0;
  bool is_number = false;
  if (name.starts_with(direction_prefix)) {
    const std::string_view digits = name.substr(direction_prefix.size());
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    is_number = error == std::errc() && end == digits.data() + digits.size();
  }
  if (!is_number) {
    return vector.refuse(Code::invalid_argument, "tensor {} is not one of a control vector; expected direction.LAYER", name);
  }
  if (layer == 0 || layer >= shape.layers) {
    return vector.refuse(Code::invalid_argument, "tensor {}: the model has layers 1 to {} to add to, and the engine would "
                                                 "pass over others; it is for another model", name, shape.layers - 1);
  }
  if (tensor.type != type_f32 || tensor.shape[0] != shape.embedding || tensor.values() != shape.embedding) {
    return vector.refuse(Code::invalid_argument, "tensor {} has {} numbers of type {}; this model is {} wide, and takes f32",
                         name, tensor.values(), find_ggml_type(tensor.type)->name, shape.embedding);
  }
  return layer;
}

Result<> check_vector_metadata(const Checked& vector, const std::string& architecture) {
  const std::string kind = vector.text("general.architecture");
  if (kind != "controlvector") {
    return vector.refuse(Code::invalid_argument, "not a control vector (general.architecture is '{}', expected "
                                                 "'controlvector')", kind);
  }
  const std::string hint = vector.text("controlvector.model_hint");
  if (hint.empty() || hint == architecture) return {};
  return vector.refuse(Code::invalid_argument, "made for the architecture '{}', the model is '{}'", hint, architecture);
}

Result<> add_direction(const ReadableFile& bytes, const Checked& vector, const GgufTensor& tensor, std::span<float> out) {
  std::vector<float> numbers(out.size());
  TRY(bytes.read_at(vector.gguf.data_offset + tensor.offset, std::as_writable_bytes(std::span(numbers))));
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (!std::isfinite(numbers[i])) {
      return vector.refuse(Code::corrupt, "tensor {}: number {} is not finite", tensor.name, i);
    }
    out[i] = static_cast<float>(vector.file.scale) * numbers[i];
  }
  return {};
}

// Multi-token prediction: layers behind the model's own, which are not loaded.
bool is_of_prediction(std::string_view name, const ModelShape& shape) {
  constexpr std::string_view prefix = "blk.";
  std::uint32_t layer = 0;
  if (!name.starts_with(prefix)) return false;
  const std::string_view rest = name.substr(prefix.size());
  (void)std::from_chars(rest.data(), rest.data() + rest.size(), layer);
  return layer >= shape.layers;
}

}  // namespace

bool takes_lora(const GgufTensor& tensor, const AdapterBase& base) {
  const std::string_view name = tensor.name;
  if (!name.ends_with(".weight") || tensor.shape[1] == 1 || is_of_prediction(name, base.shape)) return false;
  // The head of a model without one of its own is the embedding: the engine would multiply by the
  // factors the wrong way round.
  if (name == "token_embd.weight") return !base.shape.weights.tied_embedding;
  const auto is_among = [&](std::span<const std::string_view> ends) {
    return std::ranges::any_of(ends, [&](std::string_view end) { return name.ends_with(end); });
  };
  constexpr std::array<std::string_view, 4> elsewhere = {".attn_k_b.weight", ".attn_v_b.weight", ".attn_kv_b.weight",
                                                         ".ssm_conv1d.weight"};
  constexpr std::array<std::string_view, 5> elsewhere_with_mla = {".attn_q.weight", ".attn_q_a.weight", ".attn_q_b.weight",
                                                                  ".attn_kv_a_mqa.weight", "output.weight"};
  if (base.shape.mla && !name.ends_with(".attn_output.weight") && is_among(elsewhere_with_mla)) return false;
  return !is_among(elsewhere);
}

Result<Adapter> check_lora(const AdapterFile& file, const AdapterBase& base) {
  const Checked lora{file, TRY(read_gguf_file(file.path))};
  TRY(check_lora_metadata(lora, base.shape.architecture));
  const LoraPairs pairs = TRY(pair_tensors(lora));
  for (const auto& [name, pair] : pairs) TRY(check_pair(lora, name, pair, base));
  return Adapter{.digest = TRY(file_digest(file.path)), .scale = file.scale};
}

Result<ControlVector> read_control_vector(const AdapterFile& file, const AdapterBase& base) {
  const Checked vector{file, TRY(read_gguf_file(file.path))};
  const ModelShape& shape = base.shape;
  TRY(check_vector_metadata(vector, shape.architecture));
  if (file.layers && file.layers->last >= shape.layers) {
    return vector.refuse(Code::invalid_argument, "layers {} to {} are asked for; the model has layers 1 to {} to add to",
                         file.layers->first, file.layers->last, shape.layers - 1);
  }
  const LayerRange range = file.layers.value_or(LayerRange{1, shape.layers - 1});
  const ReadableFile bytes = TRY(ReadableFile::open(file.path));
  ControlVector out;
  out.values.resize(std::size_t{shape.layers - 1} * shape.embedding);
  std::size_t used = 0;
  for (const GgufTensor& tensor : vector.gguf.tensors) {
    const std::uint32_t layer = TRY(direction_layer(vector, tensor, shape));
    if (layer < range.first || layer > range.last) continue;
    const auto values = std::span(out.values).subspan(std::size_t{layer - 1} * shape.embedding, shape.embedding);
    TRY(add_direction(bytes, vector, tensor, values));
    ++used;
  }
  if (used == 0) {
    return vector.refuse(Code::invalid_argument, "it has nothing for the layers {} to {}", range.first, range.last);
  }
  out.identity = {.digest = TRY(file_digest(file.path)), .scale = file.scale, .layers = range};
  return out;
}

Result<std::vector<CheckedSet>> check_adapters(std::span<const AdapterSet> sets, const AdapterBase& base) {
  TRY(check_adapter_sets(sets));
  std::vector<CheckedSet> out;
  for (const AdapterSet& set : sets) {
    CheckedSet& checked = out.emplace_back();
    checked.identity.name = set.name;
    for (const AdapterFile& file : set.files) {
      if (file.kind == AdapterKind::lora) {
        checked.identity.adapters.push_back(TRY(check_lora(file, base)));
        checked.loras.push_back(file);
        continue;
      }
      const ControlVector vector = TRY(read_control_vector(file, base));
      checked.identity.adapters.push_back(vector.identity);
      checked.control.resize(vector.values.size());
      std::ranges::transform(checked.control, vector.values, checked.control.begin(), std::plus<>());
    }
  }
  return out;
}

}  // namespace hearth::model
