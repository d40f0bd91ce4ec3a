#include "hearth/seal_check/whole_house.h"

#include <sys/resource.h>

#include <atomic>

#include "hearth/base/hardening.h"
#include "hearth/base/log.h"
#include "hearth/node/sealed_store.h"
#include "hearth/seal/label_gate.h"
#include "hearth/upstream/fleet.h"
#include "hearth/vault/sealed_log.h"

namespace hearth::seal_check {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t file_bytes_max = 64u << 20;
constexpr std::string_view away = "away";
constexpr std::uint64_t store_bytes = 64u << 20;
constexpr std::string_view model_layout = "a layout of the check";

Deadline soon() { return Deadline::after(std::chrono::seconds(30)); }

// What a service outside says to everything.
constexpr std::string_view outside_answer =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"away-1\",\"usage\":{\"input_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"ok\"}}\n\n"
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

class CannedStream final : public net::ResponseStream {
 public:
  int status() const override { return 200; }
  const net::Headers& headers() const override { return headers_; }
  Result<ByteSpan> read(Deadline) override {
    return std::exchange(is_read_, true) ? ByteSpan() : as_byte_span(outside_answer);
  }

 private:
  net::Headers headers_{{"content-type", "text/event-stream"}};
  bool is_read_ = false;
};

upstream::EndpointSpec outside_spec() {
  upstream::EndpointSpec out;
  out.name = away;
  out.kind = upstream::Kind::anthropic;
  out.url = "https://away.example";
  out.model = "away-1";
  out.reach = seal::Reach::remote;
  return out;
}

route::RouteTable table() {
  route::RouteTable out = route::default_routes({{std::string(away), seal::Reach::remote}});
  route::ClassRule cloud;
  cloud.name = away;
  cloud.policy = route::Policy::cloud;
  cloud.cloud = away;
  route::ClassRule escalate = cloud;
  escalate.name = "tried here first";
  escalate.policy = route::Policy::escalate;
  out.classes.push_back(std::move(cloud));
  out.classes.push_back(std::move(escalate));
  return out;
}

}  // namespace

// The world: it hears everything that leaves, headers and all.
class WholeHouse::Outside final : public net::HttpClient {
 public:
  explicit Outside(WholeHouse& house) : house_(house) {}
  Result<net::ClientReply> send(const net::ClientRequest& request, Deadline, const StopToken&) override {
    hear(request);
    return net::ClientReply{.status = 200, .headers = {}, .body = {}};
  }
  Result<std::unique_ptr<net::ResponseStream>> open_stream(const net::ClientRequest& request, Deadline, const StopToken&) override {
    hear(request);
    return std::make_unique<CannedStream>();
  }

 private:
  void hear(const net::ClientRequest& request) {
    std::string all = request.method + " " + request.target + "\n";
    for (const auto& [name, value] : request.headers) all += name + ": " + value + "\n";
    for (const ByteSpan part : request.body) all += as_text(part);
    house_.send_out(all);
  }
  WholeHouse& house_;
};

class WholeHouse::Audit final : public seal::AuditSink {
 public:
  explicit Audit(seal::AuditLog log) : log_(std::move(log)) {}
  Result<> append(const seal::AuditRecord& record) override {
    if (is_full) return fail(Code::resource_exhausted, "the disk is full");
    return log_.append(record);
  }
  std::atomic<bool> is_full = false;

 private:
  seal::AuditLog log_;
};

// Once more, at the door: the conversation's label may have risen since.
// What ends and begins with hearth serve.
struct WholeHouse::Serving {
  std::unique_ptr<seal::Labeller> labels;
  std::unique_ptr<seal::LabelGiver> labels_double;
  std::unique_ptr<route::Router> router;
  std::unique_ptr<upstream::Fleet> fleet;
  std::unique_ptr<seal::LabelGate> gate;
  std::unique_ptr<gateway::Routing> routing;
  std::unique_ptr<gateway::Gateway> gateway;
  net::Router routes;
  std::unique_ptr<net::HttpClient> client;
};

WholeHouse::WholeHouse(HouseDoubles doubles)
    : doubles_(std::move(doubles)), directory_(TemporaryDirectory::create("hearth-seal-check").value()) {}

WholeHouse::~WholeHouse() {
  serving_.reset();
  tap_log({});
}

Result<std::unique_ptr<WholeHouse>> WholeHouse::build(HouseDoubles doubles) {
  auto house = std::make_unique<WholeHouse>(std::move(doubles));
  TRY(house->open());
  return house;
}

