// SPDX-License-Identifier: Apache-2.0
#include "exposition/page.h"

#include <algorithm>
#include <utility>

#include "exposition/text.h"

namespace corosync_exporter {
namespace {

FamilySink to(std::string& text) {
  return [&text](const prometheus::MetricFamily& family) { append_text(text, family); };
}

std::string text_of(const Build& build) {
  std::string text;
  build_families(build, to(text));
  return text;
}

}  // namespace

std::string glance(const ClusterState& state, SteadyTime now, const Build& build) {
  std::string text;
  present_families(View{state, now}, to(text));
  return text + text_of(build);
}

Page::Page(const Build& build) : build_{text_of(build)} {}

std::string Page::text(const std::shared_ptr<const ClusterState>& state, SteadyTime now,
                       const Self& self, const std::string& process) {
  std::shared_ptr<const std::string> lasting;
  Duration lost{};
  {
    const std::lock_guard lock{mutex_};
    const Known known = known_at(*state, now);
    // Rendered under the lock: others would render the same.
    if (lasting_.state != state || lasting_.known != known) {
      std::string text;
      text.reserve(lasting_.text ? lasting_.text->size() : 0);  // mostly it is about as long
      present_families(View{*state, known}, to(text));
      history_families(*state, to(text));
      text += build_;
      lasting_ = {.state = state,
                  .known = known,
                  .text = std::make_shared<const std::string>(std::move(text))};
    }
    lasting = lasting_.text;
    lost_shown_ = std::max(lost_shown_, time_without_quorum(*state, now));
    lost = lost_shown_;
  }
  std::string rest;
  momentary_families(*state, now, lost, self, to(rest));
  rest += process;
  return *lasting + rest;
}

}  // namespace corosync_exporter
