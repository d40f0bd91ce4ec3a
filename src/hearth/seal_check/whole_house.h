#pragma once
// The house of the check: the parts that serve, in one process, in a folder of their own. Real are the
// gateway with its dialects, the labeller with its log, the router, the way to services outside up to
// the last client, the egress, the audit log, the vault, sealed files and the sealed chunk store. Not
// real are the model, which only says what it is told, and the world outside, which only listens.
//
// What the kernel does (namespaces, users, firewalls) is not in here; tests/netns has that.

#include "hearth/base/file.h"
#include "hearth/base/guarded.h"
#include "hearth/egress/egress.h"
#include "hearth/engine/model_service.h"
#include "hearth/gateway/gateway.h"
#include "hearth/kv/store.h"
#include "hearth/net/http_client_twins.h"
#include "hearth/seal/audit.h"
#include "hearth/seal/labeller.h"
#include "hearth/seal_check/canned_model.h"
#include "hearth/seal_check/check.h"
#include "hearth/vault/vault.h"

namespace hearth::seal_check {

class WholeHouse;

// What tests put in the place of a part, around the real one. All empty in the program.
struct HouseDoubles {
  std::function<std::unique_ptr<seal::LabelGiver>(seal::LabelGiver& real)> labels{};
  std::function<std::unique_ptr<engine::ModelService>(CannedModel& real, WholeHouse& house)> model{};
  std::function<std::unique_ptr<net::HttpClient>(net::HttpClient& real)> to_egress{};
  std::function<std::unique_ptr<seal::AuditSink>(seal::AuditSink& real)> audit{};
  std::function<std::shared_ptr<const kv::ChunkCipher>(std::shared_ptr<const kv::ChunkCipher> real)> cipher{};
};

class WholeHouse : public House {
 public:
  explicit WholeHouse(HouseDoubles doubles = {});
  ~WholeHouse() override;
  static Result<std::unique_ptr<WholeHouse>> build(HouseDoubles doubles);
  // Once, before anything else.
  Result<> open();

  HouseReply post(const std::string& path, const Json& body, net::Headers headers) override;
  HouseReply post_text(const std::string& path, const std::string& body, net::Headers headers) override;
  HouseReply post_to_egress(const std::string& body, net::Headers headers) override;
  void judge(const std::string& item) override;
  void keep(const std::string& text) override;
  void set_answer(const std::string& text) override;
  void set_trouble(Trouble trouble) override;
  Result<> restart() override;

  std::string sent() const override;
  std::string log() const override;
  std::string metrics() override;
  std::string audit() const override;
  std::string crash_report() const override;
  std::vector<std::string> disk() const override;
  std::string sealed_key() const override { return "a-key-of-sealed-work"; }
  std::string open_key() const override { return "a-key-of-open-work"; }
  std::string sealed_folder() const override { return "/home/somebody/diary"; }

  const std::filesystem::path& folder() const { return directory_.path(); }
  // As a part with a way of its own would.
  void send_out(std::string_view bytes);

 private:
  class Outside;
  class Audit;
  struct Serving;
  Result<> start_serving();
  Result<HouseReply> send(net::HttpClient& client, const std::string& path, const std::string& body, net::Headers headers);

  const HouseDoubles doubles_;
  TemporaryDirectory directory_;
  Guarded<std::string> log_, sent_, last_request_;
  std::unique_ptr<FileSystem> files_ = real_file_system();
  SteadyClock clock_;
  std::unique_ptr<vault::Vault> vault_;
  std::unique_ptr<kv::ChunkStore> chunks_;
  std::unique_ptr<chat::Format> format_;
  std::unique_ptr<CannedModel> model_;
  std::unique_ptr<engine::ModelService> model_double_;
  std::unique_ptr<Outside> outside_;
  std::unique_ptr<Audit> audit_;
  std::unique_ptr<seal::AuditSink> audit_double_;
  std::unique_ptr<egress::Egress> egress_;
  net::Router egress_routes_;
  std::unique_ptr<net::HttpClient> to_egress_, to_egress_double_;
  std::unique_ptr<Serving> serving_;
};

}  // namespace hearth::seal_check
