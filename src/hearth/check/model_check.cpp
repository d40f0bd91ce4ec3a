#include "hearth/check/model_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "hearth/base/sha256.h"
#include "hearth/chat/format.h"
#include "hearth/model/ggml_type.h"

namespace hearth::check {
namespace {

namespace fs = std::filesystem;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool is_quant_word(std::string_view word) {
  static const std::vector<std::string> plain = {"f32", "f16", "bf16", "mxfp4"};
  if (std::ranges::find(plain, word) != plain.end()) return true;
  if (word.starts_with("iq") || word.starts_with("tq")) word.remove_prefix(1);
  return word.size() >= 4 && word[0] == 'q' && std::isdigit(static_cast<unsigned char>(word[1])) != 0 && word[2] == '_';
}

// "q4_k_m" to "q4_k", "q3_k_xl" to "q3_k", "iq2_xxs" stays.
std::string without_mixture(std::string word) {
  for (const char* suffix : {"_s", "_m", "_l", "_xl"}) {
    if (word.ends_with(std::string("_k") + suffix)) return word.substr(0, word.size() - std::string_view(suffix).size());
  }
  return word;
}

std::string text_value(const model::GgufMetadata& metadata, std::string_view key) {
  const model::GgufValue* value = model::find_value(metadata, key);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

bool knows_format(const ModelFacts& facts, const model::GgufMetadata& metadata) {
  const model::GgufValue* tokens = model::find_value(metadata, "tokenizer.ggml.tokens");
  const model::GgufArray* words = tokens == nullptr ? nullptr : tokens->as_array();
  const auto format = chat::choose_format({.template_text = facts.chat_template,
                                           .architecture = facts.architecture,
                                           .model_name = {},
                                           .has_token = [&](std::string_view text) {
                                             return words != nullptr && std::ranges::find(words->strings, text) != words->strings.end();
                                           }});
  // ChatML is also what an unknown template falls back to: then its own markers must be there.
  if (format->name() != "chatml") return true;
  return facts.chat_template.find("<|im_start|>") != std::string::npos;
}

ShardFacts look_at_shard(const fs::path& path) {
  ShardFacts out{.file = path.filename().string(), .path = path};
  std::error_code error;
  out.bytes = fs::file_size(path, error);
  out.is_there = !error;
  if (!out.is_there) out.bytes = 0;
  out.has_unfinished_half = fs::exists(fs::path(path) += ".part", error);
  return out;
}

void describe(ModelFacts& facts, const model::ModelFiles& files) {
  std::map<std::string, std::uint64_t> bytes;
  for (const model::ModelTensor& one : files.tensors) {
    const model::GgmlType* type = model::find_ggml_type(one.tensor.type);
    bytes[type == nullptr ? "unknown" : lower(type->name)] += one.tensor.bytes;
  }
  facts.tensor_type_bytes.assign(bytes.begin(), bytes.end());
  std::ranges::sort(facts.tensor_type_bytes, [](const auto& a, const auto& b) { return a.second > b.second; });
  facts.architecture = text_value(files.metadata(), "general.architecture");
  facts.chat_template = text_value(files.metadata(), "tokenizer.chat_template");
  facts.format_is_known = knows_format(facts, files.metadata());
}

std::string template_digest(const ModelFacts& facts) {
  return facts.chat_template.empty() ? "" : sha256(as_byte_span(facts.chat_template)).hex();
}

void shard_findings(const ShardFacts& shard, const LockedModel* pinned, Findings& out) {
  if (!shard.is_there) {
    out.push_back({"model.shard_missing", Severity::blocks, fmt::format("{} is not there", shard.path.string()),
                   shard.has_unfinished_half ? "its download was interrupted: run hearth model pull again"
                                             : "download it with hearth model pull, or name the folder that has it"});
    return;
  }
  if (shard.has_unfinished_half) {
    out.push_back({"model.unfinished_download", Severity::warning,
                   fmt::format("{}.part lies beside the whole file", shard.path.string()), "remove it"});
  }
  if (!shard.header_fault.empty()) {
    out.push_back({"model.damaged", Severity::blocks, shard.header_fault, "remove the file and download it again with hearth model pull"});
  }
  if (!shard.read_fault.empty()) {
    out.push_back({"model.unreadable", Severity::blocks, fmt::format("{}: {}", shard.path.string(), shard.read_fault),
                   "look at the disk and at the file's permissions"});
  }
  if (pinned == nullptr) return;
  const auto locked = std::ranges::find(pinned->shards, shard.file, &LockedShard::file);
  if (locked == pinned->shards.end()) return;
  if (locked->bytes != shard.bytes) {
    out.push_back({"model.wrong_size", Severity::blocks,
                   fmt::format("{} has {} bytes, pinned are {}", shard.path.string(), shard.bytes, locked->bytes),
                   "download it again with hearth model pull, or pin the new file with hearth check --pin"});
  } else if (locked->sha256 && shard.sha256 && *locked->sha256 != *shard.sha256) {
    out.push_back({"model.wrong_digest", Severity::blocks,
                   fmt::format("{}: SHA-256 {}, pinned is {}", shard.path.string(), shard.sha256->hex(), locked->sha256->hex()),
                   "the file was damaged or replaced: remove it and download it again with hearth model pull"});
  }
}

void quant_findings(const ModelFacts& facts, Findings& out) {
  const std::string named = quant_of_name(fs::path(facts.path).filename().string());
  if (named.empty() || facts.tensor_type_bytes.empty()) return;
  const bool has_any = std::ranges::any_of(facts.tensor_type_bytes, [&](const auto& one) { return one.first == named; });
  const bool dynamic = lower(facts.path).find("ud-") != std::string::npos;  // mixtures of many types by design
  if (has_any && (dynamic || facts.tensor_type_bytes.front().first == named)) return;
  out.push_back({"model.quant_name", Severity::blocks,
                 fmt::format("{} is called {}, but most of its bytes are {}", facts.path, named, facts.tensor_type_bytes.front().first),
                 "give the file its right name: results would be recorded under the wrong quantisation"});
}

void template_findings(const ModelFacts& facts, const LockedModel* pinned, Findings& out) {
  if (facts.tensor_type_bytes.empty()) return;  // the header was not read
  if (facts.chat_template.empty()) {
    out.push_back({"template.missing", Severity::warning, facts.path + " carries no chat template",
                   "say the format with hearth serve --chat-format, or use a file that carries its template"});
  } else if (!facts.format_is_known) {
    out.push_back({"template.unknown", Severity::blocks,
                   facts.path + " carries a chat template of no format that Hearth writes; conversations would be written as ChatML",
                   "say the format with hearth serve --chat-format (docs/chat_formats.md), or use another file"});
  }
  if (pinned != nullptr && pinned->template_sha256 != template_digest(facts)) {
    out.push_back({"template.changed", Severity::blocks, facts.path + ": its chat template is not the pinned one",
                   "compare the two, then pin it with hearth check --pin"});
  }
}

}  // namespace

std::string quant_of_name(std::string_view file_name) {
  std::string name = lower(file_name);
  if (const auto split = model::parse_shard_name(name)) name = split->stem;
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  std::string found;
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("-.", begin), name.size());
    const std::string word = name.substr(begin, end - begin);
    if (is_quant_word(word)) found = without_mixture(word);
    begin = end + 1;
  }
  return found;
}

