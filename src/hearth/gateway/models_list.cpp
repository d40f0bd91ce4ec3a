#include "hearth/gateway/models_list.h"

#include <fmt/format.h>

#include <chrono>

namespace hearth::gateway {

std::string rfc3339_time(std::int64_t seconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

Json model_json(const ServedModel& model, const std::string& id) {
  return Json::object({{"id", id},
                       {"object", "model"},
                       {"type", "model"},
                       {"display_name", id},
                       {"created", model.created_s},
                       {"created_at", rfc3339_time(model.created_s)},
                       {"owned_by", "hearth"},
                       {"lifecycle", "active"},
                       {"max_input_tokens", model.prompt_tokens_max},
                       {"max_tokens", model.answer_tokens_max},
                       {"capabilities", nullptr},
                       {"line", nullptr},
                       {"deprecated_at", nullptr},
                       {"retires_at", nullptr}});
}

Json models_list_json(const ServedModel& model) {
  Json data = Json::array();
  for (const std::string& id : model.ids) data.push(model_json(model, id));
  const bool none = model.ids.empty();
  return Json::object({{"object", "list"},
                       {"data", std::move(data)},
                       {"has_more", false},
                       {"first_id", none ? Json() : Json(model.ids.front())},
                       {"last_id", none ? Json() : Json(model.ids.back())}});
}

}  // namespace hearth::gateway
