#include "hearth/cli/serve_seal.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/hardening.h"
#include "hearth/base/log.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/serve_setup.h"
#include "hearth/gateway/access.h"
#include "hearth/seal_check/whole_house.h"

namespace hearth::cli {

Result<seal::LabelRules> label_rules(const ServeConfig& config, std::string home) {
  seal::LabelRules out;
  out.home = std::move(home);
  out.fallback = TRY(seal::parse_label(config.default_label));
  for (const std::string& text : config.key_labels) {
    const auto [key, label] = TRY(seal::parse_label_rule(text));
    if (std::ranges::find(config.api_keys, key) == config.api_keys.end()) {
      return fail(Code::invalid_argument, fmt::format("key_labels: a key that is not among api_keys is labelled {}; name it there too",
                                                      seal::label_name(label)));
    }
    out.keys.insert_or_assign(gateway::client_name_of_key(key), label);
  }
  for (const std::string& text : config.folders) out.folders.push_back(TRY(seal::parse_folder_rule(text)));
  for (const std::string& text : config.patterns) {
    const auto equals = text.find('=');
    if (equals == text.npos || equals == 0) return fail(Code::invalid_argument, "patterns: NAME=TEXT, for example case=Case ####/##");
    seal::UserPattern pattern{.name = text.substr(0, equals), .text = text.substr(equals + 1)};
    TRY(seal::check_user_pattern(pattern));
    out.patterns.push_back(std::move(pattern));
  }
  if (out.folders.size() > seal::folder_rules_max || out.patterns.size() > seal::user_patterns_max) {
    return fail(Code::invalid_argument, fmt::format("at most {} folders and {} patterns", seal::folder_rules_max, seal::user_patterns_max));
  }
  return out;
}

// The last look before something leaves.
ServeSeal::ServeSeal() = default;

const seal::RemoteGate& ServeSeal::gate() const { return *gate_; }

Result<> ServeSeal::prove(const ServeConfig& config, const StopToken& stop) {
  const bool has_way_out = std::ranges::any_of(config.upstreams, [](const auto& spec) { return spec.reach == seal::Reach::remote; });
  if (!has_way_out) return {};
  start_log("serve", LogLevel::off);  // what the check asks is nobody's request
  const auto house = TRY(seal_check::WholeHouse::build({}));
  const auto report = TRY(seal_check::run_check(*house, stop));
  start_log("serve", log_level_of(config));
  gate_->set_proven(report.is_sealed());
  log_info(fmt::format("seal check: paths={} leaked={} sealed={}", report.paths.size(), report.leaks(), report.is_sealed()));
  if (!report.is_sealed()) log_error("the seal check failed: services outside get nothing; hearth seal check says where it leaks");
  return {};
}

Result<std::unique_ptr<ServeSeal>> ServeSeal::open(const ServeConfig& config) {
  // Prompts are in this process: no core dump, no look from beside.
  TRY(harden_process());
  auto out = std::unique_ptr<ServeSeal>(new ServeSeal());
  out->vault_directory_ = TRY(vault_directory(config.vault_directory));
  auto rules = TRY(label_rules(config, home_directory()));
  const auto directory = TRY(seal_directory());
  out->labeller_ = TRY(seal::Labeller::open(std::move(rules), directory));
  out->gate_ = std::make_unique<seal::LabelGate>(*out->labeller_);
  return out;
}

ServeSeal::~ServeSeal() = default;

void ServeSeal::add_to(node::LocalModelOptions& options) {
  if (options.store_directory.empty()) return;
  store_ = std::make_unique<node::SealedStore>(node::SealedStore::Options{
      .vault_directory = vault_directory_,
      .store = {.directory = options.store_directory.string() + "-sealed",
                .memory_bytes_max = options.store_memory_bytes_max,
                .disk_bytes_max = options.store_disk_bytes_max},
      .on_lock = [this] {
        model_.with([](node::LocalModel* model) {
          if (model != nullptr) model->forget_sealed();
        });
      }});
  options.sealed_store = store_.get();
}

void ServeSeal::watch(node::LocalModel* model) {
  model_.with([&](node::LocalModel*& watched) { watched = model; });
}

}  // namespace hearth::cli
