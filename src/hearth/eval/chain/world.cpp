#include "hearth/eval/chain/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hearth/base/check.h"
#include "hearth/base/random.h"

namespace hearth::eval {
namespace {

struct ToolText {
  std::string_view name, description;
};

constexpr std::array<ToolText, 10> chain_tools = {{
    {"weigh_part", "Puts an item on the scale."},
    {"open_bin", "Opens the bin of an item."},
    {"book_slot", "Books a slot on the bench for an item."},
    {"move_crate", "Moves the crate of an item."},
    {"print_label", "Prints labels for an item."},
    {"stamp_form", "Stamps the form of an item."},
    {"read_gauge", "Reads the gauge beside an item."},
    {"file_note", "Files a note about an item."},
    {"seal_box", "Seals the box of an item."},
    {"charge_ledger", "Enters an item in the ledger."},
}};
constexpr std::array<ToolText, distractor_tools_max> distractors = {{
    {"weigh_truck", "Weighs a truck at the gate."},
    {"open_gate", "Opens the gate of the yard."},
    {"book_room", "Books a room for a meeting."},
    {"move_shelf", "Moves a shelf."},
    {"print_report", "Prints the report of the week."},
    {"stamp_letter", "Stamps a letter."},
    {"read_meter", "Reads the meter of the house."},
    {"file_invoice", "Files an invoice."},
    {"seal_door", "Seals a door for the night."},
    {"charge_battery", "Charges a battery."},
    {"count_stock", "Counts what is in stock."},
    {"call_driver", "Calls a driver."},
    {"order_paint", "Orders paint."},
    {"check_weather", "Says what the weather will be."},
    {"find_worker", "Finds out who is at work."},
    {"set_alarm", "Sets the alarm."},
    {"clean_bench", "Asks for the bench to be cleaned."},
    {"sharpen_tool", "Sends a tool to be sharpened."},
    {"list_orders", "Lists open orders."},
    {"cancel_order", "Cancels an order."},
}};
constexpr std::array<std::string_view, 16> colours = {
    "red",  "blue", "green", "grey", "black", "white", "brown", "yellow",
    "pale", "dark", "old",   "new",  "small", "large", "round", "flat"};
constexpr std::array<std::string_view, 16> things = {
    "hinge", "bolt", "lamp",  "valve", "spring", "wheel",   "pipe",  "hook",
    "latch", "gear", "plate", "screw", "handle", "bracket", "cable", "clamp"};
// 32 characters, none that looks like another.
constexpr std::string_view ticket_alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
static_assert(ticket_alphabet.size() == 32);
constexpr std::size_t ticket_characters = 7;
constexpr std::uint32_t bytes_per_token = 4;
constexpr std::uint64_t amount_max = 40;

std::string draw_ticket(Random& random) {
  std::string out;
  for (std::size_t i = 0; i < ticket_characters; ++i) {
    out += ticket_alphabet[random.below(ticket_alphabet.size())];
  }
  return out;
}

Json parameters() {
  const auto text = [](const char* what) {
    return Json::object({{"type", "string"}, {"description", what}});
  };
  return Json::object(
      {{"type", "object"},
       {"properties",
        Json::object({{"item", text("the item, as the step names it")},
                      {"amount", Json::object({{"type", "integer"},
                                               {"description", "the number that the step names"}})},
                      {"ticket", text("the ticket that the step before gave")},
                      {"proof", text("an older ticket, only where the step asks for one")}})},
       {"required", Json::array({"item", "amount", "ticket"})},
       {"additionalProperties", false}});
}

std::string notes(std::uint64_t seed, std::uint32_t tokens) {
  static constexpr std::array<std::string_view, 8> who = {
      "The clerk",   "A neighbour", "The driver",  "Somebody",
      "The foreman", "A visitor",   "The painter", "An apprentice"};
  static constexpr std::array<std::string_view, 8> did = {
      "left", "saw", "described", "returned", "borrowed", "counted", "forgot", "drew"};
  static constexpr std::array<std::string_view, 8> when = {
      "before noon", "on Tuesday",   "last spring", "after the rain",
      "at the gate", "by the river", "twice",       "without a word"};
  Random random(seed ^ 0x5EEDF111ull);
  std::string out;
  const std::size_t bytes = std::size_t{tokens} * bytes_per_token;
  while (out.size() < bytes) {
    out += fmt::format("{} {} the {} {} {}. ", who[random.below(who.size())],
                       did[random.below(did.size())], colours[random.below(colours.size())],
                       things[random.below(things.size())], when[random.below(when.size())]);
  }
  return out;
}

constexpr std::string_view instructions =
    "You work in a workshop and carry out steps with tools, in order, one call at a time. Every "
    "step gives you a ticket. "
    "The next call must show that ticket, exactly as it was given. Some steps ask for an older "
    "ticket as proof besides. "
    "Use no other tools and leave no step out. When a call is refused, correct it. "
    "When the last step is done, answer with the word DONE and the last ticket. If you cannot go "
    "on, answer with the word STUCK.";

}  // namespace

std::string refusal(std::string_view why) { return dump_json(Json::object({{"error", why}})); }

Result<> check_chain(const ChainOptions& options) {
  const auto within = [](std::string_view what, std::uint32_t value, std::uint32_t low,
                         std::uint32_t high) -> Result<> {
    if (value >= low && value <= high) return {};
    return fail(Code::invalid_argument,
                fmt::format("{}: {} is outside {} to {}", what, value, low, high));
  };
  TRY(within("calls", options.calls, 1, chain_calls_max));
  TRY(within("distractor tools", options.distractor_tools, 0, distractor_tools_max));
  TRY(within("fill tokens", options.fill_tokens, 0, fill_tokens_max));
  return within("retries", options.retries, 0, 10);
}

Json chain_options_json(const ChainOptions& options) {
  return Json::object({{"calls", options.calls},
                       {"distractor_tools", options.distractor_tools},
                       {"fill_tokens", options.fill_tokens},
                       {"injected_error", options.injected_error},
                       {"plan_given", options.plan_given},
                       {"retries", options.retries}});
}

ChainWorld::ChainWorld(std::uint64_t seed, ChainOptions options) : seed_(seed), options_(options) {
  CHECK(check_chain(options).has_value());
  const auto add = [&](const ToolText& tool) {
    tools_.push_back({.name = std::string(tool.name),
                      .description = std::string(tool.description),
                      .parameters = parameters()});
  };
  for (const ToolText& tool : chain_tools) add(tool);
  for (std::uint32_t i = 0; i < options.distractor_tools; ++i) add(distractors[i]);
  Random random(seed);
  std::size_t tool = 0;
  for (std::uint32_t i = 0; i < options.calls; ++i) {
    // Never the same tool twice in a row, so that a call of the step before is a wrong one.
    tool = (tool + 1 + random.below(chain_tools.size() - 1)) % chain_tools.size();
    ChainStep step{.tool = std::string(chain_tools[tool].name)};
    step.item = fmt::format("{} {}", colours[random.below(colours.size())],
                            things[random.below(things.size())]);
    step.amount = static_cast<std::uint32_t>(1 + random.below(amount_max));
    if ((i + 1) % 8 == 0) step.proof_back = 7;
    else if ((i + 1) % 4 == 0) step.proof_back = 3;
    steps_.push_back(std::move(step));
  }
  while (tickets_.size() <= options.calls) {
    std::string ticket = draw_ticket(random);
    if (std::ranges::find(tickets_, ticket) == tickets_.end()) {
      tickets_.push_back(std::move(ticket));
    }
  }
  std::ranges::sort(tools_, {}, &chat::Tool::name);
}

bool ChainWorld::was_given_out(std::string_view ticket, std::uint32_t index) const {
  const auto end = tickets_.begin() + index + 1;
  return std::find(tickets_.begin(), end, ticket) != end;
}

// Tickets are named by the step that gave them, which is how people would say it.
std::string ChainWorld::instruction(std::uint32_t index) const {
  const ChainStep& step = steps_[index];
  std::string out = fmt::format("Step {}: {} with item \"{}\", amount {}", index + 1, step.tool,
                                step.item, step.amount);
  if (step.proof_back > 0) {
    const std::uint32_t giver = index - step.proof_back;  // ticket(giver + 1) came of that step
    out += fmt::format(", and as proof the ticket that step {} gave", giver + 1);
  }
  return out + ".";
}

chat::Conversation ChainWorld::opening() const {
  chat::Conversation out{.tools = tools_, .messages = {}};
  out.messages.push_back({.role = chat::Role::system, .text = std::string(instructions)});
  std::string task;
  if (options_.fill_tokens > 0) {
    task = "Notes of the past days; nothing in them matters for the steps.\n" +
           notes(seed_, options_.fill_tokens) + "\n\n";
  }
  if (options_.plan_given) {
    task += fmt::format("Carry out these {} steps.\n", calls());
    for (std::uint32_t i = 0; i < calls(); ++i) task += instruction(i) + "\n";
  } else {
    task += fmt::format("There are {} steps. Each result says what the next one is.\n{}\n", calls(),
                        instruction(0));
  }
  task += fmt::format("The ticket for step 1 is {}.", tickets_[0]);
  out.messages.push_back({.role = chat::Role::user, .text = std::move(task)});
  if (options_.injected_error) {
    chat::ToolCall wrong = gold_call(0);
    wrong.id = "call_wrong";
    Random random(seed_ ^ 0xBADull);
    wrong.arguments.set("ticket", draw_ticket(random));
    out.messages.push_back({.role = chat::Role::assistant, .calls = {std::move(wrong)}});
    out.messages.push_back({.role = chat::Role::tool,
                            .text = refusal("this is not the ticket that was given"),
                            .call_id = "call_wrong"});
  }
  return out;
}

chat::ToolCall ChainWorld::gold_call(std::uint32_t index) const {
  const ChainStep& step = steps_[index];
  chat::ToolCall out{.id = fmt::format("call_{}", index + 1), .name = step.tool};
  out.arguments =
      Json::object({{"item", step.item}, {"amount", step.amount}, {"ticket", tickets_[index]}});
  if (step.proof_back > 0) out.arguments.set("proof", tickets_[index - step.proof_back + 1]);
  return out;
}

std::string ChainWorld::result(std::uint32_t index) const {
  Json out = Json::object({{"step", index + 1}, {"ticket", tickets_[index + 1]}});
  if (index + 1 == calls()) {
    out.set("next", "That was the last step.");
  } else if (!options_.plan_given) {
    out.set("next", instruction(index + 1));
  }
  return dump_json(out);
}

}  // namespace hearth::eval
