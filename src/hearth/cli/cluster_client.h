#pragma once
// Asks the agents of the cluster's machines, as this machine. Thread-safe.

#include <memory>
#include <string>
#include <vector>

#include "hearth/base/json.h"
#include "hearth/base/stop.h"
#include "hearth/node/membership/membership.h"

namespace hearth::cli {

class ClusterClient {
 public:
  // `directory` empty: where the configuration is.
  static Result<ClusterClient> open(const std::filesystem::path& directory);

  const std::string& machine() const { return membership_->machine(); }
  Result<std::vector<node::Member>> members() const;
  // A reply of 400 and above is its error. `body` goes out as `content_type`, unless it is empty.
  Result<Json> ask(const std::string& machine, std::string method, std::string target,
                   std::string_view body, std::string_view content_type, Duration time_max,
                   const StopToken& stop) const;
  Result<Json> get(const std::string& machine, std::string target, Duration time_max,
                   const StopToken& stop) const {
    return ask(machine, "GET", std::move(target), {}, {}, time_max, stop);
  }

 private:
  explicit ClusterClient(std::shared_ptr<node::ClusterMembership> membership)
      : membership_(std::move(membership)), http_(node::make_cluster_client(membership_)) {}

  std::shared_ptr<node::ClusterMembership> membership_;
  std::unique_ptr<net::HttpClient> http_;
};

}  // namespace hearth::cli