ModelFacts gather_model(const fs::path& path) {
  ModelFacts out{.path = path.string()};
  const auto split = model::parse_shard_name(path.filename().string());
  const std::uint32_t count = split ? std::min(split->count, model::shard_count_max) : 1;
  std::vector<model::ModelShard> shards;
  for (std::uint32_t number = 1; number <= count; ++number) {
    const fs::path file = split ? path.parent_path() / model::shard_file_name({split->stem, number, count}) : path;
    ShardFacts shard = look_at_shard(file);
    out.total_bytes += shard.bytes;
    if (shard.is_there) {
      auto header = model::read_gguf_file(file);
      if (header) shards.push_back({.path = file, .bytes = shard.bytes, .gguf = *std::move(header)});
      else shard.header_fault = header.error().message;
    }
    out.shards.push_back(std::move(shard));
  }
  if (shards.size() != count) return out;
  const auto files = model::merge_shards(std::move(shards));
  if (files) describe(out, *files);
  else out.split_fault = files.error().message;
  return out;
}

void gather_digests(std::vector<ModelFacts>& models, std::uint32_t readers, fetch::DigestMemory& memory,
                    const fetch::DigestProgress& progress, const StopToken& stop) {
  std::vector<fs::path> files;
  std::vector<ShardFacts*> shards;
  for (ModelFacts& model : models) {
    for (ShardFacts& shard : model.shards) {
      if (!shard.is_there) continue;
      files.push_back(shard.path);
      shards.push_back(&shard);
    }
  }
  auto digests = fetch::digest_files(files, readers, memory, progress, stop);
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (digests[i].sha256) shards[i]->sha256 = *digests[i].sha256;
    else shards[i]->read_fault = digests[i].sha256.error().message;
  }
}

Findings model_findings(const ModelFacts& facts, const LockedModel* pinned) {
  Findings out;
  for (const ShardFacts& shard : facts.shards) shard_findings(shard, pinned, out);
  if (!facts.split_fault.empty()) {
    out.push_back({"model.split", Severity::blocks, facts.split_fault, "download all shards of one release with hearth model pull"});
  }
  quant_findings(facts, out);
  template_findings(facts, pinned, out);
  if (pinned == nullptr) {
    out.push_back({"model.unpinned", Severity::note, facts.path + " is not in hearth.lock", "pin it with hearth check --pin"});
  }
  return out;
}

LockedModel pin_model(const ModelFacts& facts, std::string url) {
  LockedModel out{.path = facts.path, .url = std::move(url), .template_sha256 = template_digest(facts), .shards = {}};
  for (const ShardFacts& shard : facts.shards) out.shards.push_back({shard.file, shard.bytes, shard.sha256});
  return out;
}

}  // namespace hearth::check
