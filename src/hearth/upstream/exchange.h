#pragma once
// The driver: one answer over HTTP, from the first try to the end. Private to upstream; one thread.

#include <functional>
#include <memory>

#include "hearth/upstream/codec.h"
#include "hearth/upstream/retry.h"

namespace hearth::upstream {

// Sends one call and gives the reply when its head is there: straight to the service, with its key, or
// by way of the egress process.
class Transport {
 public:
  virtual ~Transport() = default;
  // The body outlives the stream.
  virtual Result<std::unique_ptr<net::ResponseStream>> open(const WireCall& call, Deadline head_deadline,
                                                            const StopToken& stop) = 0;
};

struct ExchangePlan {
  EndpointSpec spec;
  std::shared_ptr<Transport> transport;
  // Makes the call of a try: for a pair it asks the prefill server first, each time.
  std::function<Attempt<WireCall>(Deadline, const StopToken&)> call;
  std::function<std::unique_ptr<AnswerReader>()> reader;  // anew for each try
  std::function<void(Answered&)> amend = {};              // what the call's making learnt
};

// Returns when the service has taken the request.
chat::ApiResult<std::unique_ptr<AnswerStream>> open_exchange(ExchangePlan plan, std::uint64_t seed,
                                                             Deadline head_deadline, const StopToken& stop);

// The reply's body as far as an error needs it.
std::string read_error_body(net::ResponseStream& stream, Deadline deadline);

// Straight to the service.
std::shared_ptr<Transport> make_direct_transport(EndpointSpec spec, std::string key, net::HttpClient& http);

}  // namespace hearth::upstream
