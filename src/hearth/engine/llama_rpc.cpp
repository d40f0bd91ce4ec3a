#include "hearth/engine/llama_rpc.h"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml-rpc.h>

#include <algorithm>
#include <thread>

#include "hearth/engine/llama_devices.h"
#include "hearth/engine/llama_process.h"

namespace hearth::engine {
namespace {

using AddServer = ggml_backend_reg_t (*)(const char* endpoint);
using StartServer = void (*)(const char* endpoint, const char* cache_dir, std::size_t n_threads,
                             std::size_t n_devices, ggml_backend_dev_t* devices);

// The RPC backend is a library that is loaded with the others, not one that we link.
template <class Function>
Result<Function> rpc_function(const char* name) {
  ggml_backend_reg_t registry = ggml_backend_reg_by_name("RPC");
  void* found = registry == nullptr ? nullptr : ggml_backend_reg_get_proc_address(registry, name);
  if (found == nullptr) {
    return fail(Code::unsupported,
                "this engine has no RPC backend; build ggml with GGML_RPC=ON, or install "
                "libggml0-backend-rpc");
  }
  return reinterpret_cast<Function>(found);
}

}  // namespace

std::string rpc_protocol() {
  if (ggml_backend_reg_by_name("RPC") == nullptr) return {};
  return fmt::format("{}.{}.{}", RPC_PROTO_MAJOR_VERSION, RPC_PROTO_MINOR_VERSION,
                     RPC_PROTO_PATCH_VERSION);
}

Result<std::vector<ggml_backend_device*>> connect_rpc(const std::string& endpoint) {
  const auto add_server = TRY(rpc_function<AddServer>("ggml_backend_rpc_add_server"));
  ggml_backend_reg_t server = add_server(endpoint.c_str());
  std::vector<ggml_backend_device*> out;
  if (server != nullptr) {
    for (std::size_t i = 0; i < ggml_backend_reg_dev_count(server); ++i) {
      out.push_back(ggml_backend_reg_dev_get(server, i));
    }
  }
  if (out.empty()) return fail(Code::unavailable, endpoint + ": the RPC server there has no device");
  return out;
}

Result<> serve_rpc(std::uint16_t port, const std::string& device, std::uint32_t threads) {
  const auto start_server = TRY(rpc_function<StartServer>("ggml_backend_rpc_start_server"));
  std::vector<ggml_backend_device*> devices = TRY(choose_devices(device));
  devices.pop_back();
  if (devices.empty()) devices.push_back(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
  const std::uint32_t used = threads > 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
  const std::string endpoint = fmt::format("127.0.0.1:{}", port);
  expect_complaints(true);  // each client that leaves is one to it
  start_server(endpoint.c_str(), /*cache_dir=*/nullptr, used, devices.size(), devices.data());
  return fail(Code::unavailable, fmt::format("the RPC server on {} has ended", endpoint));
}

}  // namespace hearth::engine
