#pragma once
// How the bench reaches services: in the house directly, outside of it by way of the egress process alone.

#include <filesystem>
#include <memory>

#include "hearth/base/file_lock.h"
#include "hearth/eval/study/service.h"
#include "hearth/net/http_client.h"

namespace hearth::cli {

// Before a verb asks services and keeps what they say in `folder`: two would ask the same things twice.
Result<FileDescriptor> claim_records(const std::filesystem::path& folder);

class EvalServices {
 public:
  EvalServices();
  ~EvalServices();
  // A service outside takes what is at least `least`. This object outlives what it gives.
  Result<std::unique_ptr<eval::Service>> connect(const upstream::EndpointSpec& spec, eval::Egress least);

 private:
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace hearth::cli