Result<> WholeHouse::open() {
  TRY(harden_process());
  tap_log([this](std::string_view line) {
    log_.with([&](std::string& log) { (log += line) += '\n'; });
  });
  const auto passphrase = TRY(vault::Secret::random(vault::key_bytes));
  // Quick: what is checked is where text lies, not how long guessing takes.
  TRY(vault::Vault::create(folder() / "vault", passphrase, {.passes = 1, .memory_bytes = vault::passphrase_memory_bytes_min}));
  vault_ = TRY(vault::Vault::unlock(folder() / "vault", passphrase));
  const auto key = TRY(vault_->key(node::chunk_collection));
  auto cipher = node::make_vault_cipher(*key);
  if (doubles_.cipher) cipher = doubles_.cipher(std::move(cipher));
  chunks_ = TRY(kv::ChunkStore::open({.directory = folder() / "chunks-sealed", .memory_bytes_max = store_bytes,
                                      .disk_bytes_max = store_bytes, .cipher = std::move(cipher)}, *files_, clock_));
  format_ = TRY(chat::make_format("kimi-k2.5"));
  model_ = std::make_unique<CannedModel>(*format_);
  if (doubles_.model) model_double_ = doubles_.model(*model_, *this);
  outside_ = std::make_unique<Outside>(*this);
  const std::string audit_key = TRY(seal::load_or_make_key(folder() / "audit.key"));
  audit_ = std::make_unique<Audit>(TRY(seal::AuditLog::open(folder() / "audit.jsonl", audit_key)));
  if (doubles_.audit) audit_double_ = doubles_.audit(*audit_);
  egress_ = TRY(egress::make_egress({.upstreams = {{outside_spec(), "a-key-of-the-service"}},
                                     .audit = audit_double_ ? *audit_double_ : *audit_, .audit_key = audit_key, .http = *outside_}));
  egress_routes_ = egress_->routes();
  to_egress_ = net::make_router_client(egress_routes_);
  if (doubles_.to_egress) to_egress_double_ = doubles_.to_egress(*to_egress_);
  return start_serving();
}

Result<> WholeHouse::start_serving() {
  auto serving = std::make_unique<Serving>();
  seal::LabelRules rules;
  rules.keys = {{gateway::client_name_of_key(sealed_key()), seal::Label::sealed}};
  rules.folders = {{sealed_folder(), seal::Label::sealed}};
  serving->labels = TRY(seal::Labeller::open(std::move(rules), folder() / "seal"));
  if (doubles_.labels) serving->labels_double = doubles_.labels(*serving->labels);
  serving->router = TRY(route::Router::open({.table = table()}));
  net::HttpClient& way_out = to_egress_double_ ? *to_egress_double_ : *to_egress_;
  serving->fleet = TRY(upstream::Fleet::create({outside_spec()}, [](const upstream::EndpointSpec&) { return Result<std::string>(""); },
                                               net::Address::unix_socket("/egress"), way_out));
  serving->gate = std::make_unique<seal::LabelGate>(*serving->labels);
  serving->gate->set_proven(true);  // this house is what proves it
  serving->routing = std::make_unique<gateway::Routing>(gateway::Routing{
      *serving->router, *serving->fleet, *serving->gate, "a key of the check"});
  gateway::GatewayOptions options;
  options.model_id = "canned";
  options.access.api_keys = {sealed_key(), open_key()};
  options.routing = serving->routing.get();
  options.labeller = serving->labels_double ? serving->labels_double.get() : serving->labels.get();
  auto format = TRY(chat::make_format(format_->name()));
  engine::ModelService& model = model_double_ ? *model_double_ : *model_;
  serving->gateway = TRY(gateway::Gateway::create(model, std::move(format), std::move(options), {}));
  serving->routes = serving->gateway->routes();
  serving->client = net::make_router_client(serving->routes);
  serving_ = std::move(serving);
  return {};
}

Result<> WholeHouse::restart() {
  serving_.reset();
  return start_serving();
}

Result<HouseReply> WholeHouse::send(net::HttpClient& client, const std::string& path, const std::string& body, net::Headers headers) {
  last_request_.with([&](std::string& last) { last = body; });
  const auto reply = TRY(client.send({.method = "POST", .target = path, .headers = std::move(headers), .body = {as_byte_span(body)}}, soon(), {}));
  return HouseReply{reply.status, std::string(reply.body_text())};
}

HouseReply WholeHouse::post_text(const std::string& path, const std::string& body, net::Headers headers) {
  auto reply = send(*serving_->client, path, body, std::move(headers));
  return reply ? *std::move(reply) : HouseReply{500, reply.error().message};
}

