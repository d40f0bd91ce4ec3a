#include "hearth/model/shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

namespace hearth::model {
namespace {

constexpr std::string_view extension = ".gguf";
constexpr std::size_t digits_min = 5;
constexpr std::size_t missing_named_max = 8;

std::optional<std::uint32_t> parse_count(std::string_view text) {
  std::uint32_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.size() < digits_min) {
    return std::nullopt;
  }
  return out;
}

// Cuts "-NNNNN" or "-of-NNNNN" off the end of `text`.
std::optional<std::uint32_t> cut_number(std::string_view& text, std::string_view separator) {
  const std::size_t at = text.rfind(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const auto number = parse_count(text.substr(at + separator.size()));
  text = text.substr(0, at);
  return number;
}

bool is_split_key(std::string_view key) { return key.starts_with("split."); }

std::unexpected<Error> bad(const ModelShard& shard, std::string_view text) {
  return fail(Code::corrupt, fmt::format("{}: {}", shard.path.string(), text));
}

Result<> check_number(const ModelShard& shard, std::string_view key, std::uint64_t expected) {
  const GgufValue* value = find_value(shard.gguf.metadata, key);
  const auto number = value ? value->as_unsigned() : std::nullopt;
  if (number == expected) return {};
  return bad(shard, fmt::format("{} is {}, expected {}; the shards are not of one model", key,
                                number ? std::to_string(*number) : "missing", expected));
}

// A later shard may repeat metadata of the first, never add to it or change it.
Result<> check_metadata(const ModelShard& first, const ModelShard& shard) {
  for (const auto& [key, value] : shard.gguf.metadata) {
    if (is_split_key(key)) continue;
    const GgufValue* original = find_value(first.gguf.metadata, key);
    if (!original || *original != value) {
      return bad(shard, fmt::format("{} differs from {}; the shards are not of one model", key,
                                    first.path.filename().string()));
    }
  }
  return {};
}

Result<> check_split(const std::vector<ModelShard>& shards) {
  const bool is_split = find_value(shards.front().gguf.metadata, "split.count") != nullptr;
  if (shards.size() == 1 && !is_split) return {};
  std::uint64_t tensors = 0;
  for (const ModelShard& shard : shards) tensors += shard.gguf.tensors.size();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    TRY(check_number(shards[i], "split.count", shards.size()));
    TRY(check_number(shards[i], "split.no", i));
    TRY(check_number(shards[i], "split.tensors.count", tensors));
    if (i > 0) TRY(check_metadata(shards.front(), shards[i]));
  }
  return {};
}

Result<> check_present(const std::filesystem::path& directory, const ShardName& name) {
  std::string missing;
  std::uint32_t missing_count = 0;
  for (std::uint32_t number = 1; number <= name.count; ++number) {
    const std::string file = shard_file_name({name.stem, number, name.count});
    std::error_code ignored;
    if (std::filesystem::exists(directory / file, ignored)) continue;
    if (++missing_count <= missing_named_max) missing += (missing.empty() ? "" : ", ") + file;
  }
  if (missing_count == 0) return {};
  if (missing_count > missing_named_max) {
    missing += fmt::format(" and {} more", missing_count - missing_named_max);
  }
  return fail(Code::not_found,
              fmt::format("{}: {} of {} shards are missing: {}; fetch them into this folder",
                          directory.string(), missing_count, name.count, missing));
}

Result<ModelShard> load_shard(const std::filesystem::path& path) {
  ModelShard shard;
  shard.path = path;
  shard.gguf = TRY(read_gguf_file(path));
  shard.bytes = shard.gguf.file_bytes;
  return shard;
}

}  // namespace

std::optional<ShardName> parse_shard_name(std::string_view file_name) {
  if (!file_name.ends_with(extension)) return std::nullopt;
  std::string_view rest = file_name.substr(0, file_name.size() - extension.size());
  const auto count = cut_number(rest, "-of-");
  if (!count) return std::nullopt;
  const auto number = cut_number(rest, "-");
  if (!number || *number == 0 || *number > *count || *count > shard_count_max) return std::nullopt;
  return ShardName{std::string(rest), *number, *count};
}

std::string shard_file_name(const ShardName& name) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.stem, name.number, name.count);
}

Result<ModelFiles> merge_shards(std::vector<ModelShard> shards) {
  if (shards.empty()) return fail(Code::invalid_argument, "a model needs at least one file");
  TRY(check_split(shards));
  ModelFiles files;
  files.shards = std::move(shards);
  std::unordered_set<std::string_view> names;
  for (std::uint32_t i = 0; i < files.shards.size(); ++i) {
    for (const GgufTensor& tensor : files.shards[i].gguf.tensors) {
      if (!names.insert(tensor.name).second) {
        return bad(files.shards[i], fmt::format("tensor {} also lies in an earlier shard", tensor.name));
      }
      files.tensors.push_back({tensor, i});
    }
  }
  return files;
}

Result<ModelFiles> load_model_files(const std::filesystem::path& path) {
  const auto name = parse_shard_name(path.filename().string());
  std::vector<ModelShard> shards;
  if (!name) {
    shards.push_back(TRY(load_shard(path)));
    return merge_shards(std::move(shards));
  }
  const std::filesystem::path directory = path.parent_path();
  TRY(check_present(directory.empty() ? "." : directory, *name));
  for (std::uint32_t number = 1; number <= name->count; ++number) {
    shards.push_back(TRY(load_shard(directory / shard_file_name({name->stem, number, name->count}))));
  }
  return merge_shards(std::move(shards));
}

}  // namespace hearth::model
