#pragma once
// The adapter sets of a libllama context: loaded once, applied one at a time.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/engine/engine.h"
#include "hearth/model/adapter_files.h"

struct llama_adapter_lora;
struct llama_context;
struct llama_model;

namespace hearth::engine {

class LlamaAdapters {
 public:
  // The model owns what is loaded.
  static Result<LlamaAdapters> load(llama_model& model, std::vector<model::CheckedSet> sets);

  const std::vector<model::NamedAdapters>& described() const { return described_; }
  Result<AdapterSetId> find(std::string_view name) const;
  // Does nothing when the set is applied already.
  Result<> apply(llama_context* context, AdapterSetId set);

 private:
  struct Loaded {
    std::vector<llama_adapter_lora*> loras;
    std::vector<float> scales;
    std::vector<float> control;  // for the layers from 1 on; empty: nothing is added
  };
  Result<> apply_control(llama_context* context, const std::vector<float>& control);

  std::vector<Loaded> sets_ = std::vector<Loaded>(1);  // the first is the bare model
  std::vector<model::NamedAdapters> described_;        // the others
  std::int32_t width_ = 0;
  std::optional<AdapterSetId> applied_ = AdapterSetId{};  // nothing: a change failed half way
};

}  // namespace hearth::engine
