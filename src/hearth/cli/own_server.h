#pragma once
// hearth serve as a child, for verbs that are given a model instead of a server. It ends with this
// object, and with this process.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/child_process.h"

namespace hearth::cli {

class OwnServer {
 public:
  // Returns when it takes requests. `flags` are further flags of hearth serve.
  static Result<std::unique_ptr<OwnServer>> start(const std::filesystem::path& model, const std::vector<std::string>& flags,
                                                  const StopToken& stop);
  const std::string& url() const { return url_; }

 private:
  OwnServer(ChildProcess process, std::string url) : process_(std::move(process)), url_(std::move(url)) {}
  ChildProcess process_;
  std::string url_;
};

}  // namespace hearth::cli
