#pragma once
// An endpoint as a study uses it: one question, one whole answer, and what it took. The seam between the
// bench and the clients of upstream/; a service outside the house is handed in by whoever may build one.
//
// Thread-safe. Errors are the endpoint's ApiErrors; which of them are worth another try is retry.h's.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hearth/eval/suite/item.h"
#include "hearth/upstream/endpoint.h"
#include "hearth/upstream/remote.h"

namespace hearth::eval {

struct ServiceReply {
  std::string text, thinking;
  std::vector<chat::ToolCall> calls;
  chat::AnswerEnd end;
  std::string model, build;  // as the service calls them; may be empty
  double first_piece_s = 0, total_s = 0;
  double cost_usd = 0;
  std::uint32_t tries = 1;

  // Where no tool was offered: one that is called all the same is part of the answer.
  std::string said() const;
};

class Service {
 public:
  virtual ~Service() = default;
  // `egress` is the item's: a service outside the house refuses what may not go there (permission).
  virtual chat::ApiResult<ServiceReply> ask(const chat::ChatRequest& request, Egress egress, const StopToken& stop) = 0;
  virtual upstream::EndpointState look(const StopToken& stop) = 0;
};

// A service in the house. `endpoint` outlives it.
std::unique_ptr<Service> make_house_service(upstream::Endpoint& endpoint);

// A service outside of it, by way of the egress process. Takes items whose egress is at least `least`
// (judge: may go to the judge; open: to any), which become open work with that as the reason; others are
// refused here, before a byte is made. All arguments outlive it.
std::unique_ptr<Service> make_outside_service(upstream::RemoteEndpoint& endpoint, const seal::RemoteGate& gate,
                                              Egress least);

// What a stream gave, as a reply; for all services alike.
ServiceReply reply_of(const upstream::WholeReply& whole, const upstream::Prices& prices);

}  // namespace hearth::eval
