#pragma once
// The record of one decided request (store/routes.h), from the decision to the end of its answer. It is
// written down once: by finish(), or when the last who holds it lets go, as requests end that never came to
// an answer. Private to gateway. One thread at a time: the request's hands it to its job's.

#include <utility>

#include "hearth/gateway/answer_job.h"
#include "hearth/route/router.h"

namespace hearth::gateway {

class RouteEntry {
 public:
  // Without a router nothing is written down. It outlives this.
  RouteEntry(route::Router* router, store::RouteRecord record, Instant began)
      : router_(router), record_(std::move(record)), began_(began) {}
  ~RouteEntry() { finish(); }
  RouteEntry(const RouteEntry&) = delete;
  RouteEntry& operator=(const RouteEntry&) = delete;

  store::RouteRecord& record() { return record_; }
  Instant began() const { return began_; }  // when the request came
  void refused(const ApiError& error);      // no answer came of it
  void finish();
  void finish(const AnswerJob& job);  // with what came of it; the job is over

 private:
  route::Router* router_;
  store::RouteRecord record_;
  const Instant began_;
};

}  // namespace hearth::gateway
