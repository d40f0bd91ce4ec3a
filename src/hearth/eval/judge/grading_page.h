#pragma once
// The desk as a small web page for one person at this machine: plain HTML and one script, built in,
// nothing fetched from elsewhere, every key of it on the keyboard. Served on loopback by the caller.
//
// Whoever knows the page's path may grade: it holds a secret, so that other pages in the same browser
// and other users of the machine cannot.

#include <functional>
#include <string>

#include "hearth/eval/judge/desk.h"
#include "hearth/net/http_router.h"

namespace hearth::eval {

// GET /SECRET/, GET /SECRET/next, POST /SECRET/grades/{id}, POST /SECRET/skip/{id}. `desk` outlives it.
net::Router grading_routes(GradingDesk& desk, const std::string& secret, std::function<std::int64_t()> now_s);

}  // namespace hearth::eval
