#include "hearth/model/architectures.h"

#include <algorithm>
#include <array>

namespace hearth::model {
namespace {

// `unknown` is an answer too: the weights can be planned, the KV must not be chunked.
constexpr auto table = std::to_array<Architecture>({
    {"apertus", KvKind::attention},
    {"arcee", KvKind::attention},
    {"bailingmoe", KvKind::attention},
    {"bailingmoe2", KvKind::attention},
    {"cohere2", KvKind::sliding_window, 4},
    {"command-r", KvKind::attention},
    {"deepseek", KvKind::attention},
    {"deepseek2", KvKind::mla},
    {"deepseek32", KvKind::mla},
    {"deepseek4", KvKind::unknown},
    {"dots1", KvKind::attention},
    {"ernie4_5", KvKind::attention},
    {"ernie4_5-moe", KvKind::attention},
    {"exaone4", KvKind::sliding_window, 4},
    {"gemma", KvKind::attention},
    {"gemma2", KvKind::sliding_window, 2},
    {"gemma3", KvKind::sliding_window, 6},
    {"glm-dsa", KvKind::unknown},
    {"glm4", KvKind::attention},
    {"glm4moe", KvKind::attention},
    {"gpt-oss", KvKind::sliding_window, 2},
    {"granite", KvKind::attention},
    {"granitehybrid", KvKind::hybrid},
    {"granitemoe", KvKind::attention},
    {"hunyuan-dense", KvKind::attention},
    {"hunyuan-moe", KvKind::attention},
    {"internlm2", KvKind::attention},
    {"kimi-linear", KvKind::unknown},
    {"llama", KvKind::attention},
    {"llama4", KvKind::unknown},
    {"minimax-m2", KvKind::attention},
    {"minimax-m3", KvKind::unknown},
    {"mistral3", KvKind::attention},
    {"nemotron", KvKind::attention},
    {"nemotron_h", KvKind::hybrid},
    {"nemotron_h_moe", KvKind::hybrid},
    {"olmo2", KvKind::attention},
    {"olmoe", KvKind::attention},
    {"phi3", KvKind::attention},
    {"phimoe", KvKind::attention},
    {"qwen2", KvKind::attention},
    {"qwen2moe", KvKind::attention},
    {"qwen3", KvKind::attention},
    {"qwen35", KvKind::hybrid},
    {"qwen35moe", KvKind::hybrid},
    {"qwen3moe", KvKind::attention},
    {"qwen3next", KvKind::hybrid},
    {"seed_oss", KvKind::attention},
    {"smollm3", KvKind::attention},
    {"stablelm", KvKind::attention},
    {"starcoder2", KvKind::attention},
});

}  // namespace

const Architecture* find_architecture(std::string_view name) {
  const auto found = std::ranges::find(table, name, &Architecture::name);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace hearth::model
