#pragma once
// A model on a web server, known by its headers: what load_model_files (model/shards.h) is for a
// folder. All shards are read, each up to the end of its header and at most about as much again;
// no weights, nothing on disk. One thread.

#include <functional>
#include <string_view>

#include "hearth/model/shards.h"
#include "hearth/fetch/remote_file.h"

namespace hearth::fetch {

// Over all shards of a model: the largest known headers have 30 MB.
inline constexpr std::uint64_t remote_header_bytes_max = 1ULL << 30;

struct RemoteModelOptions {
  RemoteFileOptions file;
  std::uint64_t header_bytes_max = remote_header_bytes_max;
  // Called before each shard: its number from 1, and how many there are.
  std::function<void(std::uint32_t number, std::uint32_t count)> progress;
};

// `url`: the only file, or any shard. Paths of the result are URLs without their query. Errors are
// those of RemoteFile and of load_model_files.
Result<model::ModelFiles> load_remote_model(net::HttpClient& http, std::string_view url,
                                            const RemoteModelOptions& options,
                                            const StopToken& stop);

}  // namespace hearth::fetch
