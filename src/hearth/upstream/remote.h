#pragma once
// A service outside of the house. It takes what seal/clearance.h has cleared for leaving and nothing else:
// no other request converts to that type. This process neither has its key nor connects to it; the
// egress process does both, over a unix socket, and checks the label again.
//
// Thread-safe. Without the egress process: overloaded, which says how to start it.

#include <memory>

#include "hearth/seal/audit.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::upstream {

class RemoteEndpoint {
 public:
  virtual ~RemoteEndpoint() = default;
  virtual const EndpointSpec& spec() const = 0;
  virtual chat::ApiResult<std::unique_ptr<AnswerStream>> ask(
      const seal::ClearedForRemote<chat::ChatRequest>& request, Deadline head_deadline,
      const StopToken& stop) = 0;
};

// `http` outlives it. `egress` is the socket of the egress process.
Result<std::unique_ptr<RemoteEndpoint>> make_remote_endpoint(EndpointSpec spec, net::Address egress,
                                                             net::HttpClient& http);

// What a message to the egress process carries beside the body; both sides use it.
namespace egress_header {
inline constexpr std::string_view label = "x-hearth-label";
inline constexpr std::string_view reasons = "x-hearth-reasons";  // of the label: JSON
inline constexpr std::string_view conversation = "x-hearth-conversation";
inline constexpr std::string_view client = "x-hearth-client";
// In a reply: it comes from the egress process, not from the service.
inline constexpr std::string_view from_egress = "x-hearth-egress";
}  // namespace egress_header

// POST there: "/v1/send/NAME/v1/messages".
std::string egress_target(const EndpointSpec& spec, std::string_view target);
Json reasons_json(const seal::LabelDecision& decision);
// invalid_argument for what reasons_json did not write.
Result<std::vector<seal::Reason>> read_reasons(std::string_view json);

}  // namespace hearth::upstream
