#include "hearth/eval/judge/grading_page.h"

namespace hearth::eval {

namespace data {
extern const std::string_view grading_page_html;
}

namespace {

constexpr std::uint64_t answer_bytes_max = 256 * 1024;

// Nothing from elsewhere runs here, nothing goes elsewhere, and no copy stays in the browser.
net::Response guarded(net::Response response) {
  response.headers.set("Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
                       "frame-ancestors 'none'");
  response.headers.set("Cache-Control", "no-store");
  response.headers.set("Referrer-Policy", "no-referrer");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

Json place_json(const GradingDesk::Place& place) {
  Json out = Json::object({{"done", place.done}, {"total", place.total}, {"id", place.id ? Json(*place.id) : Json()}});
  if (place.id) out.set("task", judge_task_json(place.task));
  return out;
}

}  // namespace

net::Router grading_routes(GradingDesk& desk, const std::string& secret, std::function<std::int64_t()> now_s) {
  net::Router out;
  const std::string root = "/" + secret;
  out.add("GET", root + "/", [](net::Request&, const net::PathParams&) -> Result<net::Response> {
    return guarded(net::Response::text(200, std::string(data::grading_page_html), "text/html; charset=utf-8"));
  });
  const auto next = [&desk]() -> Result<net::Response> {
    const GradingDesk::Place place = TRY(desk.next());
    return guarded(net::Response::json(200, place_json(place)));
  };
  out.add("GET", root + "/next", [next](net::Request&, const net::PathParams&) { return next(); });
  out.add("POST", root + "/grades/{id}",
          [&desk, next, now_s](net::Request& request, const net::PathParams& params) -> Result<net::Response> {
            TRY(desk.grade(params["id"], request.body_text(), now_s()));
            return next();
          },
          {.body_bytes_max = answer_bytes_max});
  out.add("POST", root + "/skip/{id}", [&desk, next](net::Request&, const net::PathParams& params) {
    desk.skip(params["id"]);
    return next();
  });
  return out;
}

}  // namespace hearth::eval
