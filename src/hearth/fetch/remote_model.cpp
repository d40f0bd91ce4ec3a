#include "hearth/fetch/remote_model.h"

#include <fmt/format.h>

namespace hearth::fetch {
namespace {

// Ends the reading of a header that goes on for ever.
class Bounded final : public model::ByteSource {
 public:
  Bounded(RemoteFile& file, std::uint64_t bytes_max) : file_(file), bytes_max_(bytes_max) {}
  std::uint64_t size_bytes() const override { return file_.size_bytes(); }
  Result<> read_at(std::uint64_t offset, std::span<std::byte> out) override {
    if (file_.fetched_bytes() + out.size() > bytes_max_) {
      return fail(Code::resource_exhausted,
                  "the headers of this model are larger than any that is known");
    }
    return file_.read_at(offset, out);
  }

 private:
  RemoteFile& file_;
  std::uint64_t bytes_max_;
};

}  // namespace

Result<model::ModelFiles> load_remote_model(net::HttpClient& http, std::string_view url,
                                            const RemoteModelOptions& options,
                                            const StopToken& stop) {
  const net::Url first = TRY(net::parse_url(url));
  const std::string file_name = TRY(net::file_name_of(first));
  const auto split = model::parse_shard_name(file_name);
  const std::uint32_t count = split ? split->count : 1;
  std::vector<model::ModelShard> shards;
  std::uint64_t left = options.header_bytes_max;
  for (std::uint32_t number = 1; number <= count; ++number) {
    if (options.progress) options.progress(number, count);
    const net::Url place =
        split ? net::with_file_name(first, model::shard_file_name({split->stem, number, count}))
              : first;
    const auto file = TRY(RemoteFile::open(http, place, options.file, stop));
    Bounded source(*file, left);
    model::ModelShard shard;
    shard.path = place.shown();
    shard.bytes = file->size_bytes();
    shard.gguf = TRY(model::read_gguf(source, place.shown()));
    left -= std::min(left, file->fetched_bytes());
    shards.push_back(std::move(shard));
  }
  return model::merge_shards(std::move(shards));
}

}  // namespace hearth::fetch
