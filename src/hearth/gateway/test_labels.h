#pragma once
// Two clients of a test: what one asks is sealed, what the other asks is open.

#include "hearth/gateway/test_gateway.h"

namespace hearth::gateway {

inline constexpr std::string_view sealed_key = "key-of-sealed-work", open_key = "key-of-open-work";

inline std::unique_ptr<seal::Labeller> labeller_of_keys() {
  seal::LabelRules rules;
  rules.keys = {{client_name_of_key(sealed_key), seal::Label::sealed}};
  return seal::Labeller::open(std::move(rules), {}).value();
}

// `labeller` outlives the gateway.
inline GatewayOptions labelled_options(seal::LabelGiver& labeller, GatewayOptions options = patient_options()) {
  options.access.api_keys = {std::string(sealed_key), std::string(open_key)};
  options.labeller = &labeller;
  return options;
}

}  // namespace hearth::gateway
