#include "hearth/engine/llama_adapters.h"

#include <fmt/format.h>
#include <llama.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "hearth/base/check.h"
#include "hearth/engine/llama_process.h"

namespace hearth::engine {
namespace {

// A file that several sets name is loaded once.
class LoraFiles {
 public:
  explicit LoraFiles(llama_model& model) : model_(model) {}
  Result<llama_adapter_lora*> load(const std::filesystem::path& path) {
    const auto found = loaded_.find(path);
    if (found != loaded_.end()) return found->second;
    llama_adapter_lora* lora = llama_adapter_lora_init(&model_, path.c_str());
    if (lora == nullptr) {
      return fail(Code::unsupported,
                  fmt::format("the engine cannot load the LoRA {}: {}", path.string(), last_complaint()));
    }
    loaded_.emplace(path, lora);
    return lora;
  }

 private:
  llama_model& model_;
  std::map<std::filesystem::path, llama_adapter_lora*> loaded_;
};

}  // namespace

Result<LlamaAdapters> LlamaAdapters::load(llama_model& model, std::vector<model::CheckedSet> sets) {
  LlamaAdapters out;
  out.width_ = llama_model_n_embd(&model);
  LoraFiles files(model);
  for (model::CheckedSet& set : sets) {
    Loaded& loaded = out.sets_.emplace_back();
    for (const model::AdapterFile& file : set.loras) {
      loaded.loras.push_back(TRY(files.load(file.path)));
      loaded.scales.push_back(static_cast<float>(file.scale));
    }
    loaded.control = std::move(set.control);
    out.described_.push_back(std::move(set.identity));
  }
  return out;
}

Result<AdapterSetId> LlamaAdapters::find(std::string_view name) const {
  if (name.empty()) return AdapterSetId{};
  const auto found = std::ranges::find(described_, name, &model::NamedAdapters::name);
  if (found == described_.end()) return std::unexpected(model::no_such_adapter(name, described_));
  return AdapterSetId{static_cast<std::uint32_t>(found - described_.begin()) + 1};
}

Result<> LlamaAdapters::apply(llama_context* context, AdapterSetId set) {
  if (applied_ == set) return {};
  CHECK(set.value < sets_.size());
  applied_.reset();
  Loaded& wanted = sets_[set.value];
  const int status =
      llama_set_adapters_lora(context, wanted.loras.data(), wanted.loras.size(), wanted.scales.data());
  if (status != 0) {
    return fail(Code::internal, fmt::format("the engine did not apply the adapters (status {}): {}", status,
                                            last_complaint()));
  }
  TRY(apply_control(context, wanted.control));
  applied_ = set;
  return {};
}

Result<> LlamaAdapters::apply_control(llama_context* context, const std::vector<float>& control) {
  // Where no set has any, the engine keeps no room for them.
  if (std::ranges::all_of(sets_, [](const Loaded& set) { return set.control.empty(); })) return {};
  const float* values = control.empty() ? nullptr : control.data();
  const auto layers = static_cast<std::int32_t>(control.size()) / width_;  // from 1 on
  const int status = llama_set_adapter_cvec(context, values, control.size(), width_, 1, layers);
  if (status == 0) return {};
  return fail(Code::internal, fmt::format("the engine did not apply the control vector (status {}): {}", status,
                                          last_complaint()));
}

}  // namespace hearth::engine
