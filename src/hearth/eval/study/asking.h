#pragma once
// One question to a service until it is answered or given up, and never more money than may be spent:
// what arms, judges and chains have in common.

#include <functional>
#include <mutex>

#include "hearth/eval/study/retry.h"
#include "hearth/eval/study/service.h"

namespace hearth::eval {

// Money under a cap. What a call could cost at most is set aside before it is made, so the cap is never
// exceeded; what it did cost is counted when it came back. Thread-safe.
class Purse {
 public:
  // `owner` is for messages: "arm Q4". A cap of 0: it costs nothing, or nobody minds.
  Purse(std::string owner, const upstream::Prices& prices, double spent_usd, double cap_usd);

  // What was set aside. resource_exhausted at the cap: says how to go on.
  Result<double> reserve(const chat::ChatRequest& request);
  void settle(double reserved_usd, double cost_usd);
  double spent_usd() const;

 private:
  const std::string owner_;
  const upstream::Prices prices_;
  const double cap_usd_;
  mutable std::mutex mutex_;
  double spent_usd_, reserved_usd_ = 0;
};

// What a request could cost at most, by the length of its texts and the limit of its answer.
double cost_max_usd(const upstream::Prices& prices, const chat::ChatRequest& request);

struct Asked {
  chat::ApiResult<ServiceReply> reply;  // an error: given up
  std::uint32_t tries = 1;
};
// `make_request` is called for each try. An Error besides its own: cancelled, or the cap is reached.
Result<Asked> ask_patiently(Service& service, const std::function<Result<chat::ChatRequest>()>& make_request,
                            Egress egress, Purse& purse, const RetryPolicy& policy, const StopToken& stop);

}  // namespace hearth::eval
