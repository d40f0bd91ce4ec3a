#pragma once
// What hearth serve has of the seal: the labeller, and the store of sealed KV over the vault.

#include <memory>

#include "hearth/cli/serve_config.h"
#include "hearth/node/local_model.h"
#include "hearth/node/sealed_store.h"
#include "hearth/seal/label_gate.h"
#include "hearth/seal/labeller.h"

namespace hearth::cli {

// [seal] as rules; keys become the names that the gateway has for their clients. `home` for "~/".
Result<seal::LabelRules> label_rules(const ServeConfig& config, std::string home);

class ServeSeal {
 public:
  static Result<std::unique_ptr<ServeSeal>> open(const ServeConfig& config);
  ~ServeSeal();

  seal::Labeller& labeller() { return *labeller_; }
  // Where services outside are configured: runs the seal check. While it has not passed, the gate is closed.
  Result<> prove(const ServeConfig& config, const StopToken& stop);
  // Open for conversations that are open now.
  const seal::RemoteGate& gate() const;
  // Before the model is started: where the KV of sealed prompts goes while the vault is open. Without
  // a chunk store of its own the model keeps none of them either.
  void add_to(node::LocalModelOptions& options);
  // The worker of this model forgets what it holds when the vault is locked. nullptr before the model goes.
  void watch(node::LocalModel* model);

 private:
  ServeSeal();
  std::filesystem::path vault_directory_;
  std::unique_ptr<seal::Labeller> labeller_;
  std::unique_ptr<seal::LabelGate> gate_;
  Guarded<node::LocalModel*> model_{nullptr};
  std::unique_ptr<node::SealedStore> store_;
};

}  // namespace hearth::cli
