#pragma once
// The gate between open work and services outside: closed until the seal check has passed, and then open for
// conversations whose label is open now. hearth serve and the seal check's own house have the same one.
// Thread-safe.

#include <atomic>

#include "hearth/seal/clearance.h"
#include "hearth/seal/labeller.h"

namespace hearth::seal {

class LabelGate final : public RemoteGate {
 public:
  // `labels` outlives the gate.
  explicit LabelGate(const Labeller& labels) : labels_(labels) {}

  void set_proven(bool is_proven) { is_proven_ = is_proven; }

  Result<> check(const Clearance& clearance) const override {
    if (!is_proven_) {
      return fail(Code::permission,
                  "nothing leaves: the seal check has not passed (hearth seal check says where it leaks)");
    }
    if (labels_.known(clearance.conversation).label == Label::open) return {};
    return fail(Code::permission, "the label of this conversation has risen: it stays in the house");
  }

 private:
  const Labeller& labels_;
  std::atomic<bool> is_proven_ = false;
};

}  // namespace hearth::seal
