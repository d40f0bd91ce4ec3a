#include "hearth/store/routes.h"

#include <fmt/format.h>

#include <array>

#include "hearth/store/database.h"

namespace hearth::store {
namespace {

constexpr std::array<std::string_view, 1> steps = {
    "CREATE TABLE routes(number INTEGER PRIMARY KEY AUTOINCREMENT, at_s INTEGER NOT NULL, request TEXT NOT "
    "NULL UNIQUE,"
    " conversation TEXT NOT NULL, label TEXT NOT NULL, class TEXT NOT NULL, signal TEXT NOT NULL, rule TEXT "
    "NOT NULL,"
    " policy TEXT NOT NULL, target TEXT NOT NULL, reach TEXT NOT NULL, standing TEXT NOT NULL, "
    "standing_reason TEXT NOT NULL,"
    " kept INTEGER NOT NULL, in_tool_loop INTEGER NOT NULL, escalate_to TEXT NOT NULL, because TEXT NOT NULL,"
    " answered_by TEXT NOT NULL, model TEXT NOT NULL, outcome TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,"
    " cached_tokens INTEGER NOT NULL, answer_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, seconds REAL "
    "NOT NULL,"
    " findings TEXT NOT NULL);"
    "CREATE INDEX routes_of_conversation ON routes(conversation, number)"};
constexpr Schema schema{.application_id = "HRou", .steps = steps};

constexpr std::string_view columns =
    "at_s, request, conversation, label, class, signal, rule, policy, target, reach, standing, standing_reason, kept,"
    " in_tool_loop, escalate_to, because, answered_by, model, outcome, prompt_tokens, cached_tokens, answer_tokens,"
    " cost_usd, seconds, findings";

RouteRecord read(const Statement& row) {
  RouteRecord out;
  out.at_s = row.integer(0);
  int column = 1;
  for (std::string* text :
       {&out.request, &out.conversation, &out.label, &out.route_class, &out.signal, &out.rule, &out.policy,
        &out.target, &out.reach, &out.standing, &out.standing_reason}) {
    *text = row.text(column++);
  }
  out.kept = row.integer(column++) != 0;
  out.in_tool_loop = row.integer(column++) != 0;
  for (std::string* text : {&out.escalate_to, &out.because, &out.answered_by, &out.model, &out.outcome}) {
    *text = row.text(column++);
  }
  for (std::uint32_t* count : {&out.prompt_tokens, &out.cached_tokens, &out.answer_tokens}) {
    *count = static_cast<std::uint32_t>(row.integer(column++));
  }
  out.cost_usd = row.real(column++);
  out.seconds = row.real(column++);
  out.findings = row.text(column);
  return out;
}

}  // namespace

struct RouteLog::State {
  mutable Database database;
};

RouteLog::RouteLog(std::unique_ptr<State> state) : state_(std::move(state)) {}
RouteLog::RouteLog(RouteLog&&) noexcept = default;
RouteLog& RouteLog::operator=(RouteLog&&) noexcept = default;
RouteLog::~RouteLog() = default;

Result<RouteLog> RouteLog::open(const std::filesystem::path& file) {
  return RouteLog(std::make_unique<State>(State{TRY(Database::open(file, schema))}));
}

Result<RouteLog> RouteLog::open_read_only(const std::filesystem::path& file) {
  return RouteLog(std::make_unique<State>(State{TRY(Database::open_read_only(file, schema))}));
}

Result<> RouteLog::put(const RouteRecord& r) {
  // The number stays what it was: the order is that of the first time.
  auto insert = TRY(state_->database.prepare(
      fmt::format("INSERT INTO routes({}) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON "
                  "CONFLICT(request) DO UPDATE SET"
                  " answered_by=excluded.answered_by, model=excluded.model, outcome=excluded.outcome, "
                  "prompt_tokens=excluded.prompt_tokens,"
                  " cached_tokens=excluded.cached_tokens, answer_tokens=excluded.answer_tokens, "
                  "cost_usd=excluded.cost_usd,"
                  " seconds=excluded.seconds, findings=excluded.findings",
                  columns)));
  TRY(insert.run(r.at_s, r.request, r.conversation, r.label, r.route_class, r.signal, r.rule, r.policy,
                 r.target, r.reach, r.standing, r.standing_reason, r.kept, r.in_tool_loop, r.escalate_to,
                 r.because, r.answered_by, r.model, r.outcome, r.prompt_tokens, r.cached_tokens,
                 r.answer_tokens, r.cost_usd, r.seconds, r.findings));
  auto forget = TRY(
      state_->database.prepare("DELETE FROM routes WHERE number <= (SELECT MAX(number) FROM routes) - ?"));
  return forget.run(route_records_max);
}

Result<std::optional<RouteRecord>> RouteLog::one(std::string_view where, std::string_view value) const {
  auto query = TRY(state_->database.prepare(
      fmt::format("SELECT {} FROM routes WHERE {} ORDER BY number DESC LIMIT 1", columns, where)));
  TRY(query.query(value));
  const bool found = TRY(query.next());
  if (!found) return std::nullopt;
  return read(query);
}

Result<std::optional<RouteRecord>> RouteLog::last() const { return one("number > CAST(? AS INTEGER)", "0"); }

Result<std::optional<RouteRecord>> RouteLog::last_of(std::string_view conversation) const {
  return one("conversation = ?", conversation);
}

Result<std::optional<RouteRecord>> RouteLog::find(std::string_view request) const {
  return one("request = ?", request);
}

}  // namespace hearth::store
