#pragma once
// One file from a web server to disk: over several connections, resumable, checked.
//
// Until it is whole it is NAME.part, with the pieces that are there in NAME.part.json. A file whose
// version or size on the server differs from the unfinished one begins anew; one that changes in
// mid-download ends it (corrupt), and the next try begins anew. From a server without ranges it comes
// in one stream, from the beginning each time. Only a whole file with the right digest, and for GGUF
// with a header that fits its size, gets its name.
//
// Blocking; threads "pull" of its own, one a connection. Errors: those of RemoteFile, of inspect() and
// of the file system; corrupt when the digest or the size is not what was promised.

#include <filesystem>
#include <functional>

#include "hearth/fetch/download_state.h"
#include "hearth/fetch/inspect.h"
#include "hearth/fetch/remote_file.h"

namespace hearth::fetch {

struct DownloadOptions {
  // A piece of 16 MiB may take long over a slow line, but not without a byte for half a minute.
  RemoteFileOptions file = {.body_time_max = std::chrono::minutes(30), .stall_time_max = std::chrono::seconds(30)};
  std::uint32_t connections = 4;
  std::uint64_t piece_bytes = piece_bytes_default;
  std::uint32_t streams_max = 3;  // whole streams tried from a server without ranges
  // What the file must be; wins over what the host says.
  std::optional<Digest256> sha256;
  std::function<void(std::uint64_t done_bytes)> progress;  // from any of the threads, one at a time
};

struct Downloaded {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
  std::uint64_t fetched_bytes = 0;  // this time: less when it was resumed
  Digest256 sha256;
  bool was_checked = false;  // against a digest that the caller or the host gave
};

// Bytes of `target` that are on disk already: all of it, or what its unfinished half has.
std::uint64_t bytes_present(const RemoteFacts& facts, const std::filesystem::path& target);

// `facts` are those of inspect(). A `target` that exists already is checked, not downloaded again.
Result<Downloaded> download(net::HttpClient& http, const RemoteFacts& facts, const std::filesystem::path& target,
                            const DownloadOptions& options, const StopToken& stop);

}  // namespace hearth::fetch