HouseReply WholeHouse::post(const std::string& path, const Json& body, net::Headers headers) {
  return post_text(path, dump_json(body), std::move(headers));
}

HouseReply WholeHouse::post_to_egress(const std::string& body, net::Headers headers) {
  net::HttpClient& client = to_egress_double_ ? *to_egress_double_ : *to_egress_;
  auto reply = send(client, "/v1/send/" + std::string(away) + "/v1/messages", body, std::move(headers));
  return reply ? *std::move(reply) : HouseReply{500, reply.error().message};
}

// As an eval does with an item whose egress is denied: it is sealed, and a judge outside takes Open only.
void WholeHouse::judge(const std::string& item) {
  chat::ChatRequest request;
  request.conversation.messages = {{.role = chat::Role::user, .text = item}};
  seal::Clearance clearance{.decision = {}, .conversation = "eval", .client = "eval"};
  clearance.decision.add({seal::Source::provenance, seal::Label::sealed, "eval item, egress denied"});
  auto sorted = seal::sort(seal::Labelled<chat::ChatRequest>{std::move(request), std::move(clearance)});
  if (auto* open = std::get_if<seal::Open<chat::ChatRequest>>(&sorted)) {
    if (auto cleared = seal::clear_for_remote(std::move(*open), *serving_->gate)) {
      (void)serving_->fleet->remote(away)->ask(*cleared, soon(), {});
    }
  }
}

void WholeHouse::keep(const std::string& text) {
  const auto store = [&]() -> Result<> {
    const auto key = TRY(vault_->key("session of the check"));
    const auto where = TRY(vault_->folder("session of the check"));
    auto transcript = TRY(vault::SealedLog::open(where / "transcript", *key));
    TRY(transcript.append(1, as_byte_span(text)));
    TRY(vault::write_sealed_file(*files_, where / "memory.md", *key, as_byte_span(text)));
    Buffer payload = TRY(Buffer::create(text.size()));
    std::memcpy(payload.data(), text.data(), text.size());
    kv::ChunkOrigin origin;
    origin.layout = model::LayoutDigest{blake2b(as_byte_span(model_layout))};
    origin.parent = model::root_key(origin.layout);
    origin.tokens = {1, 2, 3};
    origin.provenance = {"check", "CPU", "check", 1};
    kv::Chunk chunk = TRY(kv::make_chunk(std::move(origin), std::move(payload)));
    TRY(chunks_->put(std::make_shared<const kv::Chunk>(std::move(chunk))));
    return chunks_->flush(soon());
  }();
  if (!store) log_warning("the check could not keep a transcript: " + store.error().message);
}

void WholeHouse::set_answer(const std::string& text) { model_->set_answer(text); }

void WholeHouse::set_trouble(Trouble trouble) {
  audit_->is_full = trouble == Trouble::audit_full;
  model_->set_trouble(trouble == Trouble::model_gone     ? CannedModel::Trouble::gone
                      : trouble == Trouble::queue_full   ? CannedModel::Trouble::full
                      : trouble == Trouble::model_fails  ? CannedModel::Trouble::fails_in_the_middle
                                                         : CannedModel::Trouble::none);
}

void WholeHouse::send_out(std::string_view bytes) {
  sent_.with([&](std::string& sent) { (sent += bytes) += '\n'; });
}

std::string WholeHouse::sent() const {
  return sent_.with([](const std::string& sent) { return sent; });
}

std::string WholeHouse::log() const {
  return log_.with([](const std::string& log) { return log; });
}

std::string WholeHouse::metrics() {
  const auto reply = serving_->client->send({.method = "GET", .target = "/metrics", .headers = {{"x-api-key", open_key()}, {"host", "127.0.0.1"}}}, soon(), {});
  return reply ? std::string(reply->body_text()) : std::string();
}

std::string WholeHouse::audit() const {
  const auto text = read_text_file(folder() / "audit.jsonl", file_bytes_max);
  return text ? *text : std::string();
}

// A core dump holds what the process held; there is none, or the last request is in it.
std::string WholeHouse::crash_report() const {
  rlimit core{};
  if (::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0) return {};
  return last_request_.with([](const std::string& last) { return last; });
}

std::vector<std::string> WholeHouse::disk() const {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder(), error), end; !error && it != end; it.increment(error)) {
    out.push_back(it->path().string());
    if (it->symlink_status().type() != fs::file_type::regular) continue;
    if (auto text = read_text_file(it->path(), file_bytes_max)) out.back() += "\n" + *text;
  }
  return out;
}

}  // namespace hearth::seal_check
