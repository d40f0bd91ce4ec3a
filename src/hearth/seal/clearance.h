#pragma once
// The type that keeps sealed work in the house. A client of a service takes Cleared<REACH, Request>,
// and the only functions that make one stand here:
//
//   Labelled ──sort──► Sealed ──► Cleared<cluster>
//                      House  ──► Cleared<cluster>, Cleared<house>
//                      Open   ──► Cleared<cluster>, Cleared<house>, and, if the gate is open, Cleared<remote>
//
// There is no other arrow: clear_for_remote() of a Sealed or a House does not compile
// (clearance_test.cpp holds that), and a Cleared cannot be made, copied into another reach, or have its
// request exchanged. A request and its label travel as one value; nothing takes them apart.
// Values; thread-safe as such.

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

#include "hearth/seal/label.h"

namespace hearth::seal {

struct Clearance {
  LabelDecision decision;
  std::string conversation;  // whose it is: an id or digest for the record, no text
  std::string client;        // Access::client_name; no secret
};

template <class Request>
struct Labelled {
  Request request;
  Clearance clearance;
};

template <Label label, class Request>
class Tagged;
template <class Request>
using Sealed = Tagged<Label::sealed, Request>;
template <class Request>
using House = Tagged<Label::house, Request>;
template <class Request>
using Open = Tagged<Label::open, Request>;
template <class Request>
using Sorted = std::variant<Sealed<Request>, House<Request>, Open<Request>>;

// What is not open or house is sealed.
template <class Request>
Sorted<Request> sort(Labelled<Request> labelled);

template <Label label_value, class Request>
class Tagged {
 public:
  static constexpr Label label = label_value;
  const Request& request() const { return request_; }
  const Clearance& clearance() const { return clearance_; }

 private:
  template <class R>
  friend Sorted<R> sort(Labelled<R>);
  template <Reach, class>
  friend class Cleared;
  explicit Tagged(Labelled<Request> from)
      : request_(std::move(from.request)), clearance_(std::move(from.clearance)) {}
  Request request_;
  Clearance clearance_;
};

// What must hold besides the label before anything leaves. Read anew for each request.
class RemoteGate {
 public:
  virtual ~RemoteGate() = default;
  // permission, with why it is closed: the seal check failed or is stale, or the label of this
  // conversation has risen since.
  virtual Result<> check(const Clearance& clearance) const = 0;
};

template <Reach reach_value, class Request>
class Cleared {
 public:
  static constexpr Reach reach = reach_value;
  const Request& request() const { return request_; }
  const Clearance& clearance() const { return clearance_; }

 private:
  template <Label label, class R>
  friend Cleared<Reach::cluster, R> clear_for_cluster(Tagged<label, R>);
  template <Label label, class R>
    requires(label != Label::sealed)
  friend Cleared<Reach::house, R> clear_for_house(Tagged<label, R>);
  template <class R>
  friend Result<Cleared<Reach::remote, R>> clear_for_remote(Open<R>, const RemoteGate&);
  template <Label label>
  explicit Cleared(Tagged<label, Request> from)
      : request_(std::move(from.request_)), clearance_(std::move(from.clearance_)) {
    static_assert(may_go(label, reach_value));
  }
  Request request_;
  Clearance clearance_;
};
template <class Request>
using ClearedForCluster = Cleared<Reach::cluster, Request>;
template <class Request>
using ClearedForHouse = Cleared<Reach::house, Request>;
template <class Request>
using ClearedForRemote = Cleared<Reach::remote, Request>;

template <Label label, class Request>
Cleared<Reach::cluster, Request> clear_for_cluster(Tagged<label, Request> request) {
  return Cleared<Reach::cluster, Request>(std::move(request));
}

template <Label label, class Request>
  requires(label != Label::sealed)
Cleared<Reach::house, Request> clear_for_house(Tagged<label, Request> request) {
  return Cleared<Reach::house, Request>(std::move(request));
}

// The one door. An Open whose reasons say otherwise would be our mistake: refused all the same.
template <class Request>
Result<Cleared<Reach::remote, Request>> clear_for_remote(Open<Request> request, const RemoteGate& gate) {
  TRY(gate.check(request.clearance()));
  return Cleared<Reach::remote, Request>(std::move(request));
}

template <class Request>
Sorted<Request> sort(Labelled<Request> labelled) {
  Label strictest = labelled.clearance.decision.label;
  for (const Reason& reason : labelled.clearance.decision.reasons) strictest = join(strictest, reason.label);
  switch (strictest) {
    case Label::open: return Open<Request>(std::move(labelled));
    case Label::house: return House<Request>(std::move(labelled));
    case Label::sealed: break;
  }
  return Sealed<Request>(std::move(labelled));
}

}  // namespace hearth::seal
